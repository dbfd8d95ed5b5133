"""The search index beside a log. Rim: a SQLite file.

Derived from entries and bodies alone, and so never mended: what is missing, damaged, of
another log or of other columns is thrown away and built anew. Knows no more of entries than
the columns handed to it. What came of a body is kept apart, and goes when the body goes.

    entries(idx, at_ms)            blocks(number, low_ms, high_ms)      256 entries each
    postings(col, value, idx)      body_postings(col, value, idx)       bodies(idx, key, at_ms)
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from dataspace.audit.index_search import Found, Search, count, find
from dataspace.errors import Unavailable

VERSION = 1
BLOCK = 256
_OF_KIND = {"kind": 0, "family": 1}
_MAX_VALUE = 512  # characters of a value that are searched

Reader: TypeAlias = Callable[[Mapping[str, object]], Iterable[str]]

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (idx INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL);
CREATE TABLE blocks (number INTEGER PRIMARY KEY, low_ms INTEGER NOT NULL,
                     high_ms INTEGER NOT NULL);
CREATE TABLE postings (col INTEGER NOT NULL, value TEXT NOT NULL, idx INTEGER NOT NULL,
                       PRIMARY KEY (col, value, idx)) WITHOUT ROWID;
CREATE TABLE body_postings (col INTEGER NOT NULL, value TEXT NOT NULL, idx INTEGER NOT NULL,
                            PRIMARY KEY (col, value, idx)) WITHOUT ROWID;
CREATE INDEX body_postings_of ON body_postings (idx);
CREATE TABLE bodies (idx INTEGER PRIMARY KEY, key TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE INDEX bodies_by_key ON bodies (key);
CREATE INDEX bodies_by_time ON bodies (at_ms);
"""


@dataclass(frozen=True)
class Column:
    """One searchable column: `read` gives its values from an entry's fields, or a body's."""

    name: str
    of_body: bool
    read: Reader


@dataclass(frozen=True)
class Columns:
    """The columns in order; `kind`, and its first word as `family`, are always there."""

    columns: tuple[Column, ...]

    @property
    def sha256(self) -> str:
        """Tells one set of columns, and one form of the file, from another."""
        names = [f"{each.name}:{each.of_body}" for each in self.columns]
        return hashlib.sha256("\n".join([str(VERSION), *names]).encode()).hexdigest()

    def place(self, name: str) -> tuple[int, bool]:
        """A column's number, and whether it is of the body."""
        if name in _OF_KIND:
            return _OF_KIND[name], False
        for number, each in enumerate(self.columns, len(_OF_KIND)):
            if each.name == name:
                return number, each.of_body
        raise KeyError(name)


@dataclass(frozen=True)
class Indexed:
    """One entry as the index takes it; `body` is None where there is none, or none any more."""

    index: int
    at_ms: int
    kind: str
    fields: Mapping[str, object]
    body_key: str | None
    body: Mapping[str, object] | None


class AuditIndex:
    """The index of one log. One writer; any number of threads search."""

    def __init__(self, file: Path, origin: str, columns: Columns) -> None:
        self.columns = columns
        self._file = file
        self._origin = origin
        self._write = threading.Lock()
        self._size = 0
        try:
            self._open()
        except sqlite3.Error:
            self._throw_away()
            self._open_or_give_up()

    @property
    def size(self) -> int:
        """How many entries are indexed; they are the log's first."""
        return self._size

    def last_leaf(self) -> str:
        """The leaf hash of the last entry indexed, in hexadecimal; empty for none."""
        with self._sane():
            found = self._connection.execute(
                "SELECT value FROM meta WHERE name = 'leaf'"
            ).fetchone()
        return str(found[0]) if found else ""

    def start_anew(self) -> None:
        """Throw everything away: the log is not the one that was indexed."""
        with self._write:
            self._connection.close()
            self._throw_away()
            self._open_or_give_up()

    def add(self, entries: Sequence[Indexed], last_leaf: str) -> None:
        """Take the next entries, all or none. They must follow what is there."""
        if not entries:
            return
        with self._sane(), self._write, self._connection:
            run = self._connection
            if entries[0].index != self._size:
                raise Unavailable("the index and the log do not meet; restart", code="index")
            run.executemany(
                "INSERT INTO entries VALUES (?, ?)", [(e.index, e.at_ms) for e in entries]
            )
            run.executemany(
                "INSERT INTO blocks VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET "
                "low_ms = min(low_ms, excluded.low_ms), high_ms = max(high_ms, excluded.high_ms)",
                [(e.index // BLOCK, e.at_ms, e.at_ms) for e in entries],
            )
            postings, of_bodies = self._postings(entries)
            run.executemany("INSERT OR IGNORE INTO postings VALUES (?, ?, ?)", postings)
            run.executemany("INSERT OR IGNORE INTO body_postings VALUES (?, ?, ?)", of_bodies)
            run.executemany(
                "INSERT INTO bodies VALUES (?, ?, ?)",
                [
                    (e.index, e.body_key, e.at_ms)
                    for e in entries
                    if e.body is not None and e.body_key
                ],
            )
            run.execute("INSERT OR REPLACE INTO meta VALUES ('leaf', ?)", (last_leaf,))
        self._size = entries[-1].index + 1

    def search(self, search: Search) -> Found:
        """One page of what fits. Raises `Unavailable` where the file cannot be read."""
        with self._sane(), closing(self._reading()) as reading:
            return find(reading, search, self.columns.place, BLOCK)

    def count(self, search: Search) -> int:
        """How many entries fit; `limit` and `next` do not matter."""
        with self._sane(), closing(self._reading()) as reading:
            return count(reading, search, self.columns.place, BLOCK)

    def erase(self, key: str) -> None:
        """Forget everything that came of a body."""
        with self._sane(), self._write, self._connection as run:
            run.execute(
                "DELETE FROM body_postings WHERE idx IN (SELECT idx FROM bodies WHERE key = ?)",
                (key,),
            )
            run.execute("DELETE FROM bodies WHERE key = ?", (key,))
        # SECURITY: the write-ahead file still holds the words until it is taken in.
        with self._sane(), self._write:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def bodies_before(self, at_ms: int, most: int) -> list[str]:
        """Keys of bodies whose entries are older, oldest first."""
        with self._sane(), closing(self._reading()) as reading:
            found = reading.execute(
                "SELECT key FROM bodies WHERE at_ms < ? ORDER BY at_ms LIMIT ?", (at_ms, most)
            )
            return [str(row[0]) for row in found]

    def close(self) -> None:
        """Let go of the file."""
        with self._write:
            self._connection.close()

    def _postings(
        self, entries: Sequence[Indexed]
    ) -> tuple[list[tuple[int, str, int]], list[tuple[int, str, int]]]:
        postings: list[tuple[int, str, int]] = [(0, each.kind, each.index) for each in entries]
        postings += [(1, each.kind.partition(".")[0], each.index) for each in entries]
        of_bodies: list[tuple[int, str, int]] = []
        for number, column in enumerate(self.columns.columns, len(_OF_KIND)):
            target = of_bodies if column.of_body else postings
            for each in entries:
                source = each.body if column.of_body else each.fields
                if source is not None:
                    target.extend(
                        (number, value[:_MAX_VALUE], each.index)
                        for value in column.read(source)
                        if value
                    )
        return sorted(postings), sorted(of_bodies)

    def _open(self) -> None:
        self._file.touch(mode=0o600)
        self._connection = sqlite3.connect(self._file, check_same_thread=False)
        run = self._connection
        run.execute("PRAGMA journal_mode = WAL")
        run.execute("PRAGMA synchronous = OFF")  # what is lost is built anew
        run.execute("PRAGMA secure_delete = ON")  # erased bodies leave no words in the file
        made_for = f"{self._origin} {self.columns.sha256}"
        if run.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            run.executescript(_SCHEMA)
            run.execute("INSERT INTO meta VALUES ('made_for', ?)", (made_for,))
            run.execute(f"PRAGMA user_version = {VERSION}")
            run.commit()
        found = run.execute("SELECT value FROM meta WHERE name = 'made_for'").fetchone()
        if found is None or found[0] != made_for:
            raise sqlite3.DatabaseError("made for other columns")
        held, last = run.execute("SELECT count(*), max(idx) FROM entries").fetchone()
        if held != (0 if last is None else last + 1):
            raise sqlite3.DatabaseError("entries are missing")
        self._size = int(held)

    def _open_or_give_up(self) -> None:
        try:
            self._open()
        except sqlite3.Error:
            raise Unavailable(
                f"the index {self._file.name} cannot be made; look at the disk", code="index"
            ) from None

    def _throw_away(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)

    def _reading(self) -> sqlite3.Connection:
        reading = sqlite3.connect(self._file)
        reading.execute("PRAGMA query_only = ON")
        return reading

    @contextmanager
    def _sane(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error:
            raise Unavailable(
                "the index cannot be read; it is built anew at the next start", code="index"
            ) from None
