"""How a round ends at a node whose requester is revoked, or gone, while it runs."""

from __future__ import annotations

import threading

import pytest

from dataspace.errors import Refused, Unavailable
from dataspace.evidence.requests import open_request
from dataspace.home import PartyHome
from dataspace.identity.revocation import accept_list, seal_revocation_list
from dataspace.identity.revoked import REVOKED_RULE, Revoked
from dataspace.v1 import linkage_pb2, query_pb2
from node.gatekeeper import now_ms
from tests.attacks.round_world import World, hold_round, world

__all__ = ["world"]  # a fixture


def test_who_is_revoked_during_a_round_gets_nothing_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = PartyHome(world.asker.home.path.parents[1] / "hongkong" / "revocation").identity

    def revoke(_: linkage_pb2.OverlapCounts) -> None:
        for node in world.nodes.values():
            trust, moment = node.gatekeeper.trust(), now_ms()
            own = open_request(world.request(), trust, moment).signer.chain[0]
            revoked = [Revoked(own, moment, "key-compromise")]
            listed = seal_revocation_list(signer, "gba", 2, moment, revoked)
            accepted = accept_list(trust, listed, moment)
            monkeypatch.setattr(node.gatekeeper, "trust", lambda accepted=accepted: accepted)

    _, signed = hold_round(world, revoke)
    assert signed
    for each in signed.values():
        assert isinstance(each, query_pb2.Refusal)
        assert each.status.rule == REVOKED_RULE


def test_a_join_that_nobody_waits_for_any_more_is_not_committed_to(world: World) -> None:
    invited = world.invited(world.invitation())
    part = invited.admit()
    size = world.nodes["guangzhou"].gatekeeper.recorder.log.size
    invited.cancellation.cancel()
    with pytest.raises(Unavailable, match="cancelled"):
        part.join()  # type: ignore[union-attr]  # this request asks for a round
    invited.abandon()
    assert world.nodes["guangzhou"].gatekeeper.recorder.log.size == size


def test_the_end_of_a_round_is_on_record_behind_what_still_ran(world: World) -> None:
    invited = world.invited(world.invitation())
    invited.admit()
    ended = threading.Event()

    def refuse() -> None:
        invited.refuse(Refused("no", code="no", rule="no", basis="no"))
        ended.set()

    with invited.turn:  # as a join or a release holds it in its thread
        ending = threading.Thread(target=refuse)
        ending.start()
        assert not ended.wait(0.3)
    ending.join(10)
    assert ended.is_set()
