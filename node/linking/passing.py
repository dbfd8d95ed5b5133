"""A node's part in the ring once everybody has joined: blinding, shuffling, passing on. Rim.

Own tuples leave chunk by chunk as they are blinded; the streams of others are held whole. All
multiplying is done by the workers, all signing and opening by threads: the event loop waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from dataspace.linkage.hops import Place
from dataspace.linkage.ring import Participant, Work
from dataspace.linkage.rounds import Transcript
from dataspace.linkage.tuples import Tuples
from dataspace.v1.envelope_pb2 import Envelope
from node.blinding import BlindingPool
from node.linking.windows import Windows

_BATCHES_AHEAD = 2  # for each worker


@dataclass
class Passing:
    """One round's ring at one node. For one event loop."""

    transcript: Transcript
    participant: Participant
    scalar: bytes
    pool: BlindingPool
    windows: Windows
    arriving: dict[str, asyncio.Queue[Envelope]]  # chunks of others, by stream
    # In a thread: open an envelope, verify it, and say what is to be blinded.
    receive: Callable[[Envelope], Work]
    # In a thread: seal and sign; on the loop: hand over.
    signed: Callable[[Place, bytes], Envelope]
    send: Callable[[Place, Envelope], None]
    taken: Callable[[str, int], None]
    tell: Callable[[str, float], None]

    async def run(self, own: Sequence[Tuples]) -> None:
        """Until all is passed on. Raises what the first thing that does not fit comes to."""
        region = self.participant.region
        others = [stream for stream in self.transcript.plan.regions if stream != region]
        tasks = [asyncio.ensure_future(self._send_own(own))]
        tasks += [asyncio.ensure_future(self._pass_on(stream)) for stream in others]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.participant.finish()

    async def _send_own(self, own: Sequence[Tuples]) -> None:
        region = self.participant.region
        works = await asyncio.to_thread(self.participant.begin, own)
        line, left = _Line(self), _Share(self, region, "blinding")
        for work in works:
            for finished, points in await line.put(work):
                left.add(await self._leave(finished, points))
        async for finished, points in line.rest():
            left.add(await self._leave(finished, points))

    async def _pass_on(self, stream: str) -> None:
        arriving = self.arriving[stream]
        line, passed = _Line(self), _Share(self, stream, "passing")
        for _ in self.transcript.chunks(stream):
            envelope = await arriving.get()
            work = await asyncio.to_thread(self.receive, envelope)
            ready = await line.put(work)
            # Only now: as many are under way as the workers keep up with.
            self.taken(stream, work.hop - 1)
            passed.add(work.shape.tuples / 2)
            for finished, points in ready:
                passed.add(await self._leave(finished, points) / 2)
        async for finished, points in line.rest():
            passed.add(await self._leave(finished, points) / 2)

    async def _leave(self, work: Work, points: bytes) -> int:
        """Send what may be sent now that a chunk is blinded; how many tuples that were."""
        leaving = self.participant.blinded(work, points)
        sent = 0
        # A held stream is shuffled when its first chunk is asked for.
        while (chunk := await asyncio.to_thread(next, leaving, None)) is not None:
            place, data = chunk
            await self.windows.take(place.stream, place.hop)
            self.send(place, await asyncio.to_thread(self.signed, place, data))
            sent += place.shape.tuples
        return sent


class _Share:
    """Tells which share of a stream is done."""

    def __init__(self, passing: Passing, stream: str, stage: str) -> None:
        self._whole = max(1, passing.transcript.join(stream).tuples)
        self._tell, self._stage, self._done = passing.tell, stage, 0.0

    def add(self, tuples: float) -> None:
        """So many more."""
        self._done += tuples
        self._tell(self._stage, min(1.0, self._done / self._whole))


class _Line:
    """Chunks with the workers, in order, as many at once as keep them busy."""

    def __init__(self, passing: Passing) -> None:
        self._passing = passing
        self._most = _BATCHES_AHEAD * passing.pool.workers
        self._under_way: deque[tuple[Work, asyncio.Future[bytes]]] = deque()

    async def put(self, work: Work) -> list[tuple[Work, bytes]]:
        """Give a chunk to the workers; what is ready by then, or had to be waited for."""
        first = work.shape.first * len(self._passing.transcript.plan.slots)
        pool, scalar = self._passing.pool, self._passing.scalar
        future = asyncio.wrap_future(pool.blind(work.points, scalar, first))
        # The first that fails ends the round; nobody waits for those behind it.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._under_way.append((work, future))
        ready = []
        while self._under_way and (
            len(self._under_way) >= self._most or self._under_way[0][1].done()
        ):
            ready.append(await self._next())
        return ready

    async def rest(self) -> AsyncIterator[tuple[Work, bytes]]:
        """What is still with the workers."""
        while self._under_way:
            yield await self._next()

    async def _next(self) -> tuple[Work, bytes]:
        work, future = self._under_way.popleft()
        return work, await future
