"""What nodes would do across regions, as the broker asks for it: an answer each, and no round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from broker.asking import Told
from broker.attached import Attached, AttachedNode
from broker.deadlines import Until
from broker.explaining import explained
from broker.heard import Heard
from dataspace.evidence.answers import Body, CheckedAnswer
from dataspace.v1 import broker_pb2, linkage_pb2, query_pb2

PLAN = linkage_pb2.RoundPlan(regions=["guangzhou", "macao"], request_sha256=bytes(32))
Frame = broker_pb2.NodeFrame


def _answer(call: int) -> Frame:
    data = query_pb2.NodeAnswer().SerializeToString()
    return Frame(call=call, chunk=broker_pb2.Chunk(data=data, last=True))


def _join(call: int) -> Frame:
    frame = broker_pb2.RoundFrame()
    frame.join.payload = b"here is whom we have"
    return Frame(call=call, round=frame)


def _ask(say: Callable[[int], Frame] | None, body: Body, seconds: float = 5.0) -> dict[str, Heard]:
    """Macao says this; guangzhou is not there."""

    async def check(_: query_pb2.NodeAnswer, region: str, __: bytes) -> CheckedAnswer:
        return CheckedAnswer(region, b"x" * 32, body)

    async def ask() -> list[Told]:
        attached, node = Attached(), AttachedNode("macao", "gba://macao/h1/node/n")
        attached.add(node)

        async def speak() -> None:
            invited = await node.outgoing.get()
            assert invited.round.invitation.plan == PLAN
            if say is not None:
                node.receive(say(invited.call))

        speaking = asyncio.create_task(speak())
        invitation = linkage_pb2.RoundInvitation(plan=PLAN)
        told = [each async for each in explained(invitation, attached, Until.after(seconds), check)]
        await speaking
        return told

    return {each.region: each for each in asyncio.run(ask()) if isinstance(each, Heard)}


def test_each_region_is_told_of_once_and_whoever_is_away_is_named() -> None:
    heard = _ask(_answer, query_pb2.Explanation(region="macao"))
    assert heard["macao"].outcome.status == "released"
    assert heard["macao"].answer is not None
    assert heard["guangzhou"].outcome.status == "unreachable"
    assert heard["guangzhou"].answer is None


def test_a_node_that_begins_a_round_instead_is_not_listened_to() -> None:
    heard = _ask(_join, query_pb2.Explanation(region="macao"))
    assert heard["macao"].outcome.status == "unverified"
    assert heard["macao"].answer is None


@pytest.mark.parametrize("body", [linkage_pb2.OverlapPartial(), query_pb2.Partial()])
def test_cells_are_no_explanation(body: Body) -> None:
    heard = _ask(_answer, body)
    assert heard["macao"].outcome.status == "unverified"
    assert heard["macao"].answer is None


def test_a_node_that_says_nothing_is_waited_for_no_longer_than_asked() -> None:
    heard = _ask(None, query_pb2.Explanation(), seconds=0.2)
    assert heard["macao"].outcome.status == "timeout"
