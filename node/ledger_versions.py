"""Versions of a ledger's tables, and the steps from one to the next. Rim.

    1  tables without a version: releases before there were versions
    2  `ledger_facts`: the version, and whose ledger it is

A newer version is refused. An older one goes forward by itself, in one transaction, after a copy
was made: of a file, beside it; in PostgreSQL, of each table as `before_<version>_<table>`.
Tables that others add (`Ledger.create`) need no step: nothing that is there changes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from dataspace.errors import Unavailable
from dataspace.sqlite_versions import copy_database
from dataspace.storage import newer

VERSION = 2
STORE = "ledger"
_LOCK_NUMBER = 0x6762615F  # "gba_": whoever opens a shared ledger waits for its turn by this

_METADATA = MetaData()
FACTS = Table(
    "ledger_facts",
    _METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)


def _name_versions(connection: Connection) -> None:
    connection.execute(CreateTable(FACTS))


STEPS: dict[int, Callable[[Connection], None]] = {2: _name_versions}


def bring_up(engine: Engine, tables: MetaData, file: Path | None) -> None:
    """Make the tables of a new ledger, or bring an older one to this release's version.

    `file` is where a SQLite ledger is. Raises `Unavailable` (`storage-newer`) for one that a
    newer release wrote, unchanged; whatever fails half-way leaves the ledger as it was.
    """
    if engine.dialect.name != "sqlite":
        # What others committed while we waited for our turn has to be seen.
        engine = engine.execution_options(isolation_level="READ COMMITTED")
    with engine.begin() as connection:
        _wait_turn(connection)
        found = _version(connection)
        if found > VERSION:
            raise newer(STORE, found, VERSION)
        if found and found < VERSION:
            _copy(connection, found, file)
        for number in range(found + 1, VERSION + 1) if found else ():
            if number in STEPS:
                STEPS[number](connection)
        _METADATA.create_all(connection)
        tables.create_all(connection)
        if found != VERSION:
            connection.execute(FACTS.delete().where(FACTS.c.name == "version"))
            connection.execute(insert(FACTS).values(name="version", value=str(VERSION)))


def belong_to(connection: Connection, owner: str) -> None:
    """Note whose ledger this is. Raises `Unavailable` (`ledger-owner`) if it is another's.

    SECURITY: two regions on one ledger would answer by each other's consents.
    """
    known = _owner(connection)
    if known is None:
        connection.execute(insert(FACTS).values(name="owner", value=owner))
    elif known != owner:
        raise _of_another(known, owner)


def look(engine: Engine, owner: str) -> int:
    """The version of a ledger, 0 where there is none yet, read without changing anything.

    Raises `Unavailable` (`ledger`, `storage-newer`, `ledger-owner`).
    """
    try:
        with engine.connect() as connection:
            found = _version(connection)
            if found > VERSION:
                raise newer(STORE, found, VERSION)
            known = _owner(connection) if found > 1 else None
    except SQLAlchemyError:
        raise Unavailable(
            "the ledger cannot be opened; see that its server runs or its file is whole",
            code="ledger",
        ) from None
    if known not in {None, owner}:
        raise _of_another(known, owner)
    return found


def _owner(connection: Connection) -> str | None:
    return connection.scalar(select(FACTS.c.value).where(FACTS.c.name == "owner"))


def _of_another(known: str | None, owner: str) -> Unavailable:
    return Unavailable(
        f"this ledger is of {known}, not of {owner}; give each region a database of its own",
        code="ledger-owner",
    )


def _wait_turn(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})


def _version(connection: Connection) -> int:
    """0 where there is no ledger yet."""
    names = inspect(connection).get_table_names()
    if FACTS.name in names:
        value = connection.scalar(select(FACTS.c.value).where(FACTS.c.name == "version"))
        return int(value) if value is not None and value.isdecimal() else 0
    return 1 if "nonces" in names else 0


def _copy(connection: Connection, version: int, file: Path | None) -> None:
    if connection.dialect.name == "sqlite":
        if file is not None:
            copy_database(file, version)
        return
    names = [each for each in inspect(connection).get_table_names() if each[:7] != "before_"]
    quote = connection.dialect.identifier_preparer.quote
    for name in names:
        kept = quote(f"before_{version}_{name}")
        connection.execute(text(f"CREATE TABLE {kept} AS TABLE {quote(name)}"))
