"""Overlaps on the wire: signed shares that agree, and labels that one reader can open."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal

import pytest

from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.evidence.overlaps import (
    answer_digest,
    open_labels,
    read_overlap,
    read_reply_key,
    read_unused,
    seal_labels,
    write_cells,
    write_overlap,
)
from dataspace.linkage.sealing import HYBRID, KINDS, SEED_BYTES, SealingKey
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.overlap_cells import OverlapCell, OverlapShare, combine_overlap
from dataspace.query.product import Disclosure
from dataspace.query.questions import parse_question
from dataspace.query.tabulate import tabulate
from dataspace.v1 import linkage_pb2, sealing_pb2
from tests.unit.query.samples import offer, visits

A, B, C, D = (letter * 16 for letter in (b"a", b"b", b"c", b"d"))
SETTINGS = Disclosure()
CELLS = (OverlapCell((A, C), 20), OverlapCell((B, C), 30))
SHARE = OverlapShare("guangzhou", b"r" * 32, b"t" * 32, CELLS, 11, 5)


def _question(sql: str) -> OverlapQuery:
    question = parse_question(sql)
    assert isinstance(question, OverlapQuery)
    return bind_overlap(question, offer(), visits())


QUERY = _question(
    "SELECT g.sex, m.kind, count(distinct g.person) AS n FROM guangzhou.trial g "
    "JOIN macao.visits m ON g.person = m.person GROUP BY g.sex, m.kind "
    "HAVING count(distinct g.person) > 5 ORDER BY n DESC"
)
LABELS = {"guangzhou": {A: ("F",), B: ("M",)}, "macao": {C: ("in",)}}


def _other(**fields: object) -> OverlapShare:
    return replace(SHARE, region="macao", **fields)  # type: ignore[arg-type]  # a table of fields


def test_what_is_written_is_read_again() -> None:
    wire = linkage_pb2.OverlapPartial()
    write_overlap(SHARE, wire, SETTINGS)
    assert read_overlap(linkage_pb2.OverlapPartial.FromString(wire.SerializeToString())) == SHARE


@pytest.mark.parametrize(
    "wrong",
    [
        {"round_to": 0},
        {"min_subjects": 0},
        {"region": ""},
        {"round_to": 7},
        {"cells": write_cells([OverlapCell((A, C), 21)])},
        {"cells": write_cells([OverlapCell((A, C), 20), OverlapCell((A, C), 25)])},
        {"cells": write_cells([OverlapCell((A, C), 0)])},
    ],
)
def test_a_share_that_cannot_be_is_not_read(wrong: dict[str, object]) -> None:
    wire = linkage_pb2.OverlapPartial()
    write_overlap(SHARE, wire, SETTINGS)
    for name, value in wrong.items():
        wire.ClearField(name)
        if isinstance(value, list):
            wire.cells.extend(value)
        else:
            setattr(wire, name, value)
    with pytest.raises(Unverified) as refused:
        read_overlap(wire)
    assert refused.value.code == "partial-shape"


def test_a_release_is_what_all_participants_release() -> None:
    assert combine_overlap(QUERY, [_other(), SHARE]) == CELLS
    assert combine_overlap(QUERY, [SHARE, _other(cells=CELLS[1:])]) == CELLS[1:]


@pytest.mark.parametrize(
    ("other", "code", "named"),
    [
        (_other(cells=(OverlapCell((A, C), 25), CELLS[1])), "overlap-differs", "macao"),
        (_other(min_subjects=12), "overlap-differs", "macao"),
        (_other(round_to=10), "overlap-differs", "macao"),
        (_other(transcript=b"u" * 32), "partial-round", "macao"),
        (_other(request_sha256=b"s" * 32), "partial-round", "macao"),
        (replace(SHARE), "partial-region", ""),
        (replace(SHARE, region="hongkong"), "partial-region", ""),
    ],
)
def test_participants_that_say_different_things_are_named(
    other: OverlapShare, code: str, named: str
) -> None:
    with pytest.raises(Unverified) as refused:
        combine_overlap(QUERY, [SHARE, other])
    assert refused.value.code == code
    assert named in refused.value.message


@pytest.mark.parametrize("codes", [(A,), (A, C, C), (A, b""), (b"", C), (b"", b"")])
def test_a_cell_of_another_question_is_refused(codes: tuple[bytes, ...]) -> None:
    share = replace(SHARE, cells=(OverlapCell(codes, 20),))
    with pytest.raises(Unverified) as refused:
        combine_overlap(QUERY, [share, replace(share, region="macao")])
    assert refused.value.code == "partial-query"


def test_equal_answers_have_equal_digests() -> None:
    assert answer_digest(CELLS) == answer_digest(CELLS[::-1])
    assert answer_digest(CELLS) != answer_digest((OverlapCell((A, C), 25), CELLS[1]))
    assert answer_digest(CELLS) != answer_digest(CELLS[:1])


def _key(kind: str = HYBRID, byte: bytes = b"k") -> SealingKey:
    return SealingKey.from_seed(kind, byte * SEED_BYTES[kind])


_VALUES = (
    None, True, False, 0, 1, 2**70, 1.5, Decimal("1.50"), "F", "老", datetime.date(2020, 1, 31),
    datetime.datetime(2020, 1, 31, 9, 30),
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_labels_come_back_as_they_were_to_the_requester_alone(kind: str) -> None:
    key = _key(kind)
    labels = {A: _VALUES, B: tuple(reversed(_VALUES))}
    sealed = seal_labels(labels, CELLS, SHARE, 0, key.public)
    assert open_labels(sealed, SHARE, key) == labels
    assert "老".encode() not in sealed
    for share, reader in (
        (SHARE, _key(kind, b"x")),
        (replace(SHARE, region="macao"), key),
        (replace(SHARE, transcript=b"u" * 32), key),
        (replace(SHARE, request_sha256=b"u" * 32), key),
    ):
        with pytest.raises(Unverified) as refused:
            open_labels(sealed, share, reader)
        assert refused.value.code == "overlap-labels"


def test_labels_of_groups_that_are_not_shown_stay_at_their_node() -> None:
    key = _key()
    labels: dict[bytes, tuple[str, ...]] = {A: ("F",), B: ("M",), D: ("the only one",)}
    sealed = seal_labels(labels, CELLS, SHARE, 0, key.public)
    assert open_labels(sealed, SHARE, key) == {A: ("F",), B: ("M",)}
    assert open_labels(seal_labels(labels, (), SHARE, 0, key.public), SHARE, key) == {}
    # Neither how many there are nor how long they are shows in the size.
    assert len(sealed) == len(seal_labels(labels, CELLS[:1], SHARE, 0, key.public))


def test_a_requester_without_a_key_is_told_so() -> None:
    with pytest.raises(Malformed) as refused:
        read_reply_key(sealing_pb2.SealingPublicKey())
    assert refused.value.code == "reply-key"


def test_cells_and_labels_come_to_a_table() -> None:
    answer = tabulate(CELLS, LABELS, QUERY)
    assert answer.columns == ("sex", "kind", "n")
    assert answer.rows == (("M", "in", 30), ("F", "in", 20))
    assert answer.shown_by == (("guangzhou", "macao"),) * 2
    assert answer.hidden_cells == 2


def test_a_match_list_that_recognised_nobody_is_named_in_the_answer() -> None:
    share = replace(SHARE, unused=("[birth_date, surname]",))
    partial = linkage_pb2.OverlapPartial()
    write_overlap(share, partial, SETTINGS)
    assert read_overlap(partial) == share
    (note,) = tabulate(CELLS, LABELS, QUERY, share.unused).notes
    assert note.startswith("[birth_date, surname] recognised nobody")


@pytest.mark.parametrize(
    "unused", [["[sex]"], ["[hkid]", "[hkid]"], ["[ric]", "[hkid]"], ["[hkid]", "[sex]"]]
)
def test_what_a_broker_left_out_is_of_the_round_and_in_its_order(unused: list[str]) -> None:
    counts = linkage_pb2.OverlapCounts(unused=unused)
    with pytest.raises(Unverified, match="left out what the round does not have"):
        read_unused(counts, ["[hkid]", "[ric]"])


@pytest.mark.parametrize(
    "labels",
    [
        {"guangzhou": {A: ("F",)}, "macao": {C: ("in",)}},
        {"guangzhou": {A: ("F",), B: ("F",)}, "macao": {C: ("in",)}},
        {"guangzhou": {A: ("F",), B: ()}, "macao": {C: ("in",)}},
        {"guangzhou": {A: ("F",), B: ("M", "x")}, "macao": {C: ("in",)}},
        {"guangzhou": {A: ("F",), B: ("M",)}},
    ],
)
def test_labels_that_say_too_little_or_two_things_are_refused(
    labels: dict[str, dict[bytes, tuple[str, ...]]],
) -> None:
    with pytest.raises(DataspaceError) as refused:
        tabulate(CELLS, labels, QUERY)
    assert refused.value.code == "overlap-labels"
