"""Plans and joins: what a round is, and what is not let into one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataspace.errors import Malformed, Unverified
from dataspace.identity.names import ActorUri
from dataspace.linkage.rounds import BatchShape, Joined, RoundPlan, Transcript, join_message
from dataspace.linkage.sealing import X25519, SealingKey
from dataspace.v1.linkage_pb2 import HopChunk, RoundJoin

from .rings import SLOTS, THREE, Ring, edited, people, plan, ring, uri

CELLS = {
    "guangzhou": [people(9), people(6, 50)],
    "hongkong": [people(10, 5)],
    "macao": [people(6, 7)],
}


def joins(whole: Ring) -> list[Joined]:
    return [node.joined for node in whole.nodes.values()]


def test_a_broker_that_shows_two_nodes_different_joins_splits_the_round() -> None:
    one, other = ring(CELLS, salt="a"), ring(CELLS, salt="b")
    mixed = [other.nodes["guangzhou"].joined, *joins(one)[1:]]
    split = Transcript.agree(one.transcript.plan, mixed, None)
    sender = one.nodes["guangzhou"].participant(one.transcript)
    work = next(iter(sender.begin(one.nodes["guangzhou"].batches)))
    ((place, data),) = sender.blinded(work, work.points)
    message = place.message(data)
    assert isinstance(message, HopChunk)
    with pytest.raises(Unverified) as caught:
        one.nodes["hongkong"].participant(split).receive(message, uri("guangzhou"))
    assert caught.value.code == "ring-other-round"


def test_joins_that_do_not_fit_the_plan_are_refused() -> None:
    whole = ring(CELLS)
    agreed, all_joins = whole.transcript.plan, joins(whole)
    first = all_joins[0]
    double = replace(first, batches=all_joins[1].batches)
    huge = replace(first, batches=(BatchShape(b"c" * 16, 2**31),))
    bad: list[list[Joined]] = [
        all_joins[:2],
        [*all_joins, first],
        [replace(first, round_id=b"x" * 32), *all_joins[1:]],
        [replace(first, contribution_sha256=b"x" * 32), *all_joins[1:]],
        [double, *all_joins[1:]],
        [huge, *all_joins[1:]],
        [replace(first, uri=uri("macao")), *all_joins[1:]],
    ]
    for case in bad:
        with pytest.raises(Unverified) as caught:
            Transcript.agree(agreed, case, None)
        assert caught.value.code == "round-join"


def test_a_node_finds_its_own_join_exchanged() -> None:
    whole, other = ring(CELLS, salt="a"), ring(CELLS, salt="b")
    with pytest.raises(Unverified):
        Transcript.agree(whole.transcript.plan, joins(other), whole.nodes["guangzhou"].joined)


def join_of_macao() -> RoundJoin:
    key = SealingKey.from_seed(X25519, b"k" * 32).public
    return join_message(plan(), "macao", key, b"i" * 32, [BatchShape(b"c" * 16, 5)])


def test_a_join_is_read_as_it_was_signed() -> None:
    joined = Joined.from_message(join_of_macao(), uri("macao"), b"p" * 32)
    assert joined.region == "macao"
    assert joined.batches == (BatchShape(b"c" * 16, 5),)


@pytest.mark.parametrize(
    ("changes", "signer"),
    [
        ({"region": "hongkong"}, uri("macao")),
        ({}, ActorUri("macao", "h1", "researcher", "a")),
        ({"sealing_key__data": b"x"}, uri("macao")),
        ({"inputs_commitment": b""}, uri("macao")),
        ({"contribution_sha256": b"x"}, uri("macao")),
    ],
)
def test_a_join_that_cannot_be_one_is_refused(changes: dict[str, object], signer: ActorUri) -> None:
    message = edited(join_of_macao(), **changes)
    with pytest.raises(Unverified) as caught:
        Joined.from_message(message, signer, b"p" * 32)
    assert caught.value.code == "round-join"


@pytest.mark.parametrize("codes", [[], [b"c" * 15], [b"c" * 16, b"c" * 16]])
def test_codes_that_are_none_or_twice_there_are_refused(codes: list[bytes]) -> None:
    message = join_of_macao()
    del message.batches[:]
    for code in codes:
        message.batches.add(code=code, tuples=1)
    with pytest.raises(Unverified):
        Joined.from_message(message, uri("macao"), b"p" * 32)


@pytest.mark.parametrize(
    "changes",
    [
        {"request_sha256": b"s" * 32},
        {"attempt": 1},
        {"tier": "keyed"},
        {"regions": ("guangzhou", "macao")},
        {"slots": ("hkid",)},
        {"chunk_tuples": 5},
    ],
)
def test_an_invitation_to_another_round_than_the_requests_is_refused(
    changes: dict[str, object],
) -> None:
    derived = plan()
    other = replace(derived, **changes)  # type: ignore[arg-type]
    assert other.round_id != derived.round_id
    with pytest.raises(Unverified, match=next(iter(changes))) as caught:
        derived.check_invitation(RoundPlan.from_message(other.to_message()))
    assert caught.value.code == "round-plan"
    derived.check_invitation(RoundPlan.from_message(derived.to_message()))


@pytest.mark.parametrize(
    "changes",
    [
        {"request_sha256": b"s"},
        {"attempt": 2},
        {"tier": "oprf"},
        {"regions": ("macao",)},
        {"regions": ("macao", "guangzhou")},
        {"regions": ("macao", "macao")},
        {"regions": (*THREE, "zhuhai")},
        {"regions": ("macao", "zhuhai")},
        {"slots": ()},
        {"slots": ("hkid", "hkid")},
        {"slots": (*SLOTS, "")},
        {"slots": tuple(map(str, range(17)))},
        {"chunk_tuples": 0},
        {"chunk_tuples": 5000},
    ],
)
def test_what_cannot_be_a_plan_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        replace(plan(), **changes)  # type: ignore[arg-type]
