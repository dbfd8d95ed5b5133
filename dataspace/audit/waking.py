"""Waits on an event loop for a log to change, woken from whatever thread changed it. Rim: waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dataspace.audit.store import LogStore

_LOOK_SECONDS = 5.0  # it is looked at now and then even where nobody tells


class LogChanges:
    """Changes of one log since it was looked at last."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Return once the log has changed since the last return, or after some seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), _LOOK_SECONDS)
        self._event.clear()

    def tell(self) -> None:
        """The log has changed. For the event loop's own thread."""
        self._event.set()


@contextmanager
def changes_of(log: LogStore) -> Iterator[LogChanges]:
    """Changes of a log, heard on the running event loop."""
    changes, loop = LogChanges(), asyncio.get_running_loop()

    def told() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(changes.tell)

    end = log.subscribe(told)
    try:
        yield changes
    finally:
        end()
