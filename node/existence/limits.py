"""How many checks a day, and how many nobody followed up: durable in the node's ledger. Rim.

Each check counts for its actor, for the actor's member, and for the whole space; a day is the
area's (UTC+8). A check beyond a limit is refused and counts for nothing. Beside that, checks of
a member that no request for the record followed are counted without an end: who looks for
patients one number after another leaves these behind (see `watch = "unresolved"` in alarms.toml).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from dataspace.errors import Refused, Unavailable
from dataspace.identity.names import ActorUri
from node.ledger import Ledger

_DAY_MS = 86_400_000
_AREA_MS = 8 * 3_600_000
_BASIS = (
    "space rule: existence checks a day; PIPL art. 51, PDPO (Cap. 486) DPP4, Act 8/2005 art. 15"
)

_METADATA = MetaData()
_DAILY = Table(
    "existence_checks",
    _METADATA,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("whose", String(16), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("checks", BigInteger, nullable=False),
)
_OPEN = Table(
    "existence_unresolved",
    _METADATA,
    Column("member", Text, primary_key=True),
    Column("checks", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class DailyLimits:
    """Checks a day at one node: of one actor, of one member, of the whole space."""

    actor: int = 100
    member: int = 500
    space: int = 5000


class ExistenceLimits:
    """The counts of one region's node; replicas that share a ledger share them."""

    def __init__(self, ledger: Ledger, limits: DailyLimits) -> None:
        self._ledger = ledger
        self._limits = limits
        ledger.create(_METADATA)

    def take(self, actor: ActorUri, at_ms: int) -> int:
        """Count one check, durably; the member's unresolved ones with it.

        Raises `Refused` by `existence-limit-actor`, `-member` or `-space`, and `Unavailable`
        where the ledger cannot tell: then nothing is answered.
        """
        day = (at_ms + _AREA_MS) // _DAY_MS
        member = member_of(actor)
        counted = (
            ("actor", str(actor), self._limits.actor),
            ("member", member, self._limits.member),
            ("space", "", self._limits.space),
        )

        def count(connection: Connection) -> int:
            connection.execute(delete(_DAILY).where(_DAILY.c.day < day - 1))
            for whose, name, most in counted:
                if not _add(connection, day, whose, name, most):
                    raise _too_many(whose, most)
            return _unresolved(connection, member, 1)

        try:
            return self._ledger.write(count)
        except IntegrityError:  # another replica began the same count
            raise Unavailable("the ledger is busy; ask again", code="ledger") from None

    def resolved(self, actor: ActorUri) -> int:
        """A record was asked for: one check of the member fewer is unresolved. What is left."""
        return self._ledger.write(lambda connection: _unresolved(connection, member_of(actor), -1))

    def used(self, at_ms: int) -> dict[str, float]:
        """How much of today's limits the busiest has used, from 0 to 1, by whose limit it is."""
        day = (at_ms + _AREA_MS) // _DAY_MS
        most = {
            "actor": self._limits.actor, "member": self._limits.member, "space": self._limits.space
        }  # fmt: skip
        busiest = (
            select(_DAILY.c.whose, func.max(_DAILY.c.checks))
            .where(_DAILY.c.day == day)
            .group_by(_DAILY.c.whose)
        )
        with self._ledger.reading() as connection:
            checks = {str(whose): int(count) for whose, count in connection.execute(busiest)}
        return {
            whose: checks.get(whose, 0) / limit if limit else 1.0 for whose, limit in most.items()
        }

    def settle(self, member: str) -> int:
        """Somebody looked into a member's unresolved checks: count from nothing. How many were."""

        def settle(connection: Connection) -> int:
            left = connection.scalar(select(_OPEN.c.checks).where(_OPEN.c.member == member))
            connection.execute(update(_OPEN).where(_OPEN.c.member == member).values(checks=0))
            return left or 0

        return self._ledger.write(settle)


def member_of(actor: ActorUri) -> str:
    """REGION/MEMBER."""
    return f"{actor.region}/{actor.member}"


def _add(connection: Connection, day: int, whose: str, name: str, most: int) -> bool:
    key = (_DAILY.c.day == day, _DAILY.c.whose == whose, _DAILY.c.name == name)
    # One statement looks and counts: two checks at once cannot both be the last.
    done = connection.execute(
        update(_DAILY).where(*key, _DAILY.c.checks < most).values(checks=_DAILY.c.checks + 1)
    )
    if done.rowcount:
        return True
    if connection.scalar(select(_DAILY.c.checks).where(*key)) is not None or most < 1:
        return False
    connection.execute(insert(_DAILY).values(day=day, whose=whose, name=name, checks=1))
    return True


def _unresolved(connection: Connection, member: str, change: int) -> int:
    known = connection.scalar(select(_OPEN.c.checks).where(_OPEN.c.member == member))
    left = max(0, (known or 0) + change)
    if known is None:
        connection.execute(insert(_OPEN).values(member=member, checks=left))
    else:
        connection.execute(update(_OPEN).where(_OPEN.c.member == member).values(checks=left))
    return left


def _too_many(whose: str, most: int) -> Refused:
    who = {"actor": "an actor", "member": "a member", "space": "the whole space"}[whose]
    return Refused(
        f"this node answers {who} {most} checks a day; go on tomorrow",
        code="existence-limit", rule=f"existence-limit-{whose}", basis=_BASIS,
    )  # fmt: skip
