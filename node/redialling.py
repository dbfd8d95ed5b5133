"""When a stream is dialled anew for renewed certificates. Looks at the clock; dials nothing.

A stream goes on with what it was opened with for as long as that holds: nothing is gained by
ending it sooner, and a question that arrives in between would find nobody. In the last day
before its end it is opened anew in a moment without work, in the last minutes whether or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dataspace.credentials import Credentials

IDLE_BEFORE = timedelta(days=1)
BEFORE = timedelta(minutes=5)
LOOK_SECONDS = 2.0


async def until_renewed(credentials: Credentials, is_idle: Callable[[], bool]) -> None:
    """Return once a stream that is opened now should be opened anew; perhaps never."""
    signing, tls = credentials.current(), credentials.tls()
    end = min(credentials.until().values())
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if credentials.current() is signing and credentials.tls() is tls:
            continue  # there is nothing newer to show
        left = end - datetime.now(UTC)
        if left <= BEFORE or (left <= IDLE_BEFORE and is_idle()):
            return
