"""On how many people records have left on each route this year, in the node's ledger. Rim.

A person is a tag that this node alone can make. A patient who is not known here counts as
one who is: a threshold must not tell who is known.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.exc import IntegrityError

from node.ledger import Ledger

_AREA_TIME = timezone(timedelta(hours=8))
_METADATA = MetaData()
_LEFT = Table(
    "records_left",
    _METADATA,
    Column("route_to", String(32), primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("person", String(64), primary_key=True),
)


class RecordVolumes:
    """One region's counts; replicas that share a ledger share them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.create(_METADATA)

    def with_this(self, route_to: str, person: str, at_ms: int) -> int:
        """People counted since the first of January (of the area, UTC+8), this one included."""
        route = (_LEFT.c.route_to == route_to, _LEFT.c.year == _year(at_ms))
        with self._ledger.reading() as connection:
            count = connection.scalar(select(func.count()).select_from(_LEFT).where(*route))
            known = connection.scalar(
                select(_LEFT.c.person).where(*route, _LEFT.c.person == person)
            )
        return int(count or 0) + (known is None)

    def add(self, route_to: str, person: str, at_ms: int) -> None:
        """Count a person, durably; once a year and route."""
        values = {"route_to": route_to, "year": _year(at_ms), "person": person}
        with suppress(IntegrityError):
            self._ledger.write(
                lambda connection: connection.execute(insert(_LEFT).values(values)).rowcount
            )


def _year(at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_AREA_TIME).year
