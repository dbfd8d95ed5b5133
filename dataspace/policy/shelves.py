"""Where a party keeps its agreements: what a shelf promises, and one in memory. No files.

A shelf keeps what was verified before; it judges nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from dataspace.errors import Unavailable
from dataspace.policy.agreements import Agreement
from dataspace.policy.standing import Held


class Shelf(Protocol):
    """Safe for any number of threads. Raises `Unavailable` where it cannot tell."""

    def find(self, agreement_id: str) -> Held | None:
        """One agreement."""

    def of_pair(self, provider_region: str, consumer_region: str) -> Sequence[Held]:
        """Those for data that goes from one region to the other, by id."""

    def all(self) -> Sequence[Held]:
        """All, by id."""

    def put(self, agreement: Agreement, received_ms: int) -> None:
        """Keep an agreement that has grown, durably; the new steps came at `received_ms`.

        Raises `Unavailable` (`agreement-race`) where what is kept is not its beginning.
        """

    def count_use(self, agreement_id: str) -> None:
        """One more answer was given under an agreement, durably."""


class MemoryShelf:
    """A shelf that forgets everything at its end."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._turn = threading.Lock()

    def find(self, agreement_id: str) -> Held | None:
        """See `Shelf`."""
        return self._held.get(agreement_id)

    def of_pair(self, provider_region: str, consumer_region: str) -> Sequence[Held]:
        """See `Shelf`."""
        return [
            each
            for each in self.all()
            if each.agreement.terms.provider_region == provider_region
            and each.agreement.terms.consumer_region == consumer_region
        ]

    def all(self) -> Sequence[Held]:
        """See `Shelf`."""
        with self._turn:
            return [held for _, held in sorted(self._held.items())]

    def put(self, agreement: Agreement, received_ms: int) -> None:
        """See `Shelf`."""
        with self._turn:
            kept = self._held.get(agreement.id)
            had = check_grows(kept.agreement if kept else None, agreement)
            times = (kept.received_ms if kept else ()) + (received_ms,) * (
                len(agreement.steps) - had
            )
            self._held[agreement.id] = Held(agreement, times, kept.used if kept else 0)

    def count_use(self, agreement_id: str) -> None:
        """See `Shelf`."""
        with self._turn:
            kept = self._held.get(agreement_id)
            if kept is None:
                raise Unavailable("the agreement is not kept here", code="agreement-unknown")
            self._held[agreement_id] = Held(kept.agreement, kept.received_ms, kept.used + 1)


def check_grows(kept: Agreement | None, agreement: Agreement) -> int:
    """How many steps were kept. Raises `Unavailable` unless they begin the agreement."""
    had = [each.sha256 for each in kept.steps] if kept else []
    if had != [each.sha256 for each in agreement.steps[: len(had)]]:
        raise Unavailable("the agreement has changed meanwhile; try again", code="agreement-race")
    return len(had)
