"""A PEP 249 driver: `pandas.read_sql`, `polars.read_database` and their like work on it.

    connection = dbapi.connect(home="…", actor="hongkong/researcher", purpose="HRESCH")
    pandas.read_sql("SELECT region, count(*) AS n FROM patients GROUP BY region", connection)

Reads only. Parameters are written into the text as constants, since a signed question is
one text; the text is parsed by every gate all the same. Source: PEP 249.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataspace.client.driver_errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    RefusedError,
    Warning,
    translated,
)
from dataspace.client.homes import actor_home
from dataspace.client.parameters import Parameter, write_parameters
from dataspace.client.release import Release
from dataspace.client.session import Session
from dataspace.errors import DataspaceError

__all__ = [
    "BINARY", "DATETIME", "NUMBER", "ROWID", "STRING",
    "Binary", "Connection", "Cursor", "DataError", "DatabaseError", "Date", "DateFromTicks",
    "Error", "IntegrityError", "InterfaceError", "InternalError", "NotSupportedError",
    "OperationalError", "ProgrammingError", "RefusedError", "Time", "TimeFromTicks", "Timestamp",
    "TimestampFromTicks", "Warning", "apilevel", "connect", "paramstyle", "threadsafety",
]  # fmt: skip

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"

Row = tuple[Any, ...]

STRING, NUMBER, DATETIME, BINARY, ROWID = "STRING", "NUMBER", "DATETIME", "BINARY", "ROWID"

# PEP 249's constructors. No column holds a time of day or bytes: as parameters both are refused.
Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:
    """The local date of seconds since the epoch."""
    return datetime.date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:
    """The local time of day of seconds since the epoch."""
    return datetime.time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    """The local moment of seconds since the epoch."""
    return datetime.datetime(*time.localtime(ticks)[:6])


def connect(
    home: str | Path | None = None,
    actor: str | None = None,
    *,
    purpose: str,
    project: str = "",
    require: str = "all",
) -> Connection:
    """A connection for one actor and one purpose (an HL7 v3 ActReason code).

    `require`: `all` regions have to answer, or `any`. Raises PEP 249's errors.
    """
    if require not in {"all", "any"}:
        raise InterfaceError("require is 'all' or 'any'")
    try:
        session = Session(actor_home(Path(home) if home is not None else None, actor))
    except DataspaceError as error:
        raise translated(error) from error
    return Connection(session, purpose, project, require)


class Connection:
    """One session. There are no transactions: `commit` and `rollback` have nothing to do.

    PEP 249's optional extensions: the errors as attributes, and a `with` block that closes.
    """

    Warning, Error, InterfaceError, DatabaseError = Warning, Error, InterfaceError, DatabaseError
    DataError, OperationalError, IntegrityError = DataError, OperationalError, IntegrityError
    InternalError, ProgrammingError = InternalError, ProgrammingError
    NotSupportedError, RefusedError = NotSupportedError, RefusedError

    def __init__(self, session: Session, purpose: str, project: str, require: str) -> None:
        self._session: Session | None = session
        self._purpose = purpose
        self._project = project
        self._require = require

    def cursor(self) -> Cursor:
        """A new cursor."""
        self.check_open()
        return Cursor(self)

    def commit(self) -> None:
        """Nothing to do."""
        self.check_open()

    def rollback(self) -> None:
        """Nothing to do."""
        self.check_open()

    def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def ask(self, sql: str) -> Release:
        """Ask one question and return the whole release."""
        try:
            return self.check_open().query(
                sql, purpose=self._purpose, project=self._project, require=self._require
            )
        except DataspaceError as error:
            raise translated(error) from error

    def check_open(self) -> Session:
        """The session. Raises `InterfaceError` where it is closed."""
        if self._session is None:
            raise InterfaceError("the connection is closed; connect again")
        return self._session

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Cursor:
    """Asks, and hands out the rows of the answer."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.release: Release | None = None
        self._rows: Iterator[Row] = iter(())
        self._closed = False

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """Seven values a column: name, type code, and five that are not known."""
        if self.release is None:
            return None
        table = self.release.table
        return [(field.name, _type_code(field.type), *[None] * 5) for field in table.schema]

    @property
    def rowcount(self) -> int:
        """Rows of the last answer, or -1."""
        return -1 if self.release is None else len(self.release.answer.rows)

    def execute(self, operation: str, parameters: Sequence[Parameter] = ()) -> Cursor:
        """Ask one SELECT; each `?` stands for a parameter. Afterwards `release` is the whole
        answer, with what each region came to."""
        self._check_open()
        self.release, self._rows = None, iter(())
        self.release = self.connection.ask(write_parameters(operation, parameters))
        columns = [column.to_pylist() for column in self.release.table.columns]
        self._rows = zip(*columns, strict=True)
        return self

    def executemany(self, operation: str, seq_of_parameters: Sequence[Sequence[Any]]) -> None:
        """Not supported: a question is asked once."""
        raise NotSupportedError("ask one question at a time with execute")

    def fetchone(self) -> Row | None:
        """The next row, or None."""
        self._check_asked()
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """So many rows, or `arraysize`."""
        self._check_asked()
        wanted = self.arraysize if size is None else size
        return [row for _, row in zip(range(wanted), self._rows, strict=False)]

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        self._check_asked()
        return list(self._rows)

    def fetch_arrow_table(self) -> pa.Table:
        """The whole answer as a pyarrow table."""
        self._check_asked()
        assert self.release is not None
        return self.release.table

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Nothing to do."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """No more from this cursor."""
        self._closed = True
        self.release, self._rows = None, iter(())

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        self._check_asked()
        return next(self._rows)

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed; make another")
        self.connection.check_open()

    def _check_asked(self) -> None:
        self._check_open()
        if self.release is None:
            raise InterfaceError("execute a question first")


def _type_code(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NUMBER
    return DATETIME if pa.types.is_temporal(kind) else STRING
