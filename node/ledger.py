"""What a region's node must remember across restarts: nonces, and how late it was. Rim.

(leaf digest, nonce) is unique until expiry + 60 s. A high-water mark of the clock refuses
whatever would have expired before it, so that a clock set back admits nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from dataspace.errors import Refused, Unavailable

GRACE_MS = 60_000
_MARK = "clock"

_METADATA = MetaData()
_NONCES = Table(
    "nonces",
    _METADATA,
    Column("replay_key", LargeBinary(48), primary_key=True),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)
_MARKS = Table(
    "marks",
    _METADATA,
    Column("name", String(32), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)


class Ledger:
    """The ledger of one region. Safe for any number of threads."""

    def __init__(self, url: str | URL) -> None:
        parsed = make_url(url)
        in_memory = parsed.drivername.startswith("sqlite") and not parsed.database
        # What is in memory is in one connection, whose turn has to be waited for.
        self._engine = (
            create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
            if in_memory
            else create_engine(url)
        )
        self._turn = threading.Lock()  # waiting here is fair; SQLite's own waiting is not
        self._reading: AbstractContextManager[object] = self._turn if in_memory else nullcontext()
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _make_durable)
        try:
            _METADATA.create_all(self._engine)
            self._start_mark()
        except SQLAlchemyError:
            raise Unavailable("the ledger cannot be opened", code="ledger") from None

    def _start_mark(self) -> None:
        with self._engine.begin() as connection:
            if connection.scalar(select(_MARKS.c.at_ms)) is None:
                connection.execute(insert(_MARKS).values(name=_MARK, at_ms=0))

    @classmethod
    def in_file(cls, file: Path) -> Ledger:
        """A ledger in a SQLite file, readable by its owner only."""
        try:
            file.touch(mode=0o600)
        except OSError:
            raise Unavailable("the ledger cannot be opened", code="ledger") from None
        # A path may hold what a URL would read as its own.
        return cls(URL.create("sqlite", database=str(file)))

    @classmethod
    def in_memory(cls) -> Ledger:
        """A ledger that forgets everything at its end."""
        return cls(URL.create("sqlite"))

    def create(self, tables: MetaData) -> None:
        """Make tables that others keep here, where they are not there yet."""
        try:
            tables.create_all(self._engine)
        except SQLAlchemyError:
            raise Unavailable("the ledger cannot be opened", code="ledger") from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by. Raises `Unavailable` where the ledger cannot tell."""
        try:
            with self._reading, self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError:
            raise Unavailable("the ledger cannot be read", code="ledger") from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable once it ends, and undone where anything is raised.

        `IntegrityError` passes: it means that another was quicker.
        """
        try:
            with self._turn, self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError:
            raise Unavailable("the ledger cannot be written", code="ledger") from None

    def claim(self, replay_key: bytes, expires_ms: int, now_ms: int) -> None:
        """Use a nonce up, durably. Raises `Refused` by rule `replay` or `clock-set-back`.

        Raises `Unavailable` where the ledger cannot tell: then nothing is answered.
        """
        try:
            with self._turn, self._engine.begin() as connection:
                # Writing first takes SQLite's write lock, so that reading the mark is safe.
                connection.execute(
                    insert(_NONCES).values(replay_key=replay_key, expires_ms=expires_ms)
                )
                mark = connection.scalar(select(_MARKS.c.at_ms).where(_MARKS.c.name == _MARK))
                # INVARIANT: nonces are forgotten only below the mark, and below it nothing
                # is admitted.
                if mark is None or expires_ms <= mark:
                    raise _refused("clock-set-back", "this request expired before; sign it anew")
                if now_ms - GRACE_MS > mark:
                    self._advance(connection, now_ms - GRACE_MS)
        except IntegrityError:
            raise _refused("replay", "this request was used already; sign it anew") from None
        except SQLAlchemyError:
            raise Unavailable("the ledger cannot be written", code="ledger") from None

    def _advance(self, connection: Connection, mark: int) -> None:
        connection.execute(update(_MARKS).where(_MARKS.c.name == _MARK).values(at_ms=mark))
        connection.execute(delete(_NONCES).where(_NONCES.c.expires_ms <= mark))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _make_durable(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a DB-API connection
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.close()


def _refused(rule: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis="space rule: freshness")
