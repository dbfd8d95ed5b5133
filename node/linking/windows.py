"""How many chunks of a round are under way between two places. For one event loop.

Whoever works on chunks says so; only then may as many more be sent. So neither the broker nor
a slow node ever holds more than a few chunks of a stream that it did not ask for.
"""

from __future__ import annotations

import asyncio

CHUNKS_UNDER_WAY = 8


class Windows:
    """One node's windows, by stream and hop of the chunks that it sends."""

    def __init__(self, size: int = CHUNKS_UNDER_WAY) -> None:
        self._size = size
        self._free: dict[tuple[str, int], int] = {}
        self._changed = asyncio.Event()

    async def take(self, stream: str, hop: int) -> None:
        """Wait until one more chunk may be sent, and count it."""
        key = (stream, hop)
        while self._free.setdefault(key, self._size) < 1:
            self._changed.clear()
            await self._changed.wait()
        self._free[key] -= 1

    def give(self, stream: str, hop: int, chunks: int) -> None:
        """So many were worked on. Nobody can widen a window beyond its size."""
        key = (stream, hop)
        if key in self._free:
            self._free[key] = min(self._size, self._free[key] + chunks)
            self._changed.set()
