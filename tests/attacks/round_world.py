"""The real gates, ledgers, logs, rules and warehouses of two nodes; the broker is the test's."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from broker.rounds import RoundEnd
from dataspace.errors import DataspaceError
from dataspace.evidence.offers import RegionOffer, open_offer
from dataspace.evidence.overlap_sides import plan_of, sides_offered
from dataspace.evidence.requests import AskedOverlap, open_request, read_question
from dataspace.home import PartyHome
from dataspace.linkage.sealing import HYBRID, SEED_BYTES, SealingKey
from dataspace.v1 import broker_pb2, linkage_pb2, query_pb2, sealing_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.blinding import BlindingPool
from node.gatekeeper import Cancellation, now_ms
from node.linking.gate import GateInvited, OverlapGate
from node.linking.gate_part import GatePart
from node.service import Node
from tests.attacks.forgery import Asker, make_request
from tests.attacks.record_case import agreements_of
from tests.federation.copies import still_copy
from tests.revocations import fresh_lists
from tests.unit.linking.wired import held

SQL = (
    "SELECT count(distinct g.person) AS n FROM guangzhou.patients g "
    "JOIN hongkong.patients h ON g.person = h.person"
)
REGIONS = ("guangzhou", "hongkong")
Invitation = linkage_pb2.RoundInvitation


@dataclass(frozen=True)
class World:
    """Two nodes, who asks, and what the broker would invite with."""

    nodes: dict[str, Node]
    asker: Asker
    pool: BlindingPool

    def request(self, sql: str = SQL, **more: object) -> Envelope:
        key = SealingKey.from_seed(HYBRID, secrets.token_bytes(SEED_BYTES[HYBRID])).public
        reply_key = sealing_pb2.SealingPublicKey(kind=key.kind, data=key.data)
        fields = {"audience": sorted((*REGIONS, "broker")), "reply_key": reply_key, **more}
        return self.asker.seal(make_request(sql, **fields))  # type: ignore[arg-type]  # as given

    def invitation(self, request: Envelope | None = None, attempt: int = 0) -> Invitation:
        """As an honest broker makes it."""
        request = self.request() if request is None else request
        trust, moment = self.nodes["guangzhou"].gatekeeper.trust(), now_ms()
        asked = read_question(open_request(request, trust, moment), moment, "broker")
        assert isinstance(asked, AskedOverlap)
        sides = sides_offered(asked.query, self.offers())
        plan = plan_of(asked, attempt, sides).plan
        return Invitation(
            plan=plan.to_message(),
            request=request,
            offers=[each.envelope for side in sides.values() for each in side.published],
            deadline_ms=60_000,
            credit=10**6,
        )

    def offers(self) -> list[RegionOffer]:
        return [
            open_offer(each.offer, region, node.gatekeeper.trust(), now_ms())
            for region, node in self.nodes.items()
            for each in node.gatekeeper.catalogue.products.values()
        ]

    def invited(self, invitation: Invitation, region: str = "guangzhou") -> GateInvited:
        gate = OverlapGate(self.nodes[region].gatekeeper, self.pool)
        return gate(invitation, lambda *_: None, Cancellation())

    def part(self, invitation: Invitation | None = None) -> GatePart:
        """The part that a node takes in a round."""
        part = self.invited(invitation or self.invitation()).admit()
        assert isinstance(part, GatePart)
        return part

    def code(self, invitation: Invitation, region: str = "guangzhou") -> str:
        """What the gate says to an invitation; nothing where it takes part."""
        try:
            self.invited(invitation, region).admit()
        except DataspaceError as error:
            return f"{error.kind} {error.code}"
        return ""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    space = still_copy(tmp_path_factory.mktemp("rounds"))
    nodes = {region: Node.open(PartyHome(space.home / region)) for region in REGIONS}
    for region, node in nodes.items():
        node.in_force.take(fresh_lists(space.home, now_ms()))
        node.governance.take(broker_pb2.Welcome(agreements=agreements_of(space, region)))
    with BlindingPool(2) as pool:
        yield World(nodes, Asker.of(space), pool)
    for node in nodes.values():
        node.close()


def hold_round(
    world: World, lie: Callable[[linkage_pb2.OverlapCounts], None] = lambda _: None
) -> tuple[RoundEnd, dict[str, linkage_pb2.OverlapPartial | query_pb2.Refusal]]:
    """One round whose broker may lie about its counts; what each node signed."""
    invitation = world.invitation()
    gates = {
        region: OverlapGate(node.gatekeeper, world.pool) for region, node in world.nodes.items()
    }
    end = asyncio.run(held(gates, invitation, world.nodes["guangzhou"].gatekeeper, world.pool, lie))
    signed: dict[str, linkage_pb2.OverlapPartial | query_pb2.Refusal] = {}
    for region, answer in end.answers.items():
        refused = answer.body.payload_type.endswith(".refusal.v1+protobuf")
        kind = query_pb2.Refusal if refused else linkage_pb2.OverlapPartial
        signed[region] = kind.FromString(answer.body.payload)
    return end, signed
