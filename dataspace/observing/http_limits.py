"""What the public HTTP port bears: slow requests, long headers, many connections. Rim.

uvicorn bounds the time between requests, not that of a request which comes byte by byte, nor
how many connections one address holds. A connection here has so long to bring a request, and
so long to take its answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
ANSWER_SECONDS = 30.0
MOST_CONNECTIONS = 256
MOST_OF_ONE_ADDRESS = 32
HEADER_BYTES = 8 * 1024


class BoundedProtocol(H11Protocol):
    """One connection. The counts are one process's: it has one such port."""

    held: ClassVar[Counter[str]] = Counter()
    _timer: asyncio.TimerHandle | None = None
    _address = ""

    def connection_made(self, transport: Any) -> None:
        """Count it, or hang up."""
        super().connection_made(transport)
        address = self.client[0] if self.client else "?"
        if self.held[address] >= MOST_OF_ONE_ADDRESS or self.held.total() >= MOST_CONNECTIONS:
            transport.abort()
            return
        self._address = address
        self.held[address] += 1
        self._give(REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._address:
            self.held[self._address] -= 1
            if not self.held[self._address]:
                del self.held[self._address]
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """A request that has begun to be answered has another deadline."""
        answered = self.cycle
        super().handle_events()
        if self.cycle is not answered:
            self._give(ANSWER_SECONDS)

    def on_response_complete(self) -> None:
        """The next request has its own time."""
        self._give(REQUEST_SECONDS)
        super().on_response_complete()

    def _give(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.abort)
