"""What one node may send over its stream, and what of it is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from broker import attached
from broker.attached import AttachedNode
from dataspace.errors import Unavailable
from dataspace.v1 import broker_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope


async def asked(node: AttachedNode) -> tuple[AsyncGenerator[Any, None], int]:
    """A question that is on its way, and the number of its call."""
    told = node.ask(Envelope(), 1000)
    first = asyncio.ensure_future(anext(told))
    await asyncio.sleep(0)
    call = node.outgoing.get_nowait().call
    node.receive(broker_pb2.NodeFrame(call=call, progress=query_pb2.Progress(region="guangzhou")))
    progress = await first
    # A node speaks for itself alone, whatever it says.
    assert isinstance(progress, query_pb2.Progress)
    assert progress.region == "macao"
    return told, call


def test_a_node_that_floods_a_call_with_frames_is_put_out() -> None:
    async def run() -> None:
        node = AttachedNode("macao", "uri")
        told, call = await asked(node)
        for _ in range(attached._MOST_FRAMES):
            node.receive(broker_pb2.NodeFrame(call=call))
        assert not node.ended.is_set()
        node.receive(broker_pb2.NodeFrame(call=call))
        assert node.ended.is_set()
        await told.aclose()

    asyncio.run(run())


def test_an_answer_is_no_larger_than_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "MAX_MESSAGE_BYTES", 1000)

    async def run() -> None:
        node = AttachedNode("macao", "uri")
        told, call = await asked(node)
        for number in range(3):
            chunk = broker_pb2.Chunk(data=bytes(400), last=number == 2)
            node.receive(broker_pb2.NodeFrame(call=call, chunk=chunk))
        with pytest.raises(Unavailable) as caught:
            await anext(told)
        assert caught.value.code == "too-large"

    asyncio.run(run())
