"""What nodes hand on is verified piece by piece, and a flood of it ends the node's stream."""

from __future__ import annotations

import asyncio
from typing import Any

from broker.attached import Attached, AttachedNode
from broker.handed import HandedOn
from dataspace.errors import Unverified
from dataspace.v1 import broker_pb2
from dataspace.v1.agreement_pb2 import AgreementChain
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists

BAD = Envelope(payload=b"bad")
GOOD = Envelope(payload=b"good")


class Party:
    """The broker's belief, agreements and charters; what is bad verifies nowhere."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.charters: list[Envelope] = []
        self.chains: list[AgreementChain] = []

    def _take(self, kind: str, envelope: Envelope) -> None:
        if envelope == BAD:
            raise Unverified("bad", code="bad")
        self.taken.append(kind)

    def receive(self, lists: RevocationLists) -> None:
        for each in lists.lists:
            self._take("list", each)

    def take_chain(self, envelopes: Any, _now_ms: int) -> int:
        kind = "step" if len(envelopes) == 1 else "charter"
        for each in envelopes:
            self._take(kind, each)
        if kind == "charter":
            self.charters += envelopes
        else:
            self.chains.append(AgreementChain(steps=envelopes))
        return len(envelopes)

    def of_region(self, region: str) -> list[AgreementChain]:
        return self.chains if region != "guangzhou" else []


def test_what_does_not_verify_stops_nothing_else() -> None:
    async def work() -> list[str]:
        party: Any = Party()
        handed, node = HandedOn(party, party, party), AttachedNode("macao", "uri")
        held = broker_pb2.Held(
            revocations=RevocationLists(lists=[GOOD]),
            charters=[BAD, GOOD],
            agreements=[AgreementChain(steps=[BAD]), AgreementChain(steps=[GOOD])],
        )
        handed.receive(node, held)
        handed.receive(node, broker_pb2.Held(charters=[GOOD, GOOD]))
        task = asyncio.create_task(handed.run())
        await asyncio.sleep(0.2)
        task.cancel()
        assert not node.ended.is_set()
        found: list[str] = party.taken
        return found

    assert asyncio.run(work()) == ["list", "step", "charter", "charter"]


def test_news_goes_on_to_the_parties_that_are_attached_and_to_nobody_else() -> None:
    async def work() -> dict[str, list[broker_pb2.Held]]:
        party: Any = Party()
        attached = Attached()
        nodes = {each: AttachedNode(each, "uri") for each in ("guangzhou", "hongkong", "macao")}
        for node in nodes.values():
            attached.add(node)
        handed = HandedOn(party, party, party, attached)
        handed.receive(nodes["macao"], broker_pb2.Held(agreements=[AgreementChain(steps=[GOOD])]))
        handed.receive(nodes["macao"], broker_pb2.Held(agreements=[AgreementChain(steps=[BAD])]))
        late = AttachedNode("hongkong", "uri")
        handed.catch_up(late, handed.news, [])
        welcomed = handed.news  # and then comes news, before that node counts as attached
        task = asyncio.create_task(handed.run())
        await asyncio.sleep(0.2)
        task.cancel()
        handed.catch_up(late, welcomed, [])
        return {
            name: [node.outgoing.get_nowait().held for _ in range(node.outgoing.qsize())]
            for name, node in {**nodes, "late": late}.items()
        }

    told = asyncio.run(work())
    assert told["macao"] == told["guangzhou"] == []
    assert [held.agreements[0].steps[0] for held in told["hongkong"]] == [GOOD]
    assert told["late"] == told["hongkong"]


def test_a_node_that_floods_is_put_out() -> None:
    async def work() -> bool:
        party: Any = Party()
        handed, node = HandedOn(party, party, party), AttachedNode("macao", "uri")
        for _ in range(1000):
            handed.receive(node, broker_pb2.Held())
        return node.ended.is_set()

    assert asyncio.run(work())
