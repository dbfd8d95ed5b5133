"""What the processes beside a node show of themselves: a witness, a revocation signer. Rim."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from dataspace.home import PartyHome
from dataspace.observing.clock import ClockWatch
from dataspace.observing.counts import Counts
from dataspace.observing.endpoint import Endpoint
from dataspace.observing.party import Trust, open_page
from dataspace.observing.readiness import holds
from dataspace.observing.readings import Reading, single


@dataclass
class Outpost:
    """Its counts, its clock and its page."""

    counts: Counts
    clock: ClockWatch
    page: Endpoint
    _attached: list[bool]  # one a broker

    @classmethod
    def open(cls, home: PartyHome, trust: Trust, readings: Iterable[Reading]) -> Self:
        """Serve the page. Raises as `observing.party.open_page`."""
        counts, clock = Counts(), ClockWatch()
        attached: list[bool] = []
        whether = single("gba_attached", "1 while attached to a broker.", lambda: any(attached))
        checks = (holds("not-attached", lambda: any(attached)),)
        page = open_page(home, trust, counts, clock, (whether, *readings), checks)
        return cls(counts, clock, page, attached)

    def hears(self, on_change: Callable[[bool, str], None]) -> Callable[[bool, str], None]:
        """`on_change` of one broker's dialler, told to the page too."""
        place = len(self._attached)
        self._attached.append(False)

        def told(attached: bool, reason: str) -> None:
            self._attached[place] = attached
            on_change(attached, reason)

        return told

    async def stop(self) -> None:
        """The process ends."""
        await self.page.stop()
