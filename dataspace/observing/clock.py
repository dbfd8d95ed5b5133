"""How far this machine's clock is from the broker's, by asking. Rim: asks over a channel.

One answer of the broker's health service carries its time. The offset is taken against the
middle of the question's way (Cristian, "Probabilistic clock synchronization", 1989): it is wrong
by half the round trip at most. Nobody believes it: it warns an operator, and moves no clock.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIME_KEY: Final = "gba-time-ms"
VERSION_KEY: Final = "gba-version"
SAMPLE_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 5.0
_KEPT: Final = 8  # the one with the shortest way counts


@dataclass(frozen=True)
class ClockSample:
    """`drift` is by how many seconds the own clock is ahead, give or take `bound`."""

    drift: float
    bound: float


def sample(sent_ms: float, round_trip: float, told_ms: float) -> ClockSample:
    """From the own time when it was asked, the seconds that it took, and the time it was told."""
    middle = sent_ms + round_trip * 500
    return ClockSample((middle - told_ms) / 1000, round_trip / 2)


class ClockWatch:
    """What one process knows of its clock. For one event loop."""

    def __init__(self) -> None:
        self._samples: deque[ClockSample] = deque(maxlen=_KEPT)

    @property
    def best(self) -> ClockSample | None:
        """The surest of the last samples; None before the first."""
        return min(self._samples, key=lambda each: each.bound, default=None)

    def take(self, found: ClockSample) -> None:
        """Keep a sample. One that contradicts those kept outdates them: a clock was set."""
        best = self.best
        if best is not None and abs(found.drift - best.drift) > found.bound + best.bound + 0.05:
            self._samples.clear()
        self._samples.append(found)

    async def keep_sampling(self, channel: Any) -> None:
        """Sample over an attached channel, until cancelled. A broker that tells no time is no
        fault."""
        stub = health_pb2_grpc.HealthStub(channel)
        while True:
            with suppress(grpc.aio.AioRpcError, ValueError):
                self.take(await _ask(stub))
            await asyncio.sleep(SAMPLE_SECONDS)


@asynccontextmanager
async def sampling(clock: ClockWatch | None, channel: Any) -> AsyncIterator[None]:
    """Keep sampling over a channel within the block."""
    task = None if clock is None else asyncio.create_task(clock.keep_sampling(channel))
    try:
        yield
    finally:
        if task is not None:
            task.cancel()


async def _ask(stub: Any) -> ClockSample:
    sent_ms, began = time.time() * 1000, time.monotonic()
    call = stub.Check(health_pb2.HealthCheckRequest(), timeout=_ANSWER_SECONDS)
    await call
    round_trip = time.monotonic() - began
    return sample(sent_ms, round_trip, told_time(await call.trailing_metadata()))


def told_time(metadata: Any) -> float:
    """The broker's time in milliseconds. Raises `ValueError` where it tells none."""
    for key, value in metadata or ():
        if key == TIME_KEY:
            return float(int(value))
    raise ValueError("no time")
