"""Emergency accesses in the node's ledger. Rim. See `dataspace.evidence.reviewing`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, delete, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement

from dataspace.errors import Unavailable
from dataspace.identity.names import ActorUri
from dataspace.policy.emergencies import EmergencyUse
from node.ledger import Ledger

_METADATA = MetaData()
_USES = Table(
    "emergency_uses",
    _METADATA,
    Column("id", String(64), primary_key=True),
    Column("region", String(32), nullable=False),
    Column("member", String(64), nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("products", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reviewed_by", Text, nullable=False),
    Column("reviewed_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)


class LedgerEmergencies:
    """The uses at one region's node; replicas that share a ledger share them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.create(_METADATA)

    def put(self, use: EmergencyUse) -> None:
        """Keep a use as it is now, durably."""
        values = {
            **vars(use),
            "actor": str(use.actor),
            "region": use.actor.region,
            "member": use.actor.member,
            "products": json.dumps(use.products),
        }

        def put(connection: Connection) -> None:
            connection.execute(delete(_USES).where(_USES.c.id == use.id))
            connection.execute(insert(_USES).values(values))

        try:
            self._ledger.write(put)
        except IntegrityError:  # another replica was quicker
            raise Unavailable(
                "the use of emergency access has changed meanwhile; try again",
                code="emergency-race",
            ) from None

    def find(self, use_id: str) -> EmergencyUse | None:
        """One use."""
        return next(iter(self._select(_USES.c.id == use_id)), None)

    def of_member(self, region: str, member: str) -> Sequence[EmergencyUse]:
        """Those of a member's clinicians."""
        return self._select(_USES.c.region == region, _USES.c.member == member)

    def all(self) -> Sequence[EmergencyUse]:
        """All, in order of time."""
        return self._select()

    def _select(self, *conditions: ColumnElement[bool]) -> list[EmergencyUse]:
        order = (_USES.c.at_ms, _USES.c.id)
        with self._ledger.reading() as connection:
            rows = connection.execute(select(_USES).where(*conditions).order_by(*order)).all()
        return [_use(row) for row in rows]


def _use(row: Any) -> EmergencyUse:
    return EmergencyUse(
        id=row.id,
        actor=ActorUri.parse(row.actor),
        purpose=row.purpose,
        reason=row.reason,
        products=tuple(json.loads(row.products)),
        at_ms=row.at_ms,
        verdict=row.verdict,
        reviewed_by=row.reviewed_by,
        reviewed_ms=row.reviewed_ms,
        note=row.note,
    )
