"""Synthetic patients matched by tokens alone, and how well: their truth is planted."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pyarrow.compute as pc

from dataspace.linkage.match_keys import slots
from dataspace.linkage.match_lists import MatchList, match_lists
from dataspace.linkage.resolving import Resolution, resolve
from dataspace.linkage.tokens import Ints
from dataspace.synthetic import REGIONS, SyntheticSpace
from tests.blinding import side

DOCUMENTS = match_lists([["ric"], ["hkid"], ["bir"], ["mtp"]])
NAMES = match_lists([["surname", "given_name", "birth_date", "sex"]])
SOUNDS = match_lists([["surname~", "given_name~", "birth_date", "sex"]])
FIELDS = {
    "ric": "ric", "hkid": "hkid", "bir": "bir", "mtp": "mtp", "surname": "family",
    "given_name": "given", "birth_date": "birth_date", "sex": "sex",
}  # fmt: skip
ROMAN = FIELDS | {"surname": "family_roman", "given_name": "given_roman"}


def humans(space: SyntheticSpace, region: str) -> Ints:
    """Who each row of a region's patients is."""
    rows = space.truth.filter(pc.equal(space.truth["region"], region))
    known = dict(zip(rows["patient_id"].to_pylist(), rows["human_id"].to_pylist(), strict=True))
    ids = space.tables[region]["patients"]["patient_id"].to_pylist()
    return np.array([known[one] for one in ids])


def resolution(
    space: SyntheticSpace, lists: tuple[MatchList, ...], fields: Mapping[str, Mapping[str, str]]
) -> Resolution:
    """All three regions' patients; `fields` by region where they are not `FIELDS`."""
    rng, sides = np.random.default_rng(5), []
    for region in REGIONS:
        table = space.tables[region]["patients"]
        columns = {kind: [table[name]] for kind, name in fields.get(region, FIELDS).items()}
        sides.append(side(slots(table["patient_id"], columns, lists), rng))
    return resolve(sides, lists)


def quality(space: SyntheticSpace, found: Resolution) -> tuple[float, float]:
    """Recall and precision over all pairs of regions; nothing found is all true."""
    true = right = made = 0
    known = [humans(space, region) for region in REGIONS]
    for one, other in combinations(range(3), 2):
        pairs = found.pairs(one, other)
        true += len(np.intersect1d(known[one], known[other]))
        right += int((known[one][pairs[:, 0]] == known[other][pairs[:, 1]]).sum())
        made += len(pairs)
    return right / true, right / made if made else 1.0
