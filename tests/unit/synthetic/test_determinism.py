"""The same seed and size give the same tables, however and wherever they are made."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pyarrow as pa
import pytest

from dataspace.errors import Malformed
from dataspace.synthetic import REGIONS, TABLES, generate, generate_region, truth

PATIENTS = 600


def test_two_runs_agree_and_another_seed_does_not() -> None:
    first, again, other = generate(PATIENTS, 5), generate(PATIENTS, 5), generate(PATIENTS, 6)
    assert first.truth.equals(again.truth)
    for region in REGIONS:
        assert tuple(first.tables[region]) == TABLES
        for table in TABLES:
            assert first.tables[region][table].equals(again.tables[region][table])
            assert not first.tables[region][table].equals(other.tables[region][table])


def test_regions_made_in_other_processes_are_the_same() -> None:
    whole = generate(PATIENTS, 5)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        made = {
            region: pool.submit(generate_region, region, PATIENTS, 5)
            for region in reversed(REGIONS)
        }
        for region, future in made.items():
            for table, rows in future.result().items():
                assert rows.equals(whole.tables[region][table]), (region, table)


def test_the_truth_can_be_made_without_the_tables() -> None:
    assert truth(PATIENTS, 5).equals(generate(PATIENTS, 5).truth)


@pytest.mark.parametrize("patients", [1, 2, 12, 101])
def test_small_spaces_are_whole(patients: int) -> None:
    space = generate(patients, 0)
    for region in REGIONS:
        assert space.tables[region]["patients"].num_rows == patients
        for table in space.tables[region].values():
            assert isinstance(table, pa.Table)


@pytest.mark.parametrize(
    ("region", "patients", "seed"),
    [
        ("shenzhen", 10, 1),
        ("macao", 0, 1),
        ("macao", -5, 1),
        ("macao", 1_000_001, 1),
        ("macao", 10, -1),
    ],
)
def test_what_cannot_be_made_is_malformed(region: str, patients: int, seed: int) -> None:
    with pytest.raises(Malformed):
        generate_region(region, patients, seed)
