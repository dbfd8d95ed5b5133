"""Match keys against the planted truth of synthetic patients, through tokens alone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import yaml

from dataspace.linkage.match_keys import slots
from dataspace.linkage.match_lists import MatchList, match_lists
from dataspace.linkage.resolving import Resolution, resolve
from dataspace.linkage.tokens import Ints
from dataspace.synthetic import REGIONS, SyntheticSpace, generate, product_text
from tests.blinding import side

DOCUMENTS = match_lists([["ric"], ["hkid"], ["bir"], ["mtp"]])
NAMES = match_lists([["surname", "given_name", "birth_date", "sex"]])
SOUNDS = match_lists([["surname~", "given_name~", "birth_date", "sex"]])
FIELDS = {
    "ric": "ric", "hkid": "hkid", "bir": "bir", "mtp": "mtp", "surname": "family",
    "given_name": "given", "birth_date": "birth_date", "sex": "sex",
}  # fmt: skip
ROMAN = FIELDS | {"surname": "family_roman", "given_name": "given_roman"}


@pytest.fixture(scope="module")
def space() -> SyntheticSpace:
    return generate(4_000, 11)


def _humans(space: SyntheticSpace, region: str) -> Ints:
    rows = space.truth.filter(pa.compute.equal(space.truth["region"], region))
    known = dict(zip(rows["patient_id"].to_pylist(), rows["human_id"].to_pylist(), strict=True))
    ids = space.tables[region]["patients"]["patient_id"].to_pylist()
    return np.array([known[one] for one in ids])


def _resolution(
    space: SyntheticSpace, lists: tuple[MatchList, ...], fields: Mapping[str, Mapping[str, str]]
) -> Resolution:
    rng, sides = np.random.default_rng(5), []
    for region in REGIONS:
        table = space.tables[region]["patients"]
        columns = {kind: [table[name]] for kind, name in fields.get(region, FIELDS).items()}
        sides.append(side(slots(table["patient_id"], columns, lists), rng))
    return resolve(sides, lists)


def _quality(space: SyntheticSpace, found: Resolution) -> tuple[float, float]:
    """Recall and precision over all pairs of regions."""
    true = right = made = 0
    humans = [_humans(space, region) for region in REGIONS]
    for one, other in combinations(range(3), 2):
        pairs = found.pairs(one, other)
        true += len(np.intersect1d(humans[one], humans[other]))
        right += int((humans[one][pairs[:, 0]] == humans[other][pairs[:, 1]]).sum())
        made += len(pairs)
    return right / true, right / made


def test_who_shares_a_document_is_found_exactly(space: SyntheticSpace) -> None:
    found = _resolution(space, DOCUMENTS, {})
    humans = [_humans(space, region) for region in REGIONS]
    expected = {
        pair for one, other in combinations(range(3), 2) for pair in _sharing(space, one, other)
    }
    pairs = {
        (int(humans[one][a]), int(humans[other][b]))
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
        humans = _humans(space, REGIONS[at]).tolist()
        shown.append({
            (human, kind, number)
            for kind in ("ric", "hkid", "bir", "mtp")
            for human, number in zip(humans, table[kind].to_pylist(), strict=True)
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
    recall, precision = _quality(space, _resolution(space, lists, fields))
    assert recall >= least
    assert precision >= 0.999


@pytest.mark.parametrize("region", REGIONS)
def test_the_product_files_lists_are_match_lists(region: str) -> None:
    product = yaml.safe_load(product_text(region, "patients"))
    assert match_lists(product["linkage"]["match"]) == DOCUMENTS + NAMES
