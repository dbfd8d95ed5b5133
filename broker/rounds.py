"""One attempt of a round at the broker: invite, pass on, collect, match, hand out counts. Rim.

The broker carries sealed chunks that it cannot open, and reads only the last hop of each stream:
one-time pseudonyms. Whatever does not fit is found by whom it comes to, and ends the attempt.
For one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from broker.attached import AttachedNode, Conversation
from dataspace.errors import DataspaceError, Unavailable, Unverified
from dataspace.evidence.round_messages import RoundReader
from dataspace.identity.dsse import payload_type_of
from dataspace.linkage.ring import Collector
from dataspace.linkage.rounds import RoundPlan, Transcript
from dataspace.v1 import broker_pb2, linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

M = TypeVar("M", bound=Message)

_REFUSAL = payload_type_of(query_pb2.Refusal)
_LAST_WORDS_SECONDS = 0.5  # for the other nodes, once one has ended the attempt

OnProgress = Callable[[query_pb2.Progress], None]
# Counts in a thread, and records, before anything is handed to the nodes.
Match = Callable[[Transcript, Collector], Awaitable[linkage_pb2.OverlapCounts]]


@dataclass
class RoundEnd:
    """What an attempt came to: each region's answer, or why there is none."""

    plan: RoundPlan
    answers: dict[str, query_pb2.NodeAnswer] = field(default_factory=dict)
    failures: dict[str, DataspaceError] = field(default_factory=dict)
    transcript: Transcript | None = None
    carried: int = 0  # bytes of chunks
    late: bool = False

    @property
    def whole(self) -> bool:
        """Whether every region has released its share."""
        return len(self.answers) == len(self.plan.regions) and not self.refused

    @property
    def may_be_tried_again(self) -> bool:
        """Whether nothing but nodes that went away stood in the way."""
        gone = bool(self.failures) and not self.late and not self.refused
        return gone and all(each.code == "node-gone" for each in self.failures.values())

    @property
    def refused(self) -> list[str]:
        """The regions that said no, signed."""
        return sorted(
            region for region, each in self.answers.items() if each.body.payload_type == _REFUSAL
        )


@dataclass
class Round:
    """One attempt. `reader` verifies what nodes sign."""

    plan: RoundPlan
    reader: RoundReader
    match: Match
    on_progress: OnProgress
    end: RoundEnd = field(init=False)
    _calls: dict[str, Conversation] = field(default_factory=dict)
    _joins: dict[str, Envelope] = field(default_factory=dict)
    _collector: Collector | None = None
    _complete: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.end = RoundEnd(self.plan)

    async def run(
        self, nodes: Mapping[str, AttachedNode], invitation: linkage_pb2.RoundInvitation
    ) -> RoundEnd:
        """Until every node has answered, or one could not or would not."""
        for region in self.plan.regions:
            try:
                self._calls[region] = nodes[region].begin_round(invitation)
            except DataspaceError as error:
                self.end.failures[region] = error
        tasks = {
            asyncio.create_task(self._listen(region, call)): region
            for region, call in self._calls.items()
        }
        matching = asyncio.create_task(self._match_all())
        try:
            await self._until_over({**tasks, matching: ""})
        finally:
            for task in (*tasks, matching):
                task.cancel()
            await asyncio.gather(*tasks, matching, return_exceptions=True)
        return self.end

    async def _until_over(self, tasks: Mapping[asyncio.Task[None], str]) -> None:
        waiting, ends = set(tasks), self.end
        over = bool(ends.failures)
        while waiting:
            done, waiting = await asyncio.wait(
                waiting,
                timeout=_LAST_WORDS_SECONDS if over else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                error = task.exception()
                if isinstance(error, DataspaceError):
                    ends.failures[tasks[task]] = error
                elif error is not None:
                    raise error
            if not done or ends.whole:
                return
            over = over or bool(ends.failures or ends.refused)

    async def _listen(self, region: str, call: Conversation) -> None:
        async with aclosing(call.heard()) as told:
            async for heard in told:
                if isinstance(heard, query_pb2.Progress):
                    self.on_progress(heard)
                elif isinstance(heard, query_pb2.NodeAnswer):
                    self.end.answers[region] = heard
                    return
                else:
                    await self._take(region, heard)
        raise Unavailable(f"{region} went away", code="node-gone")

    async def _take(self, region: str, frame: broker_pb2.RoundFrame) -> None:
        match frame.WhichOneof("body"):
            case "join":
                await self._join(region, frame.join)
            case "hop":
                self._carry(region, frame)
            case "blinded":
                await self._collect(region, frame.blinded)
            case "contribution":
                to = _read(region, frame.contribution, linkage_pb2.KeyContribution).to
                self._carry_note(region, to, frame)
            case "padding":
                to = _read(region, frame.padding, linkage_pb2.PaddingNote).to
                self._carry_note(region, to, frame)
            case "taken":
                self._told_taken(region, frame.taken)
            case _:
                raise _unfit(region, "sends what no node sends")

    async def _join(self, region: str, join: Envelope) -> None:
        joined = await asyncio.to_thread(self.reader.join, join)
        if joined.region != region or region in self._joins:
            raise _unfit(region, "joins for another, or twice")
        self._joins[region] = join
        if len(self._joins) < len(self.plan.regions):
            return
        joins = [self._joins[each] for each in self.plan.regions]
        transcript = await asyncio.to_thread(self.reader.agree, self.plan, joins)
        self.end.transcript, self._collector = transcript, Collector(transcript)
        start = broker_pb2.RoundFrame(start=linkage_pb2.RoundStart(joins=joins))
        for call in self._calls.values():
            call.send(start)
        self._look_whether_complete()

    def _carry(self, region: str, frame: broker_pb2.RoundFrame) -> None:
        """A sealed chunk to the node that its place says; that node verifies all the rest."""
        chunk = _read(region, frame.hop, linkage_pb2.HopChunk)
        place = chunk.place
        route = self._route(region, place.stream)
        if not (place.hop + 1 < len(route) and route[place.hop] == region):
            raise _unfit(region, "sends a chunk that is not its to send")
        self.end.carried += len(frame.hop.payload)
        self._calls[route[place.hop + 1]].send(frame)

    async def _collect(self, region: str, envelope: Envelope) -> None:
        collector = self._collector
        if collector is None:
            raise _unfit(region, "sends a chunk before the round began")
        chunk, signer = await asyncio.to_thread(
            self.reader.open, envelope, linkage_pb2.BlindedChunk
        )
        await asyncio.to_thread(collector.receive, chunk, signer)
        self.end.carried += len(envelope.payload)
        taken = linkage_pb2.ChunksTaken(stream=chunk.place.stream, hop=chunk.place.hop, chunks=1)
        self._calls[region].send(broker_pb2.RoundFrame(taken=taken))
        self._look_whether_complete()

    def _carry_note(self, region: str, to: str, frame: broker_pb2.RoundFrame) -> None:
        if to not in self._calls or to == region or self.end.transcript is None:
            raise _unfit(region, "sends a note to nobody")
        self._calls[to].send(frame)

    def _told_taken(self, region: str, taken: linkage_pb2.ChunksTaken) -> None:
        route = self._route(region, taken.stream)
        if not (taken.hop + 1 < len(route) and route[taken.hop + 1] == region):
            raise _unfit(region, "takes chunks that did not come to it")
        self._calls[route[taken.hop]].send(broker_pb2.RoundFrame(taken=taken))

    def _route(self, region: str, stream: str) -> tuple[str, ...]:
        if self.end.transcript is None or stream not in self.plan.regions:
            raise _unfit(region, "names a stream that is not of this round")
        return self.plan.route(stream)

    def _look_whether_complete(self) -> None:
        if self._collector is not None and self._collector.complete:
            self._complete.set()

    async def _match_all(self) -> None:
        await self._complete.wait()
        transcript, collector = self.end.transcript, self._collector
        if transcript is None or collector is None:
            raise RuntimeError("complete before it began")
        counts = await self.match(transcript, collector)
        self._collector = None  # what was matched is not kept
        for call in self._calls.values():
            call.send(broker_pb2.RoundFrame(counts=counts))


def _read(region: str, envelope: Envelope, kind: type[M]) -> M:
    """What a message says of itself, for its way alone: nothing of it is verified here."""
    message = kind()
    try:
        message.ParseFromString(envelope.payload)
    except DecodeError:
        raise _unfit(region, "sends what cannot be read") from None
    return message


def _unfit(region: str, what: str) -> Unverified:
    return Unverified(f"{region} {what}; the round is given up", code="ring-wrong-node")
