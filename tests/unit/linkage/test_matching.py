"""The broker's counts against a plain reckoning over a known map of people."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.linkage.match_lists import match_lists
from dataspace.linkage.matching import count_overlaps
from dataspace.linkage.ring import BlindedBatch
from dataspace.linkage.rounds import BatchShape, Joined, RoundPlan, Transcript
from dataspace.linkage.sealing import SEED_BYTES, X25519, SealingKey
from dataspace.v1 import linkage_pb2
from tests.unit.linkage.rings import THREE, seed, uri

LISTS = match_lists([["hkid"]])
KEY = SealingKey.from_seed(X25519, seed("key")[: SEED_BYTES[X25519]])

# By region, by cell: the people in it.
SPACES = st.lists(
    st.lists(st.sets(st.integers(0, 12), max_size=9), min_size=1, max_size=3),
    min_size=2,
    max_size=3,
)


def code(region: str, cell: int) -> bytes:
    return seed("code", region, str(cell))[:16]


def counted(space: list[list[set[int]]]) -> linkage_pb2.OverlapCounts:
    regions = THREE[: len(space)]
    plan = RoundPlan(bytes(32), 0, "blind", regions, tuple(map(str, LISTS)))
    batches = {
        region: [
            BlindedBatch(
                code(region, at),
                np.frombuffer(
                    b"".join(hashlib.sha256(str(who).encode()).digest() for who in sorted(cell)),
                    np.uint8,
                ).reshape(-1, 1, 32),
            )
            for at, cell in enumerate(cells)
        ]
        for region, cells in zip(regions, space, strict=True)
    }
    joins = tuple(
        Joined(
            uri(region), plan.round_id, KEY.public, bytes(32),
            tuple(BatchShape(each.code, len(each.tokens)) for each in own),
            b"", seed("payload", region),
        )
        for region, own in batches.items()
    )  # fmt: skip
    return count_overlaps(Transcript(plan, joins), batches, LISTS)


def expected(space: list[list[set[int]]]) -> Counter[tuple[bytes, ...]]:
    regions = THREE[: len(space)]
    found: Counter[tuple[bytes, ...]] = Counter()
    for who in range(13):
        own = [
            [code(region, at) for at, cell in enumerate(cells) if who in cell] or [b""]
            for region, cells in zip(regions, space, strict=True)
        ]
        if any(each != [b""] for each in own):
            found.update(product(*own))
    return found


@settings(max_examples=200, deadline=None)
@given(SPACES)
def test_everybody_is_counted_once_for_each_combination_of_codes(
    space: list[list[set[int]]],
) -> None:
    counts = {tuple(each.codes): each.people for each in counted(space).counts}
    assert counts == expected(space)


@settings(max_examples=100, deadline=None)
@given(SPACES)
def test_margins_count_people_wherever_else_they_are(space: list[list[set[int]]]) -> None:
    counts = counted(space)
    regions = THREE[: len(space)]
    for each in counts.margins:
        own = [
            cells[[code(region, at) for at in range(len(cells))].index(name)]
            for region, cells, name in zip(regions, space, each.codes, strict=True)
            if name
        ]
        assert 0 < len(own) < len(space)
        assert each.people == len(set.intersection(*own))
    singles = {tuple(filter(None, each.codes)) for each in counts.margins}
    for region, cells in zip(regions, space, strict=True):
        for at, cell in enumerate(cells):
            assert ((code(region, at),) in singles) == bool(cell)
