"""Several regions at once: each answers, refuses, or is named as silent or late. Rim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from broker.deadlines import Until
from broker.heard import Heard, silent
from dataspace.errors import DataspaceError, Unverified
from dataspace.v1 import query_pb2

Told = query_pb2.Progress | Heard
# Asks one region, and tells of its progress.
AskOne = Callable[[str, Callable[[query_pb2.Progress], None]], Awaitable[Heard]]


async def ask_each(regions: Iterable[str], ask: AskOne, until: Until) -> AsyncGenerator[Told, None]:
    """Progress, and what each region said, each once; whoever is away is named."""
    merged: asyncio.Queue[Told] = asyncio.Queue()
    tasks = [
        asyncio.create_task(_ask_one(region, ask, until, merged.put_nowait)) for region in regions
    ]
    try:
        waiting = len(tasks)
        while waiting:
            event = await merged.get()
            waiting -= isinstance(event, Heard)
            yield event
    finally:
        # The caller has gone, or all have answered: nothing runs on for nobody.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask_one(region: str, ask: AskOne, until: Until, tell: Callable[[Told], None]) -> None:
    try:
        async with asyncio.timeout_at(until.broker):
            heard = await ask(region, tell)
    except TimeoutError:
        heard = silent(region, "timeout", f"no answer within {until.seconds:.3g} s")
    except Unverified as error:
        heard = silent(region, "unverified", error.message)
    except DataspaceError as error:
        heard = silent(region, "unreachable", error.message)
    tell(heard)
