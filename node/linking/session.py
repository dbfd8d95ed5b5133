"""One round at one node, from its join to its answer. For one event loop. Rim.

    selected, committed, on record -> joined -> started -> passed on -> counts
                                   -> disclosed, signed, on record -> answered

What is decided, selected and recorded is the gate's (`node.linking.gate`); here is who waits for
what. All that a round knows goes with its session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from google.protobuf.message import DecodeError

from dataspace.errors import Unverified
from dataspace.linkage.hops import Place
from dataspace.linkage.keyed import contribute, read_contribution, send, slot_keys
from dataspace.linkage.padding import padding_note, read_padding
from dataspace.linkage.ring import Participant, Work
from dataspace.linkage.rounds import KEYED, Transcript
from dataspace.v1 import broker_pb2, linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.blinding import BlindingPool
from node.linking.part import Part
from node.linking.passing import Passing
from node.linking.windows import CHUNKS_UNDER_WAY, Windows

_MOST_WAITING = 4 * CHUNKS_UNDER_WAY  # messages of a round that nobody has looked at yet

Send = Callable[[broker_pb2.RoundFrame], None]
Tell = Callable[[str, float], None]


class RoundSession:
    """`send` hands a frame to the stream, `tell` hears of progress."""

    def __init__(self, part: Part, pool: BlindingPool, send: Send, tell: Tell) -> None:
        self._part, self._pool, self._send, self._tell = part, pool, send, tell
        self._windows = Windows()
        loop = asyncio.get_running_loop()
        self._start: asyncio.Future[linkage_pb2.RoundStart] = loop.create_future()
        self._counts: asyncio.Future[linkage_pb2.OverlapCounts] = loop.create_future()
        self._contributions: asyncio.Queue[Envelope] = asyncio.Queue()
        self._paddings: asyncio.Queue[Envelope] = asyncio.Queue()
        self._others = [each for each in part.plan.regions if each != part.region]
        self._arriving: dict[str, asyncio.Queue[Envelope]] = {
            stream: asyncio.Queue() for stream in self._others
        }
        self._flooded: asyncio.Future[None] = loop.create_future()
        self._receive: Callable[[Envelope], object] = lambda _: None

    def receive(self, frame: broker_pb2.RoundFrame) -> None:
        """A message of the round, or of whoever pretends: it is looked at in its turn."""
        match frame.WhichOneof("body"):
            case "start" if not self._start.done():
                self._start.set_result(frame.start)
            case "counts" if not self._counts.done():
                self._counts.set_result(frame.counts)
            case "hop":
                self._keep(self._stream_of(frame.hop), frame.hop)
            case "contribution":
                self._keep(self._contributions, frame.contribution)
            case "padding":
                self._keep(self._paddings, frame.padding)
            case "taken":
                self._windows.give(frame.taken.stream, frame.taken.hop, frame.taken.chunks)

    async def run(self) -> query_pb2.NodeAnswer:
        """The node's answer. Raises `Unverified` with the first thing that does not fit."""
        running = asyncio.ensure_future(self._run())
        try:
            either: set[asyncio.Future[Any]] = {running, self._flooded}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                self._flooded.result()
            return await running
        finally:
            running.cancel()
            self._flooded.cancel()

    async def _run(self) -> query_pb2.NodeAnswer:
        part = self._part
        join = await asyncio.to_thread(part.join)
        self._send(broker_pb2.RoundFrame(join=join))
        start = await self._start
        transcript = await asyncio.to_thread(part.reader.agree, part.plan, start.joins, join)
        dummies = await self._tell_dummies(transcript)
        if part.plan.tier == KEYED:
            await self._tag(transcript)
        else:
            await self._ring(transcript)
        counts = await self._counts
        await asyncio.to_thread(self._look_at_rest)
        if counts.transcript != transcript.digest:
            raise Unverified("the broker's counts are of another round", code="ring-other-round")
        dummies |= await self._hear_dummies(transcript)
        return await asyncio.to_thread(part.release, transcript, counts, dummies)

    async def _tell_dummies(self, transcript: Transcript) -> dict[bytes, int]:
        """Tell the other nodes, where this one's sizes are padded; its own dummies by code."""
        part = self._part
        own = transcript.join(part.region)
        if not own.padded:
            return {}
        dummies = part.dummies()
        for region in self._others:
            note = padding_note(transcript, part.region, region, dummies)
            envelope = await asyncio.to_thread(part.sign, note)
            self._send(broker_pb2.RoundFrame(padding=envelope))
        return {batch.code: each for batch, each in zip(own.batches, dummies, strict=True)}

    async def _hear_dummies(self, transcript: Transcript) -> dict[bytes, int]:
        waiting = {each for each in self._others if transcript.join(each).padded}
        found: dict[bytes, int] = {}
        while waiting:
            note, signer = await asyncio.to_thread(
                self._part.reader.open, await self._paddings.get(), linkage_pb2.PaddingNote
            )
            key = self._part.drawn.sealing
            found |= read_padding(note, signer, transcript, self._part.region, key)
            waiting.discard(signer.region)
        return found

    async def _ring(self, transcript: Transcript) -> None:
        part = self._part
        drawn = part.drawn
        participant = Participant(transcript, part.region, drawn.sealing, drawn.shuffle_seed)

        def receive(envelope: Envelope) -> Work:
            chunk, signer = part.reader.open(envelope, linkage_pb2.HopChunk)
            return participant.receive(chunk, signer)

        passing = Passing(
            transcript, participant, drawn.scalar, self._pool, self._windows, self._arriving,
            receive, self._signed, self._leave, self._taken, self._tell,
        )  # fmt: skip
        await passing.run(await asyncio.to_thread(part.batches))
        self._receive = receive

    async def _tag(self, transcript: Transcript) -> None:
        part, own = self._part, self._part.drawn.contribution
        contributions = {part.region: own}
        for region in self._others:
            message = contribute(transcript, part.region, region, own)
            envelope = await asyncio.to_thread(part.sign, message)
            self._send(broker_pb2.RoundFrame(contribution=envelope))
        while len(contributions) < len(part.plan.regions):
            envelope = await self._contributions.get()
            message, signer = await asyncio.to_thread(
                part.reader.open, envelope, linkage_pb2.KeyContribution
            )
            contributions[signer.region] = read_contribution(
                message, signer, transcript, part.region, part.drawn.sealing
            )
        self._tell("hashing", 0.0)
        tags = await asyncio.to_thread(part.tags, slot_keys(transcript, contributions))
        leaving = send(transcript, part.region, tags, part.drawn.shuffle_seed)
        while (chunk := await asyncio.to_thread(next, leaving, None)) is not None:
            place, data = chunk
            await self._windows.take(place.stream, place.hop)
            self._leave(place, await asyncio.to_thread(self._signed, place, data))

    def _look_at_rest(self) -> None:
        """What came after all had come: whoever looks at it says what is wrong with it."""
        for waiting in self._arriving.values():
            if not waiting.empty():
                self._receive(waiting.get_nowait())

    def _signed(self, place: Place, points: bytes) -> Envelope:
        return self._part.sign(place.message(points))

    def _leave(self, place: Place, envelope: Envelope) -> None:
        last = place.hop + 1 == len(place.transcript.plan.route(place.stream))
        if last:
            self._send(broker_pb2.RoundFrame(blinded=envelope))
        else:
            self._send(broker_pb2.RoundFrame(hop=envelope))

    def _taken(self, stream: str, hop: int) -> None:
        taken = linkage_pb2.ChunksTaken(stream=stream, hop=hop, chunks=1)
        self._send(broker_pb2.RoundFrame(taken=taken))

    def _stream_of(self, envelope: Envelope) -> asyncio.Queue[Envelope]:
        """Where a chunk waits: by what it says, which is verified when its turn comes."""
        chunk = linkage_pb2.HopChunk()
        with suppress(DecodeError):
            chunk.ParseFromString(envelope.payload)
        # One that names no stream of the round is refused by the first that looks at it.
        return self._arriving.get(chunk.place.stream, next(iter(self._arriving.values())))

    def _keep(self, where: asyncio.Queue[Envelope], envelope: Envelope) -> None:
        # SECURITY: who sends more than was asked for would fill this node's memory.
        if where.qsize() < _MOST_WAITING:
            where.put_nowait(envelope)
        elif not self._flooded.done():
            self._flooded.set_exception(
                Unverified("more chunks came than this node asked for", code="ring-flooded")
            )
