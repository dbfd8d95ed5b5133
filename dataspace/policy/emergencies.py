"""Breaking the glass: uses of emergency access, and the review that each one waits for. Pure.

open --> signed_off
  |          ^
  v          |
objected ----+          a member with an objected use, or one open for too long, is refused
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dataspace.errors import Malformed, Refused
from dataspace.identity.names import ActorUri

PURPOSES: Final = ("ETREAT", "BTG")
OPEN, SIGNED_OFF, OBJECTED = "open", "signed_off", "objected"
VERDICTS: Final = (SIGNED_OFF, OBJECTED)
DAY_MS: Final = 86_400_000
FEWEST_LETTERS: Final = 10
MOST_LETTERS: Final = 500
OVERDUE: Final = "emergency-review-overdue"
_BASIS: Final = "PIPL art. 13(1)(4); PDPO (Cap. 486) ss. 59 and 63C; Act 8/2005 art. 20(1)(4)"


@dataclass(frozen=True)
class EmergencyUse:
    """One use. Raises `Refused` (`emergency-clinician`, `emergency-purpose`,
    `emergency-reason`) when it may not be."""

    id: str
    actor: ActorUri
    purpose: str
    reason: str
    products: tuple[str, ...]
    at_ms: int
    verdict: str = OPEN
    reviewed_by: str = ""
    reviewed_ms: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if self.actor.role != "clinician":
            raise _refused("emergency-clinician", "only a clinician breaks the glass")
        if self.purpose not in PURPOSES:
            raise _refused("emergency-purpose", "an emergency has purpose ETREAT or BTG")
        # SECURITY: one letter typed over and over is no reason that anybody could review.
        letters = {sign for sign in self.reason if sign.isalnum()}
        if len(self.reason.strip()) < FEWEST_LETTERS or len(letters) < 4:
            raise _refused(
                "emergency-reason", "type the reason in words; a regulator reviews it afterwards"
            )
        if len(self.reason) > MOST_LETTERS or not self.reason.isprintable():
            raise Malformed(f"a reason is one line of at most {MOST_LETTERS} characters",
                            code="reason")  # fmt: skip
        if self.verdict not in {OPEN, *VERDICTS}:
            raise Malformed(f"a verdict is one of {', '.join(VERDICTS)}", code="verdict")

    def due_ms(self, days: int) -> int:
        """When the review is overdue."""
        return self.at_ms + days * DAY_MS

    def hinders(self, days: int, at_ms: int) -> bool:
        """Whether its member breaks no glass until this one is signed off."""
        return self.verdict == OBJECTED or (self.verdict == OPEN and at_ms >= self.due_ms(days))


def check_may_break_glass(uses: Iterable[EmergencyUse], days: int, at_ms: int) -> None:
    """Raise `Refused` (`emergency-review-overdue`) where a use of the member hinders another."""
    hindering = sum(use.hinders(days, at_ms) for use in uses)
    if hindering:
        raise _refused(
            OVERDUE,
            f"{hindering} uses of emergency access by this member wait for review; "
            "a regulator of the region that gave the records signs them off",
        )


def _refused(rule: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis=_BASIS)
