"""Consents: what a patient lets whom see, for what and until when. Pure.

A person is a tag that only the node of the region that holds the record can make; see
`dataspace.evidence.subjects`. Several consents add up; a withdrawn one counts no more from
that moment on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dataspace.errors import Malformed
from dataspace.identity.names import ActorUri, check_part, check_region
from dataspace.policy.requests import PURPOSES
from dataspace.policy.standing import ABSENT, EXPIRED, VALID
from dataspace.policy.terms import ALL

_MOST_NAMES: Final = 64


@dataclass(frozen=True)
class Scope:
    """How far a consent goes. Raises `Malformed` (code `consent`) when made wrongly.

    `member` is empty where any member of the region may receive; lists are sorted, each name
    once, and "*" alone stands for all categories. `expires_ms` is not included.
    """

    region: str
    member: str
    purposes: tuple[str, ...]
    categories: tuple[str, ...]
    expires_ms: int

    def __post_init__(self) -> None:
        check_region(self.region)
        if self.member:
            check_part("member", self.member)
        for what, names in (("purposes", self.purposes), ("categories", self.categories)):
            if not names or list(names) != sorted(set(names)) or len(names) > _MOST_NAMES:
                raise _malformed(f"a consent names its {what}, sorted and each once")
        # A person consents to purposes that were named, never to all there may be.
        if not set(self.purposes) <= set(PURPOSES):
            raise _malformed(f"a purpose is one of {', '.join(PURPOSES)}")
        if ALL in self.categories and len(self.categories) > 1:
            raise _malformed("* stands alone for all categories")
        if not all(name.isprintable() and 0 < len(name) <= 64 for name in self.categories):
            raise _malformed("a category is a short name, as products have it")
        if not 0 < self.expires_ms < 2**53:
            raise _malformed("a consent has a day on which it ends")

    def covers(self, recipient: ActorUri, purpose: str) -> bool:
        """Whether this recipient may have something for this purpose."""
        return (
            recipient.region == self.region
            and self.member in {"", recipient.member}
            and purpose in self.purposes
        )


@dataclass(frozen=True)
class Consent:
    """One consent of one person. `withdrawn_ms` is 0 where it was not withdrawn."""

    id: str
    tag: str
    scope: Scope
    given_ms: int
    withdrawn_ms: int = 0

    def is_current(self, at_ms: int) -> bool:
        """Whether it was given, and is neither over nor withdrawn."""
        return self.given_ms <= at_ms < self.scope.expires_ms and not self.withdrawn_ms


def consent_state(
    consents: Iterable[Consent],
    recipient: ActorUri,
    purpose: str,
    categories: Iterable[str],
    at_ms: int,
) -> str:
    """`valid`, `expired` or `absent`, of the consents of one person."""
    wanted = set(categories)
    covering = [
        each for each in consents
        if each.scope.covers(recipient, purpose) and each.given_ms <= at_ms
    ]  # fmt: skip
    if _cover([each for each in covering if each.is_current(at_ms)], wanted):
        return VALID
    return EXPIRED if _cover(covering, wanted) else ABSENT


def _cover(consents: list[Consent], wanted: set[str]) -> bool:
    named = {name for each in consents for name in each.scope.categories}
    return bool(consents) and (ALL in named or wanted <= named)


def _malformed(message: str) -> Malformed:
    return Malformed(message, code="consent")
