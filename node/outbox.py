"""What a node still has to send: answers in pieces, taken in turn. Pure of any network.

Pieces of one call stay in order; pieces of several calls interleave, so that a large
answer never holds up a small one. A call sends no more than the broker gave it credit for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from dataspace.v1 import broker_pb2, query_pb2

PIECE_BYTES = 32 * 1024


@dataclass
class _Answer:
    data: bytes
    credit: int
    sent: int = 0

    @property
    def ready(self) -> bool:
        return self.credit > 0


@dataclass
class Outbox:
    """One stream's frames to send. For one event loop."""

    _first: deque[broker_pb2.NodeFrame] = field(default_factory=deque)
    _answers: dict[int, _Answer] = field(default_factory=dict)
    _chunks: dict[int, deque[broker_pb2.NodeFrame]] = field(default_factory=dict)
    _turns: deque[int] = field(default_factory=deque)
    _credits: dict[int, int] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, frame: broker_pb2.NodeFrame) -> None:
        """Queue a small frame; it goes before any piece of an answer."""
        self._first.append(frame)
        self._wake.set()

    def open_call(self, call: int, credit: int) -> None:
        """A call may send `credit` bytes."""
        self._credits[call] = credit

    def put_answer(self, call: int, data: bytes) -> None:
        """Queue a whole answer of a call that is open; chunks of its round are over."""
        self._drop_chunks(call)
        if call in self._credits:
            self._answers[call] = _Answer(data, self._credits.pop(call))
            self._turns.append(call)
            self._wake.set()

    def put_chunk(self, frame: broker_pb2.NodeFrame) -> None:
        """Queue a round's chunk, which takes turns with the pieces of answers.

        How many of a round may wait here is for the round to keep: see `node.linking.windows`.
        """
        if frame.call in self._credits:
            if frame.call not in self._chunks:
                self._chunks[frame.call] = deque()
                self._turns.append(frame.call)
            self._chunks[frame.call].append(frame)
            self._wake.set()

    def fail(self, call: int, status: query_pb2.ErrorStatus) -> None:
        """End a call without an answer."""
        self.drop(call)
        self.put(broker_pb2.NodeFrame(call=call, failure=status))

    def add_credit(self, call: int, credit: int) -> None:
        """The broker has taken pieces and can take more."""
        if call in self._answers:
            self._answers[call].credit += credit
            self._wake.set()
        elif call in self._credits:
            self._credits[call] += credit

    def drop(self, call: int) -> None:
        """The caller has gone."""
        self._credits.pop(call, None)
        self._drop_chunks(call)
        if self._answers.pop(call, None) is not None:
            self._turns.remove(call)

    def _drop_chunks(self, call: int) -> None:
        if self._chunks.pop(call, None) is not None:
            self._turns.remove(call)

    async def next(self) -> broker_pb2.NodeFrame:
        """The next frame to send; waits for one."""
        while True:
            if self._first:
                return self._first.popleft()
            frame = self._next_piece()
            if frame is not None:
                return frame
            self._wake.clear()
            await self._wake.wait()

    def _next_piece(self) -> broker_pb2.NodeFrame | None:
        for _ in range(len(self._turns)):
            call = self._turns.popleft()
            if (chunks := self._chunks.get(call)) is not None:
                frame = chunks.popleft()
                if chunks:
                    self._turns.append(call)
                else:
                    del self._chunks[call]
                return frame
            answer = self._answers.get(call)
            if answer is None:
                continue
            if not answer.ready:
                self._turns.append(call)
                continue
            size = min(PIECE_BYTES, answer.credit)
            piece = answer.data[answer.sent : answer.sent + size]
            answer.sent += len(piece)
            answer.credit -= len(piece)
            last = answer.sent >= len(answer.data)
            if last:
                del self._answers[call]
            else:
                self._turns.append(call)
            chunk = broker_pb2.Chunk(data=piece, last=last)
            return broker_pb2.NodeFrame(call=call, chunk=chunk)
        return None
