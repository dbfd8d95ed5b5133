"""Match keys against the planted truth of synthetic patients, through tokens alone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import pytest
import yaml

from dataspace.linkage.match_lists import MatchList, match_lists
from dataspace.synthetic import REGIONS, SyntheticSpace, generate, product_text
from tests.linked import DOCUMENTS, NAMES, ROMAN, SOUNDS, humans, quality, resolution


@pytest.fixture(scope="module")
def space() -> SyntheticSpace:
    return generate(4_000, 11)


def test_who_shares_a_document_is_found_exactly(space: SyntheticSpace) -> None:
    found = resolution(space, DOCUMENTS, {})
    known = [humans(space, region) for region in REGIONS]
    expected = {
        pair for one, other in combinations(range(3), 2) for pair in _sharing(space, one, other)
    }
    pairs = {
        (int(known[one][a]), int(known[other][b]))
        for one, other in combinations(range(3), 2)
        for a, b in found.pairs(one, other)
    }
    assert all(a == b for a, b in pairs)
    assert {a for a, _ in pairs} == expected


def _sharing(space: SyntheticSpace, one: int, other: int) -> set[int]:
    """Human beings who show the same document in two regions."""
    shown = []
    for at in (one, other):
        table = space.tables[REGIONS[at]]["patients"]
        people = humans(space, REGIONS[at]).tolist()
        shown.append({
            (human, kind, number)
            for kind in ("ric", "hkid", "bir", "mtp")
            for human, number in zip(people, table[kind].to_pylist(), strict=True)
            if number is not None
        })  # fmt: skip
    return {human for human, _, _ in shown[0] & shown[1]}


@pytest.mark.parametrize(
    ("lists", "fields", "least"),
    [
        (DOCUMENTS + NAMES, {}, 0.97),
        (NAMES, {}, 0.93),
        (SOUNDS, {"hongkong": ROMAN, "macao": ROMAN}, 0.93),
        (SOUNDS, dict.fromkeys(REGIONS, ROMAN), 0.7),
    ],
    ids=["documents and names", "names in characters", "characters and romanised", "romanised"],
)
def test_names_and_birth_dates_find_nearly_all_and_nobody_else(
    space: SyntheticSpace,
    lists: tuple[MatchList, ...],
    fields: Mapping[str, Mapping[str, str]],
    least: float,
) -> None:
    recall, precision = quality(space, resolution(space, lists, fields))
    assert recall >= least
    assert precision >= 0.999


@pytest.mark.parametrize("region", REGIONS)
def test_the_product_files_lists_are_match_lists(region: str) -> None:
    product = yaml.safe_load(product_text(region, "patients"))
    assert match_lists(product["linkage"]["match"]) == DOCUMENTS + NAMES
