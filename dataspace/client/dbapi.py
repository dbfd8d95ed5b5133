"""A PEP 249 driver: `pandas.read_sql`, `polars.read_database` and their like work on it.

    connection = dbapi.connect(home="…", actor="hongkong/researcher", purpose="HRESCH")
    pandas.read_sql("SELECT region, count(*) AS n FROM patients GROUP BY region", connection)

Reads only. Parameters are written into the text as constants, since a signed question is
one text; the text is parsed by every gate all the same. Source: PEP 249.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot.errors import SqlglotError

from dataspace.client.homes import actor_home
from dataspace.client.release import Release
from dataspace.client.session import Session
from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"

Parameter = bool | int | float | str | Decimal | datetime.date | datetime.datetime | None
Row = tuple[Any, ...]


class Warning(Exception):
    """Never raised here."""


class Error(Exception):
    """Base of PEP 249's errors; `__cause__` is the space's own error."""


class InterfaceError(Error):
    """The driver was used wrongly."""


class DatabaseError(Error):
    """The space said no."""


class DataError(DatabaseError):
    """Never raised here."""


class OperationalError(DatabaseError):
    """A participant is away."""


class IntegrityError(DatabaseError):
    """What came back does not verify."""


class InternalError(DatabaseError):
    """Never raised here."""


class ProgrammingError(DatabaseError):
    """The SQL is malformed."""


class NotSupportedError(DatabaseError):
    """Reading is all there is."""


class RefusedError(DatabaseError):
    """A rule refuses: `rule` and `basis` name it."""

    def __init__(self, message: str, rule: str, basis: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.basis = basis


STRING, NUMBER, DATETIME, BINARY, ROWID = "STRING", "NUMBER", "DATETIME", "BINARY", "ROWID"


def connect(
    home: str | Path | None = None,
    actor: str | None = None,
    *,
    purpose: str,
    project: str = "",
    require: str = "all",
) -> Connection:
    """A connection for one actor and one purpose (an HL7 v3 ActReason code)."""
    try:
        session = Session(actor_home(Path(home) if home is not None else None, actor))
    except DataspaceError as error:
        raise translated(error) from error
    return Connection(session, purpose, project, require)


def translated(error: DataspaceError) -> Error:
    """The PEP 249 error for one of the space's."""
    if isinstance(error, Malformed):
        return ProgrammingError(error.message)
    if isinstance(error, Unavailable):
        return OperationalError(error.message)
    if isinstance(error, Unverified):
        return IntegrityError(error.message)
    return RefusedError(error.message, error.rule, error.basis)


class Connection:
    """One session. There are no transactions: `commit` and `rollback` have nothing to do."""

    def __init__(self, session: Session, purpose: str, project: str, require: str) -> None:
        self._session: Session | None = session
        self._purpose = purpose
        self._project = project
        self._require = require

    def cursor(self) -> Cursor:
        """A new cursor."""
        self._open()
        return Cursor(self)

    def commit(self) -> None:
        """Nothing to do."""
        self._open()

    def rollback(self) -> None:
        """Nothing to do."""
        self._open()

    def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def ask(self, sql: str) -> Release:
        """Ask one question and return the whole release."""
        try:
            return self._open().query(
                sql, purpose=self._purpose, project=self._project, require=self._require
            )
        except DataspaceError as error:
            raise translated(error) from error

    def _open(self) -> Session:
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
        """Ask one SELECT; `?` stand for parameters."""
        self._check_open()
        self.release = self.connection.ask(write_parameters(operation, parameters))
        self._rows = iter(self.release.answer.rows)
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

    def __iter__(self) -> Iterator[Row]:
        self._check_asked()
        return self._rows

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed")

    def _check_asked(self) -> None:
        self._check_open()
        if self.release is None:
            raise InterfaceError("execute a question first")


def write_parameters(operation: str, parameters: Sequence[Parameter]) -> str:
    """The text with each `?` outside of strings and comments replaced by a constant."""
    if isinstance(parameters, Mapping | str):
        raise InterfaceError("parameters are a sequence, one for each ?")
    try:
        tokens = sqlglot.tokenize(operation, read="duckdb")
    except SqlglotError:
        raise ProgrammingError("a quote or comment is not closed") from None
    places = [token.start for token in tokens if token.token_type.name == "PLACEHOLDER"]
    if len(places) != len(parameters):
        raise ProgrammingError(f"{len(places)} places for {len(parameters)} parameters")
    text = operation
    for place, value in reversed(list(zip(places, parameters, strict=True))):
        text = text[:place] + _constant(value) + text[place + 1 :]
    return text


def _constant(value: Parameter) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | Decimal():
            return f"({value})" if value < 0 else str(value)
        case float():
            number = Decimal(repr(value))
            if not number.is_finite():
                raise ProgrammingError("a parameter must be a finite number")
            return f"({number:f})" if number < 0 else f"{number:f}"
        case datetime.datetime():
            return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ')}'"
        case datetime.date():
            return f"DATE '{value.isoformat()}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
    raise InterfaceError(f"a parameter of type {type(value).__name__} is not supported")


def _type_code(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NUMBER
    return DATETIME if pa.types.is_temporal(kind) else STRING
