"""Names of actors: people and services of a member. Looks nothing up.

    uri    = "gba://" region "/" member "/" role "/" name
    region = "guangzhou" | "hongkong" | "macao"
    role   = one of PEOPLE_ROLES or SERVICE_ROLES
    member = part
    name   = part
    part   = 1 to 64 of "a".."z" "0".."9" "_" "-"

One actor has one spelling: no upper case, no escapes, no trailing slash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from dataspace.errors import Malformed

REGIONS = ("guangzhou", "hongkong", "macao")
PEOPLE_ROLES = ("clinician", "researcher", "public_health", "regulator", "operator")
SERVICE_ROLES = ("node", "broker", "witness", "revocation")
ROLES = PEOPLE_ROLES + SERVICE_ROLES

_SCHEME = "gba://"
_PART = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, order=True)
class ActorUri:
    """A person or service of a member. Raises `Malformed` when a part breaks the grammar."""

    region: str
    member: str
    role: str
    name: str

    def __post_init__(self) -> None:
        check_region(self.region)
        if self.role not in ROLES:
            raise _malformed(f"the role must be one of {', '.join(ROLES)}")
        check_part("member", self.member)
        check_part("name", self.name)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `gba://region/member/role/name`; anything else is `Malformed`."""
        parts = text.removeprefix(_SCHEME).split("/")
        if not text.startswith(_SCHEME) or len(parts) != 4:
            raise _malformed("write it as gba://region/member/role/name")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.region}/{self.member}/{self.role}/{self.name}"


def check_region(region: str) -> None:
    """Refuse, as `Malformed`, what is not a region of the space."""
    if region not in REGIONS:
        raise _malformed(f"the region must be one of {', '.join(REGIONS)}")


def check_part(what: str, text: str) -> None:
    """Refuse, as `Malformed`, a member or name outside the grammar."""
    if not _PART.fullmatch(text):
        raise _malformed(f"the {what} must be 1 to 64 of a-z, 0-9, '_' and '-'")


def _malformed(what: str) -> Malformed:
    # The text itself stays out of the message: it may name a person.
    return Malformed(f"this actor name cannot be read: {what}", code="bad-actor-uri")
