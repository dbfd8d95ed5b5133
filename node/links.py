"""A party's streams to several brokers, told as one state. Rim: writes run/state.json.

Attached is who is attached to one broker at least; `away` names the others, and `reason` says
why. A party with one broker is told of as it always was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from dataspace.processes import write_state

_LOG = structlog.get_logger("links")

OnChange = Callable[[bool, str], None]


@dataclass
class Links:
    """By the brokers' addresses. For one event loop."""

    run_folder: Path
    addresses: Sequence[str]
    _reasons: dict[str, str | None] = field(default_factory=dict)  # None: attached

    def of(self, address: str) -> OnChange:
        """Who hears of every change of one broker's stream."""

        def on_change(attached: bool, reason: str) -> None:
            _LOG.info("attached" if attached else "detached", broker=address, reason=reason)
            self.tell(address, attached, reason)

        return on_change

    def tell(self, address: str, attached: bool, reason: str) -> None:
        """Write down how things stand now."""
        self._reasons[address] = None if attached else reason
        away = [each for each in self.addresses if self._reasons.get(each, "") is not None]
        told = {each: self._reasons.get(each) or "not attached yet" for each in away}
        stage = "attached" if len(away) < len(self.addresses) else "waiting"
        alone = len(self.addresses) == 1
        said = reason if alone else "; ".join(f"{each}: {why}" for each, why in told.items())
        write_state(self.run_folder, stage=stage, reason=said, away=away)


async def keep_all(
    each: Callable[[str], Coroutine[Any, Any, None]], addresses: Sequence[str]
) -> None:
    """Keep a stream to every broker, until cancelled."""
    async with asyncio.TaskGroup() as group:
        for address in addresses:
            group.create_task(each(address))
