"""Token buckets: what each of many may do, over time and at once. Pure but for the clock given.

Remembers no more than `most` that have used theirs lately; whoever is full again is forgotten.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable

from dataspace.errors import Unavailable


class Allowance:
    """`rate` tokens a second for each key, `burst` at the most. For one event loop.

    `clock` gives seconds.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float], most: int = 10_000
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._most = most
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # oldest use first

    def take(self, key: Hashable, what: str) -> None:
        """Take one token. Raises `Unavailable` (`too-many`) where `what` has none left."""
        now = self._clock()
        left, at = self._left.get(key, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._rate)
        if left < 1:
            wait = math.ceil((1 - left) / self._rate)
            raise Unavailable(
                f"{what} asks more than {self._rate:g} times a second; retry after {wait} s",
                code="too-many",
            )
        self._left[key] = (left - 1, now)
        self._left.move_to_end(key)
        self._forget(now)

    def __len__(self) -> int:
        return len(self._left)

    def _forget(self, now: float) -> None:
        """Drop who is full again; of too many, who was there longest ago."""
        while self._left:
            key, (left, at) = next(iter(self._left.items()))
            full = left + (now - at) * self._rate >= self._burst
            if not full and len(self._left) <= self._most:
                return
            del self._left[key]
