"""What a region's node must remember across restarts: nonces, and how late it was. Rim.

(leaf digest, nonce) is unique until expiry + 60 s. A high-water mark of the clock refuses
whatever would have expired before it, so that a clock set back admits nothing. Replicas of a
node that share a ledger on PostgreSQL share all of it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from dataspace.errors import Refused, Unavailable
from dataspace.home import PartyHome
from dataspace.identity.freshness import MAX_LIFE_MS
from node.ledger_database import PASSWORD_FILE, may_succeed_again, open_engine, writes
from node.ledger_versions import belong_to, bring_up

FILE = "ledger.db"
GRACE_MS = 60_000
_MARK, _RESTORED = "clock", "restored"
_STEP_MS = 1_000  # the mark goes on in steps: replicas would wait for each other at each claim
_ATTEMPTS = 10
_PAUSE_SECONDS, _LONGEST_SECONDS = 0.01, 0.2  # before the second attempt; doubled each time

T = TypeVar("T")

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


def ledger_owner(home: PartyHome) -> str:
    """Whose ledger a node's is: its space and region."""
    return f"{home.config.space}/{home.uri.region}"


class Ledger:
    """The ledger of one region. Safe for any number of threads, and of processes."""

    def __init__(
        self, url: str | URL, file: Path | None = None, password_file: Path | None = None
    ) -> None:
        self._engine = open_engine(url, password_file)
        self._writer = writes(self._engine)
        alone = self._engine.dialect.name == "sqlite"
        turn = threading.Lock()  # waiting here is fair; SQLite's own waiting is not
        self._turn: AbstractContextManager[object] = turn if alone else nullcontext()
        in_memory = alone and not self._engine.url.database
        self._reading: AbstractContextManager[object] = turn if in_memory else nullcontext()
        try:
            bring_up(self._writer, _METADATA, file)
        except SQLAlchemyError:
            raise Unavailable(
                "the ledger cannot be opened; see that its server runs or its file is whole",
                code="ledger",
            ) from None
        self.write(_start_mark)

    @classmethod
    def in_file(cls, file: Path) -> Ledger:
        """A ledger in a SQLite file, readable by its owner only."""
        try:
            file.touch(mode=0o600)
        except OSError:
            raise Unavailable("the ledger cannot be opened", code="ledger") from None
        # A path may hold what a URL would read as its own.
        return cls(URL.create("sqlite", database=str(file)), file)

    @classmethod
    def in_memory(cls) -> Ledger:
        """A ledger that forgets everything at its end."""
        return cls(URL.create("sqlite"))

    @classmethod
    def of_home(cls, folder: Path, url: str, owner: str) -> Ledger:
        """The ledger of a node's directory: at `url`, or in a file where it is empty.

        Raises `Unavailable` (`ledger-owner`) where it is another region's.
        """
        ledger = cls(url, password_file=folder / PASSWORD_FILE) if url else cls.in_file(
            folder / FILE
        )  # fmt: skip
        ledger.write(lambda connection: belong_to(connection, owner))
        return ledger

    def create(self, tables: MetaData) -> None:
        """Make tables that others keep here, where they are not there yet."""
        try:
            bring_up(self._writer, tables, None)
        except SQLAlchemyError:
            raise Unavailable("the ledger cannot be opened", code="ledger") from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by. Raises `Unavailable` where the ledger cannot tell."""
        try:
            with self._reading, self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError:
            raise Unavailable("the ledger cannot be read; ask again", code="ledger") from None

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, in a transaction as if it ran alone, durable when this returns.

        `work` runs anew, some ten times, where another transaction came between: it must do
        nothing but through its connection. What it raises undoes it. `IntegrityError` passes:
        it means that another was quicker. Raises `Unavailable` where the ledger cannot tell.
        """
        for attempt in range(_ATTEMPTS):
            if attempt:
                pause = min(_PAUSE_SECONDS * 2**attempt, _LONGEST_SECONDS)
                time.sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 - no secret
            try:
                with self._turn, self._writer.begin() as connection:
                    return work(connection)
            except IntegrityError:
                raise
            except DBAPIError as error:
                if not may_succeed_again(error):
                    # What was lost with a connection may be done or not: nobody tries again here.
                    raise _unwritten() from None
            except SQLAlchemyError:
                raise _unwritten() from None
        raise Unavailable("the ledger is too busy; ask again", code="ledger-busy")

    def claim(self, replay_key: bytes, expires_ms: int, now_ms: int) -> None:
        """Use a nonce up, durably. Raises `Refused` by rule `replay`, `clock-set-back` or
        `restored`.

        Raises `Unavailable` where the ledger cannot tell: then nothing is answered.
        """
        try:
            self.write(lambda connection: _claim(connection, replay_key, expires_ms, now_ms))
        except IntegrityError:
            raise _refused("replay", "this request was used already; sign it anew") from None

    def note_restored(self, at_ms: int) -> None:
        """This ledger is an older copy, put back at `at_ms`: admit nothing that may have been
        used since it was made.

        Whatever was signed before then has expired `MAX_LIFE_MS` later, by clocks that differ
        by no more than the grace.
        """
        until = at_ms + MAX_LIFE_MS + GRACE_MS

        def raise_marks(connection: Connection) -> None:
            for name in (_MARK, _RESTORED):
                known = connection.scalar(select(_MARKS.c.at_ms).where(_MARKS.c.name == name))
                if known is None:
                    connection.execute(insert(_MARKS).values(name=name, at_ms=until))
                elif known < until:
                    connection.execute(
                        update(_MARKS).where(_MARKS.c.name == name).values(at_ms=until)
                    )

        self.write(raise_marks)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _start_mark(connection: Connection) -> None:
    if connection.scalar(select(_MARKS.c.at_ms).where(_MARKS.c.name == _MARK)) is None:
        connection.execute(insert(_MARKS).values(name=_MARK, at_ms=0))


def _claim(connection: Connection, replay_key: bytes, expires_ms: int, now_ms: int) -> None:
    connection.execute(insert(_NONCES).values(replay_key=replay_key, expires_ms=expires_ms))
    rows = connection.execute(select(_MARKS.c.name, _MARKS.c.at_ms))
    marks = {name: at_ms for name, at_ms in rows}  # noqa: C416 - rows are no tuples to mypy
    mark = marks.get(_MARK)
    # INVARIANT: nonces are forgotten only below the mark, and below it nothing is admitted.
    if mark is None or expires_ms <= mark:
        raise _too_early(expires_ms, marks.get(_RESTORED, 0))
    if now_ms - GRACE_MS >= mark + _STEP_MS:
        mark = now_ms - GRACE_MS
        connection.execute(update(_MARKS).where(_MARKS.c.name == _MARK).values(at_ms=mark))
        connection.execute(delete(_NONCES).where(_NONCES.c.expires_ms <= mark))


def _too_early(expires_ms: int, restored_ms: int) -> Refused:
    if expires_ms > restored_ms:
        return _refused("clock-set-back", "this request expired before; sign it anew")
    when = datetime.fromtimestamp(restored_ms / 1000, UTC).strftime("%H:%M:%S")
    return _refused(
        "restored", f"this node was restored from a backup: sign it anew after {when} UTC"
    )


def _unwritten() -> Unavailable:
    return Unavailable("the ledger cannot be written; ask again", code="ledger")


def _refused(rule: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis="space rule: freshness")
