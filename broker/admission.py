"""How many calls the broker serves at once; the others are told when to come again.

Counts and measures. Queues nothing: who is refused here costs no memory and no thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dataspace.errors import Unavailable

_LONGEST_SECONDS = 30
_WEIGHT = 0.1  # of the newest call in the running mean


class Admission:
    """Places for `most` calls. For one event loop; `clock` gives seconds."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self.refused = 0
        self.most = most
        self._clock = clock
        self.taken = 0
        self._mean = 0.0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for as long as the call lasts. Raises `Unavailable` (`busy`) if none is free."""
        if self.taken >= self.most:
            self.refused += 1
            raise Unavailable(f"busy; retry after {self.retry_seconds()} s", code="busy")
        self.taken += 1
        began = self._clock()
        try:
            yield
        finally:
            self.taken -= 1
            self._mean += _WEIGHT * (self._clock() - began - self._mean)

    def retry_seconds(self) -> int:
        """When a place is likely to be free: about as long as a call takes, at least 1 s."""
        return min(_LONGEST_SECONDS, max(1, math.ceil(self._mean)))
