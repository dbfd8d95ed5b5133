"""Nodes that are attached now: one stream each, many calls over it. Rim.

Every call has a number, a queue of what came back, and credit: a node sends no more of an
answer than the broker has room for.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from dataspace.channels import MAX_MESSAGE_BYTES
from dataspace.errors import Unavailable, Unverified
from dataspace.evidence.answers import error_of
from dataspace.v1 import broker_pb2, linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

CREDIT_BYTES = 256 * 1024
_MOST_FRAMES = 1024  # unread of one call: far more than credit and progress come to

Heard = query_pb2.Progress | query_pb2.NodeAnswer
RoundHeard = Heard | broker_pb2.RoundFrame


@dataclass
class _Call:
    """One question to one node, and the pieces of its answer so far."""

    inbox: asyncio.Queue[broker_pb2.NodeFrame | None] = field(default_factory=asyncio.Queue)
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    ended: bool = False


class AttachedNode:
    """One node's stream. For one event loop."""

    def __init__(self, region: str, uri: str) -> None:
        self.region = region
        self.uri = uri
        self.outgoing: asyncio.Queue[broker_pb2.BrokerFrame] = asyncio.Queue(maxsize=1024)
        self.ended = asyncio.Event()
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count(1)

    async def ask(self, envelope: Envelope, deadline_ms: int) -> AsyncGenerator[Heard, None]:
        """Forward a request byte for byte; yields progress, then the answer.

        Raises `Unavailable` where the node goes away or could not record; closing the
        iterator cancels the call at the node.
        """
        ask = broker_pb2.Ask(request=envelope, deadline_ms=deadline_ms, credit=CREDIT_BYTES)
        async with aclosing(self._begin(broker_pb2.BrokerFrame(ask=ask)).heard()) as told:
            async for heard in told:
                if not isinstance(heard, broker_pb2.RoundFrame):
                    yield heard

    def begin_round(self, invitation: linkage_pb2.RoundInvitation) -> Conversation:
        """Invite the node to a round. Raises `Unavailable` where it does not keep up."""
        frame = broker_pb2.RoundFrame(invitation=invitation)
        return self._begin(broker_pb2.BrokerFrame(round=frame))

    def _begin(self, first: broker_pb2.BrokerFrame) -> Conversation:
        number = next(self._numbers)
        call = self._calls[number] = _Call()
        first.call = number
        if self.ended.is_set():
            call.inbox.put_nowait(None)
        try:
            self._send(first)
        except Unavailable:
            del self._calls[number]
            raise
        return Conversation(self, number, call)

    def _end(self, number: int) -> None:
        call = self._calls.pop(number, None)
        if call is not None and not call.ended:
            with suppress(Unavailable):  # then the node keeps what its deadline lets it keep
                self._send(broker_pb2.BrokerFrame(call=number, cancel=broker_pb2.Cancel()))

    def receive(self, frame: broker_pb2.NodeFrame) -> None:
        """A frame of the node; frames of calls that have ended are dropped."""
        call = self._calls.get(frame.call)
        if call is None:
            return
        # SECURITY: a node that floods a call with frames would fill the broker's memory.
        if call.inbox.qsize() >= _MOST_FRAMES:
            self.close()
        else:
            call.inbox.put_nowait(frame)

    def hand(self, held: broker_pb2.Held) -> None:
        """Hand on what others hold; one that does not keep up gets it when it attaches again."""
        try:
            self._send(broker_pb2.BrokerFrame(held=held))
        except Unavailable:
            self.close()

    def close(self) -> None:
        """The stream is gone or has to go: every call hears of it."""
        self.ended.set()
        for call in self._calls.values():
            call.inbox.put_nowait(None)

    def _send(self, frame: broker_pb2.BrokerFrame) -> None:
        try:
            self.outgoing.put_nowait(frame)
        except asyncio.QueueFull:
            raise Unavailable(
                f"{self.region} does not keep up; retry after 2 s", code="busy"
            ) from None

    def _hear(self, number: int, call: _Call, frame: broker_pb2.NodeFrame) -> RoundHeard | None:
        match frame.WhichOneof("body"):
            case "progress":
                progress = frame.progress
                progress.region = self.region  # a node speaks for itself alone
                return progress
            case "failure":
                call.ended = True
                raise error_of(frame.failure)
            case "chunk":
                return self._piece(number, call, frame.chunk)
            case "round":
                return frame.round
        return None

    def _piece(
        self, number: int, call: _Call, chunk: broker_pb2.Chunk
    ) -> query_pb2.NodeAnswer | None:
        call.pieces.append(chunk.data)
        call.size += len(chunk.data)
        if call.size > MAX_MESSAGE_BYTES:
            raise Unavailable(f"the answer of {self.region} is too large", code="too-large")
        if not chunk.last:
            credit = broker_pb2.Credit(bytes=len(chunk.data))
            self._send(broker_pb2.BrokerFrame(call=number, credit=credit))
            return None
        call.ended = True
        try:
            return query_pb2.NodeAnswer.FromString(b"".join(call.pieces))
        except DecodeError:
            raise Unverified(
                f"the answer of {self.region} cannot be read", code="partial-form"
            ) from None


@dataclass(frozen=True)
class Conversation:
    """One call to one node, for as long as `heard` is listened to."""

    _node: AttachedNode
    _number: int
    _call: _Call

    async def heard(self) -> AsyncGenerator[RoundHeard, None]:
        """What comes, until the answer. Raises `Unavailable` where the node goes away or fails.

        Closing the iterator cancels the call at the node.
        """
        node, number, call = self._node, self._number, self._call
        try:
            while True:
                frame = await call.inbox.get()
                if frame is None:
                    call.ended = True
                    raise Unavailable(f"{node.region} went away", code="node-gone")
                heard = node._hear(number, call, frame)
                if heard is not None:
                    yield heard
                if isinstance(heard, query_pb2.NodeAnswer):
                    return
        finally:
            node._end(number)

    def send(self, frame: broker_pb2.RoundFrame) -> None:
        """Pass a message of a round on. Raises `Unavailable` where the node does not keep up."""
        self._node._send(broker_pb2.BrokerFrame(call=self._number, round=frame))


class Attached:
    """The nodes that are attached now, by region."""

    def __init__(self) -> None:
        self._nodes: dict[str, AttachedNode] = {}

    def add(self, node: AttachedNode) -> None:
        """A node attached; a stream that it had before is closed."""
        previous = self._nodes.get(node.region)
        self._nodes[node.region] = node
        if previous is not None:
            previous.close()

    def remove(self, node: AttachedNode) -> None:
        """A node's stream ended."""
        node.close()
        if self._nodes.get(node.region) is node:
            del self._nodes[node.region]

    def find(self, region: str) -> AttachedNode | None:
        """The node of a region, if it is there."""
        return self._nodes.get(region)

    def regions(self) -> list[str]:
        """Regions whose node is attached."""
        return sorted(self._nodes)

    def close(self) -> None:
        """The broker stops: every stream ends."""
        for node in self._nodes.values():
            node.close()
