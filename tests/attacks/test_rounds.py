"""A broker that invites nodes to what nobody asked for, and counts what nobody brought.

The nodes' gates, ledgers, logs, rules and warehouses are the real ones, opened in this process;
only the broker between them is the test's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from dataspace.audit.entries import Entry
from dataspace.errors import DataspaceError, Refused
from dataspace.v1 import linkage_pb2, query_pb2
from tests.attacks.round_world import REGIONS, Invitation, World, hold_round, world

__all__ = ["world"]  # a fixture


def test_an_honest_invitation_is_taken_part_in(world: World) -> None:
    assert world.code(world.invitation()) == ""


def test_a_request_is_good_for_two_rounds_and_each_once(world: World) -> None:
    request = world.request()
    for attempt in (0, 1):
        invitation = world.invitation(request, attempt)
        assert world.code(invitation) == ""
        assert world.code(invitation) == "refused replay"


def test_a_third_attempt_is_none(world: World) -> None:
    invitation = world.invitation()
    invitation.plan.attempt = 2
    assert world.code(invitation) == "malformed round-plan"


def _another_slot(invitation: Invitation) -> None:
    invitation.plan.slots[-1] = "[sex]"


def _fewer_slots(invitation: Invitation) -> None:
    del invitation.plan.slots[1:]


def _keyed(invitation: Invitation) -> None:
    invitation.plan.tier = "keyed"


def _larger_chunks(invitation: Invitation) -> None:
    invitation.plan.chunk_tuples = 4096


def _without_offers(invitation: Invitation) -> None:
    del invitation.offers[:]


def _offer_changed(invitation: Invitation) -> None:
    payload = bytearray(invitation.offers[0].payload)
    payload[-1] ^= 1
    invitation.offers[0].payload = bytes(payload)


def _request_changed(invitation: Invitation) -> None:
    request = query_pb2.QueryRequest.FromString(invitation.request.payload)
    request.purpose = "PUBHLTH"
    invitation.request.payload = request.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_another_slot, "unverified round-plan"),
        (_fewer_slots, "unverified round-plan"),
        (_keyed, "unverified round-plan"),
        (_larger_chunks, "unverified round-plan"),
        (_without_offers, "malformed product"),
        (_offer_changed, "unverified bad-signature"),
        (_request_changed, "unverified bad-signature"),
    ],
    ids=lambda each: each.__name__.strip("_") if callable(each) else None,
)
def test_a_broker_that_proposes_another_round_is_refused(
    world: World, change: Callable[[Invitation], None], code: str
) -> None:
    invitation = world.invitation()
    change(invitation)
    assert world.code(invitation) == code


def test_an_older_offer_of_the_own_product_is_not_taken(world: World) -> None:
    """The operator signed it once, and offers something else by now."""
    node = world.nodes["hongkong"]
    invitation = world.invitation()
    other = node.gatekeeper.catalogue
    (place,) = [
        at for at, each in enumerate(invitation.offers)
        if each == other.products["patients"].offer
    ]  # fmt: skip
    invitation.offers[place].CopyFrom(other.products["conditions"].offer)
    assert world.code(invitation, "hongkong") == "malformed product"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"tier": "keyed"}, "refused linkage-tier"),
        ({"purpose": "TREAT"}, "refused policy"),
        ({"issued": -90_000, "life": 1000}, "refused freshness-expired"),
    ],
)
def test_what_the_rules_do_not_permit_is_refused_at_the_node(
    world: World, fields: dict[str, Any], code: str
) -> None:
    good = world.invitation()
    request = world.request(**fields)
    if "issued" in fields:
        good.request.CopyFrom(request)
    else:
        good = world.invitation(request)
    assert world.code(good) == code


def test_a_request_without_a_reply_key_is_refused(world: World) -> None:
    good = world.invitation()
    good.request.CopyFrom(world.request(reply_key=None))
    assert world.code(good) == "malformed reply-key"


def test_a_refusal_is_signed_and_recorded_as_one_of_a_round(world: World) -> None:
    invited = world.invited(world.invitation(world.request(purpose="TREAT")))
    with pytest.raises(DataspaceError) as caught:
        invited.admit()
    answer = invited.refuse(caught.value)
    assert b'"kind":"overlap.refused"' in answer.receipt.entry
    refusal = query_pb2.Refusal.FromString(answer.body.payload)
    assert refusal.status.rule == "default-deny"


def test_the_commitment_is_on_record_before_the_join_is_made(world: World) -> None:
    keeper = world.nodes["guangzhou"].gatekeeper
    before = keeper.recorder.log.size
    part = world.part()
    assert keeper.recorder.log.size == before
    join = linkage_pb2.RoundJoin.FromString(part.join().payload)
    assert keeper.recorder.log.size == before + 1
    entry = keeper.recorder.log.read_entry(before)
    assert b'"kind":"overlap.committed"' in entry
    assert join.inputs_commitment.hex().encode() in entry


def test_no_size_stands_where_others_see_it(world: World) -> None:
    """The entry goes to the requester as evidence: no count may be in it before a threshold."""
    recorder = world.nodes["guangzhou"].gatekeeper.recorder
    before = recorder.log.size
    part = world.part()
    join = part.join()
    entry = Entry.from_bytes(recorder.log.read_entry(before))
    assert set(entry.fields) == {
        "request_sha256", "round_id", "attempt", "tier", "regions", "inputs_commitment",
        "join_sha256", "context",
    }  # fmt: skip
    assert entry.fields["join_sha256"] == hashlib.sha256(join.payload).hexdigest()
    assert part.facts.fields["committed"] == before


def test_what_would_be_done_is_signed_and_brings_nobody(world: World) -> None:
    recorder = world.nodes["guangzhou"].gatekeeper.recorder
    before = recorder.log.size
    answer = world.invited(world.invitation(world.request(explain=True))).admit()
    assert isinstance(answer, query_pb2.NodeAnswer)
    assert recorder.log.size == before + 1
    assert b'"kind":"overlap.explained"' in answer.receipt.entry
    said = json.loads(query_pb2.Explanation.FromString(answer.body.payload).explanation_json)
    assert set(said) == {"tree", "products", "round"}
    product = said["products"]["patients"]
    assert product["outcome"] == "permit"
    assert product["agreements"]["state"] == "valid"
    assert product["agreements"]["digests"]
    assert said["round"]["tier"] == "blind"
    assert said["round"]["match"]
    assert said["round"]["disclosure"]["min_subjects"] == 11


def test_what_would_be_denied_is_explained_and_not_permitted(world: World) -> None:
    invited = world.invited(world.invitation(world.request(explain=True, purpose="TREAT")))
    answer = invited.admit()
    assert isinstance(answer, query_pb2.NodeAnswer)
    said = json.loads(query_pb2.Explanation.FromString(answer.body.payload).explanation_json)
    assert said["products"]["patients"]["outcome"] == "deny"
    assert invited.part is None


def test_a_broker_that_proposes_another_round_is_told_no_explanation(world: World) -> None:
    invitation = world.invitation(world.request(explain=True))
    invitation.plan.slots[-1] = "[sex]"
    assert world.code(invitation) == "unverified round-plan"


def test_a_product_that_the_charter_does_not_let_be_offered_takes_part_in_no_round(
    world: World,
) -> None:
    keeper = world.nodes["guangzhou"].gatekeeper
    other = Refused("not as the charter says", code="charter-product", rule="charter-product")
    with patch.object(keeper, "check_offered", side_effect=other):
        assert world.code(world.invitation()) == "refused charter-product"


def test_what_cannot_be_recorded_is_not_joined_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = world.part()

    def full(*_: object) -> None:
        raise DataspaceError("the log is full", code="log")

    monkeypatch.setattr(type(world.nodes["guangzhou"].gatekeeper.recorder), "record", full)
    with pytest.raises(DataspaceError, match="the log is full"):
        part.join()
    assert not part.committed


# --- whole rounds through the real gates -----------------------------------------------------


def test_nodes_release_the_same_cells(world: World) -> None:
    end, signed = hold_round(world)
    assert end.whole
    one, other = (signed[region] for region in REGIONS)
    assert isinstance(one, linkage_pb2.OverlapPartial)
    assert isinstance(other, linkage_pb2.OverlapPartial)
    assert list(one.cells) == list(other.cells)
    assert one.cells[0].people % 5 == 0
    assert one.labels_sealed != other.labels_sealed


def _more(counts: linkage_pb2.OverlapCounts) -> None:
    for each in counts.counts:
        each.people += 10_000


def _unknown_code(counts: linkage_pb2.OverlapCounts) -> None:
    counts.counts[0].codes[0] = bytes(16)


def _no_margins(counts: linkage_pb2.OverlapCounts) -> None:
    del counts.margins[:]


def _fewer(counts: linkage_pb2.OverlapCounts) -> None:
    for each in counts.counts:
        each.people = max(1, each.people - 50)


def _leaves_out_what_is_not_there(counts: linkage_pb2.OverlapCounts) -> None:
    counts.unused.append("[other_id]")


@pytest.mark.parametrize(
    "lie", [_more, _unknown_code, _no_margins, _fewer, _leaves_out_what_is_not_there]
)
def test_counts_that_cannot_be_of_what_was_brought_are_refused_by_every_node(
    world: World, lie: Callable[[linkage_pb2.OverlapCounts], None]
) -> None:
    end, signed = hold_round(world, lie)
    assert not end.whole
    refusals = [each for each in signed.values() if isinstance(each, query_pb2.Refusal)]
    assert refusals
    assert {each.status.code for each in refusals} == {"overlap-counts"}
    assert {each.status.error for each in refusals} == {"unverified"}


def test_nothing_of_a_round_is_written_beside_its_log(world: World, tmp_path: Path) -> None:
    del tmp_path
    part = world.part()
    part.join()
    scalar = part.drawn.scalar
    for node in world.nodes.values():
        for file in node.home.path.rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                assert scalar not in data
                assert scalar.hex().encode() not in data
                assert part.drawn.shuffle_seed.hex().encode() not in data
