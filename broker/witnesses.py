"""Witnesses that are attached now: asked over the stream that each opened. Rim.

The broker carries their requests and answers, and adds nothing: a request holds a
checkpoint that the log's owner signed, an answer a signature of the witness.
"""

from __future__ import annotations

import asyncio
import itertools

from dataspace.v1 import broker_pb2

ABSENT = 503
BUSY = 429
ANSWER_SECONDS = 5.0
_MOST_WAITING = 256


class AttachedWitness:
    """One witness's stream. For one event loop."""

    def __init__(self, name: str, region: str) -> None:
        self.name = name
        self.region = region
        self.outgoing: asyncio.Queue[broker_pb2.BrokerFrame] = asyncio.Queue(maxsize=1024)
        self.ended = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[broker_pb2.WitnessReply]] = {}
        self._numbers = itertools.count(1)

    async def ask(self, request: bytes) -> broker_pb2.WitnessReply:
        """What the witness answers to an add-checkpoint request; 503 where it is silent."""
        if len(self._waiting) >= _MOST_WAITING or self.outgoing.full():
            return broker_pb2.WitnessReply(status=BUSY)
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        ask = broker_pb2.WitnessAsk(witness=self.name, request=request)
        self.outgoing.put_nowait(broker_pb2.BrokerFrame(call=number, witness_ask=ask))
        try:
            return await asyncio.wait_for(waiting, ANSWER_SECONDS)
        except TimeoutError:
            return broker_pb2.WitnessReply(status=ABSENT)
        finally:
            del self._waiting[number]

    def receive(self, frame: broker_pb2.NodeFrame) -> None:
        """A frame of the witness; answers that nobody waits for any more are dropped."""
        waiting = self._waiting.get(frame.call)
        if frame.WhichOneof("body") == "witness_reply" and waiting and not waiting.done():
            waiting.set_result(frame.witness_reply)

    def close(self) -> None:
        """The stream is gone or has to go."""
        self.ended.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(broker_pb2.WitnessReply(status=ABSENT))


class Witnesses:
    """The witnesses that are attached now, by name."""

    def __init__(self) -> None:
        self._attached: dict[str, AttachedWitness] = {}

    def add(self, witness: AttachedWitness) -> None:
        """A witness attached; a stream that it had before is closed."""
        previous = self._attached.get(witness.name)
        self._attached[witness.name] = witness
        if previous is not None:
            previous.close()

    def remove(self, witness: AttachedWitness) -> None:
        """A witness's stream ended."""
        witness.close()
        if self._attached.get(witness.name) is witness:
            del self._attached[witness.name]

    async def ask(self, name: str, request: bytes) -> broker_pb2.WitnessReply:
        """Carry a request to a witness; status 503 where it is not attached."""
        witness = self._attached.get(name)
        if witness is None:
            return broker_pb2.WitnessReply(status=ABSENT)
        return await witness.ask(request)

    def names(self) -> list[str]:
        """Who is attached."""
        return sorted(self._attached)

    def close(self) -> None:
        """The broker stops: every stream ends."""
        for witness in list(self._attached.values()):
            witness.close()
