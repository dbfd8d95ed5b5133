"""Dummies are told to the other nodes alone, and are taken off whatever the broker counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataspace.errors import Unverified
from dataspace.linkage.padding import (
    padding_note,
    people_brought,
    read_padding,
    without_dummies,
)
from dataspace.v1.linkage_pb2 import OverlapCount, OverlapCounts, PaddingNote
from tests.unit.linkage.rings import TWO, Ring, people, ring, uri

MACAO = uri("macao")


@pytest.fixture(scope="module")
def made() -> Ring:
    return ring({"guangzhou": [people(9), people(3, 100)], "macao": [people(6, 7)]})


def note(made: Ring, dummies: list[int]) -> PaddingNote:
    return padding_note(made.transcript, "macao", "guangzhou", dummies)


def heard(made: Ring, message: PaddingNote, receiver: str = "guangzhou") -> dict[bytes, int]:
    key = made.nodes[receiver].key
    return read_padding(message, MACAO, made.transcript, receiver, key)


def test_a_note_tells_each_batchs_dummies(made: Ring) -> None:
    assert heard(made, note(made, [2])) == {made.nodes["macao"].codes[0]: 2}


@pytest.mark.parametrize("dummies", [[7], [], [2, 0]])
def test_more_dummies_than_tuples_or_other_batches_are_refused(
    made: Ring, dummies: list[int]
) -> None:
    with pytest.raises(Unverified, match="padding"):
        heard(made, note(made, dummies))


def test_a_note_for_another_of_another_round_or_by_another_is_refused(made: Ring) -> None:
    good = note(made, [2])
    with pytest.raises(Unverified, match="padding"):
        heard(made, good, "macao")
    other = PaddingNote(transcript=bytes(32), to=good.to, sealed=good.sealed)
    with pytest.raises(Unverified, match="padding"):
        heard(made, other)
    key = made.nodes["guangzhou"].key
    with pytest.raises(Unverified, match="padding"):
        read_padding(good, uri("guangzhou"), made.transcript, "guangzhou", key)
    with pytest.raises(Unverified, match="padding"):
        read_padding(good, replace(MACAO, name="another"), made.transcript, "guangzhou", key)


def test_dummies_are_taken_off_who_is_at_one_side_alone_and_nobody_else(made: Ring) -> None:
    (here, there) = (made.nodes[region].codes[0] for region in TWO)
    counts = OverlapCounts(
        counts=[
            OverlapCount(codes=[here, there], people=4),
            OverlapCount(codes=[b"", there], people=5),
        ],
        margins=[OverlapCount(codes=[b"", there], people=2)],
    )
    left = without_dummies(counts, {there: 2})
    assert [each.people for each in left.counts] == [4, 3]
    assert not left.margins  # of dummies alone: nobody is left
    brought = people_brought(made.transcript.joins, {there: 2})
    assert [batch.tuples for join in brought for batch in join.batches] == [9, 3, 4]


def test_counts_that_leave_dummies_out_are_refused(made: Ring) -> None:
    there = made.nodes["macao"].codes[0]
    short = OverlapCounts(counts=[OverlapCount(codes=[b"", there], people=1)])
    with pytest.raises(Unverified, match="dummies"):
        without_dummies(short, {there: 2})
