"""Consents in the node's ledger. Rim. See `dataspace.evidence.consenting.ConsentStore`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement

from dataspace.errors import Unavailable
from dataspace.evidence.consenting import Kept
from dataspace.policy.consents import Consent, Scope
from node.ledger import Ledger

_METADATA = MetaData()
_CONSENTS = Table(
    "consents",
    _METADATA,
    Column("id", String(64), primary_key=True),
    Column("tag", String(64), nullable=False, index=True),
    Column("scope", Text, nullable=False),
    Column("given_ms", BigInteger, nullable=False),
    Column("withdrawn_ms", BigInteger, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)


class LedgerConsents:
    """The consents of one region's node; replicas that share a ledger share them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.create(_METADATA)

    def put(self, kept: Kept) -> None:
        """Keep a new consent, durably."""
        consent = kept.consent
        values = {
            "id": consent.id,
            "tag": consent.tag,
            "scope": json.dumps(asdict(consent.scope)),
            "given_ms": consent.given_ms,
            "withdrawn_ms": consent.withdrawn_ms,
            "receipt": kept.receipt,
            "salt": kept.salt,
        }
        try:
            self._ledger.write(
                lambda connection: connection.execute(insert(_CONSENTS).values(values)).rowcount
            )
        except IntegrityError:
            raise Unavailable("this consent is kept already", code="consent-race") from None

    def withdraw(self, consent_id: str, at_ms: int) -> None:
        """Withdraw a consent, durably; the first time counts."""
        withdrawn = (
            update(_CONSENTS)
            .where(_CONSENTS.c.id == consent_id, _CONSENTS.c.withdrawn_ms == 0)
            .values(withdrawn_ms=at_ms)
        )
        self._ledger.write(lambda connection: connection.execute(withdrawn).rowcount)

    def find(self, consent_id: str) -> Kept | None:
        """One consent."""
        return next(iter(self._select(_CONSENTS.c.id == consent_id)), None)

    def of_tag(self, tag: str) -> Sequence[Kept]:
        """Those of one person, in order of time."""
        return self._select(_CONSENTS.c.tag == tag)

    def all(self) -> Sequence[Kept]:
        """All, in order of time."""
        return self._select()

    def _select(self, *conditions: ColumnElement[bool]) -> list[Kept]:
        order = (_CONSENTS.c.given_ms, _CONSENTS.c.id)
        with self._ledger.reading() as connection:
            rows = connection.execute(select(_CONSENTS).where(*conditions).order_by(*order)).all()
        return [_kept(row) for row in rows]


def _kept(row: Any) -> Kept:
    scope = json.loads(row.scope)
    read = Scope(
        **{**scope, "purposes": tuple(scope["purposes"]), "categories": tuple(scope["categories"])}
    )
    consent = Consent(row.id, row.tag, read, row.given_ms, row.withdrawn_ms)
    return Kept(consent, row.receipt, row.salt)
