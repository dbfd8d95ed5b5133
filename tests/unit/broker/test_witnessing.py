"""What one node may have the broker carry and keep of its log at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from broker import witnessing
from broker.attached import AttachedNode
from broker.witnesses import BUSY
from broker.witnessing import Witnessing
from dataspace.errors import Malformed
from dataspace.v1 import broker_pb2


class Slow:
    """Witnesses that never answer, and copies that take nothing."""

    size = 0
    asked = 0

    async def ask(self, _name: str, _request: bytes) -> broker_pb2.WitnessReply:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    def take(self, *_: object) -> None:
        raise Malformed("no", code="no")


def test_a_node_that_floods_with_updates_of_its_log_is_put_out() -> None:
    async def run() -> None:
        slow: Any = Slow()
        carrier = Witnessing(slow, slow, Path(), {"macao": slow})
        node = AttachedNode("macao", "uri")
        for _ in range(witnessing._MOST_UPDATES):
            carrier.mirror(node, broker_pb2.LogUpdate())
        assert not node.ended.is_set()
        carrier.mirror(node, broker_pb2.LogUpdate())
        assert node.ended.is_set()

    asyncio.run(run())


def test_so_many_requests_of_a_node_are_carried_at_once_and_no_more() -> None:
    async def run() -> None:
        slow: Any = Slow()
        carrier, node = Witnessing(slow, slow, Path()), AttachedNode("macao", "uri")
        ask = broker_pb2.NodeFrame(call=1, witness_ask=broker_pb2.WitnessAsk(witness="w"))
        for _ in range(witnessing._MOST_CARRIED + 3):
            carrier.relay(node, ask)
        await asyncio.sleep(0)
        assert slow.asked == witnessing._MOST_CARRIED
        told = [node.outgoing.get_nowait().witness_reply.status for _ in range(3)]
        assert told == [BUSY] * 3
        assert node.outgoing.empty()
        other = AttachedNode("hongkong", "uri")
        carrier.relay(other, ask)
        await asyncio.sleep(0)
        assert slow.asked == witnessing._MOST_CARRIED + 1
        for task in carrier._tasks:
            task.cancel()

    asyncio.run(run())
