"""Agreements in the node's ledger. Rim. See `dataspace.policy.shelves` for what it promises."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement

from dataspace.errors import Unavailable
from dataspace.policy.agreements import Agreement, recall_step
from dataspace.policy.shelves import check_grows
from dataspace.policy.standing import Held
from node.ledger import Ledger

_METADATA = MetaData()
_AGREEMENTS = Table(
    "agreements",
    _METADATA,
    Column("id", String(64), primary_key=True),
    Column("provider_region", String(32), nullable=False, index=True),
    Column("consumer_region", String(32), nullable=False, index=True),
    Column("used", BigInteger, nullable=False, default=0),
)
_STEPS = Table(
    "agreement_steps",
    _METADATA,
    Column("agreement", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)


class LedgerShelf:
    """The shelf of one region's node; replicas that share a ledger share it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.create(_METADATA)

    def find(self, agreement_id: str) -> Held | None:
        """See `Shelf`."""
        return next(iter(self._select(_AGREEMENTS.c.id == agreement_id)), None)

    def of_pair(self, provider_region: str, consumer_region: str) -> Sequence[Held]:
        """See `Shelf`."""
        return self._select(
            _AGREEMENTS.c.provider_region == provider_region,
            _AGREEMENTS.c.consumer_region == consumer_region,
        )

    def all(self) -> Sequence[Held]:
        """See `Shelf`."""
        return self._select()

    def put(self, agreement: Agreement, received_ms: int) -> None:
        """See `Shelf`."""
        try:
            self._ledger.write(lambda connection: _put(connection, agreement, received_ms))
        except IntegrityError:  # another replica was quicker
            raise Unavailable(
                "the agreement has changed meanwhile; try again", code="agreement-race"
            ) from None

    def steps(self) -> int:
        """How many steps are kept, of all agreements: it only ever grows."""
        with self._ledger.reading() as connection:
            return int(connection.scalar(select(func.count()).select_from(_STEPS)) or 0)

    def count_use(self, agreement_id: str) -> None:
        """See `Shelf`."""
        counted = (
            update(_AGREEMENTS)
            .where(_AGREEMENTS.c.id == agreement_id)
            .values(used=_AGREEMENTS.c.used + 1)
        )
        if self._ledger.write(lambda connection: connection.execute(counted).rowcount) != 1:
            raise Unavailable("the agreement is not kept here", code="agreement-unknown")

    def _select(self, *conditions: ColumnElement[bool]) -> list[Held]:
        with self._ledger.reading() as connection:
            return _held(connection, conditions)


def _put(connection: Connection, agreement: Agreement, received_ms: int) -> None:
    kept = _held(connection, [_AGREEMENTS.c.id == agreement.id])
    had = check_grows(kept[0].agreement if kept else None, agreement)
    if not kept:
        _insert(connection, agreement)
    for number in range(had, len(agreement.steps)):
        values = {
            "agreement": agreement.id,
            "number": number,
            "received_ms": received_ms,
            "envelope": agreement.steps[number].envelope,
        }
        connection.execute(insert(_STEPS).values(values))


def _insert(connection: Connection, agreement: Agreement) -> None:
    connection.execute(
        insert(_AGREEMENTS).values(
            id=agreement.id,
            provider_region=agreement.terms.provider_region,
            consumer_region=agreement.terms.consumer_region,
            used=0,
        )
    )


def _held(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> list[Held]:
    rows = connection.execute(
        select(_AGREEMENTS.c.id, _AGREEMENTS.c.used, _STEPS.c.received_ms, _STEPS.c.envelope)
        .join(_STEPS, _STEPS.c.agreement == _AGREEMENTS.c.id)
        .where(*conditions)
        .order_by(_AGREEMENTS.c.id, _STEPS.c.number)
    ).all()
    found: dict[str, list[tuple[int, int, bytes]]] = {}
    for agreement_id, used, received_ms, envelope in rows:
        found.setdefault(agreement_id, []).append((used, received_ms, envelope))
    return [
        Held(
            Agreement(tuple(recall_step(envelope) for _, _, envelope in steps)),
            tuple(received_ms for _, received_ms, _ in steps),
            steps[0][0],
        )
        for steps in found.values()
    ]
