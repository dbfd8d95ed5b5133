"""What a witness remembers of each log, across restarts. Rim: SQLite, or memory for tests."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from dataspace.audit.witness import Seen
from dataspace.errors import Unavailable
from dataspace.sqlite_versions import bring_up

_REMEMBERED = 100_000  # checkpoints of one log that are kept, some 300 bytes each

_PRUNE_EACH = 1_000
_PRUNE = """
DELETE FROM earlier WHERE origin = ? AND size < (
    SELECT min(size) FROM (SELECT size FROM earlier WHERE origin = ? ORDER BY size DESC LIMIT ?)
)
"""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS earlier (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (origin, size)
) STRICT;
"""


class MemoryWitnessStore:
    """Remembers until the process ends. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._earlier: dict[tuple[str, int], Seen] = {}

    def seen(self, origin: str) -> Seen | None:
        """See `WitnessStore`."""
        return self._seen.get(origin)

    def earlier(self, origin: str, size: int) -> Seen | None:
        """See `WitnessStore`."""
        return self._earlier.get((origin, size))

    def advance(self, origin: str, old: Seen | None, new: Seen) -> bool:
        """See `WitnessStore`."""
        with self._lock:
            if self._seen.get(origin) != old:
                return False
            self._seen[origin] = new
            self._earlier[origin, new.size] = new
            return True


class SqliteWitnessStore:
    """Remembers in a file that its owner alone reads. Safe between threads and processes."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        try:
            file.touch(mode=0o600)
            self._database = sqlite3.connect(
                file, isolation_level=None, check_same_thread=False, timeout=5
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            # SECURITY: what was cosigned must outlive the machine's sudden end.
            self._database.execute("PRAGMA synchronous = FULL")
            bring_up(self._database, file, "witness", _SCHEMA)
        except (OSError, sqlite3.Error):
            raise _unavailable() from None

    def seen(self, origin: str) -> Seen | None:
        """See `WitnessStore`."""
        row = self._one("SELECT size, root, note FROM seen WHERE origin = ?", origin)
        return None if row is None else Seen(*row)

    def earlier(self, origin: str, size: int) -> Seen | None:
        """See `WitnessStore`."""
        sql = "SELECT size, root, note FROM earlier WHERE origin = ? AND size = ?"
        row = self._one(sql, origin, size)
        return None if row is None else Seen(*row)

    def advance(self, origin: str, old: Seen | None, new: Seen) -> bool:
        """See `WitnessStore`."""
        with self._lock, closing(self._database.cursor()) as cursor:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                try:
                    moved = self._advance(cursor, origin, old, new)
                    cursor.execute("COMMIT" if moved else "ROLLBACK")
                except BaseException:
                    cursor.execute("ROLLBACK")
                    raise
            except sqlite3.Error:
                raise _unavailable() from None
        return moved

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def _advance(self, cursor: sqlite3.Cursor, origin: str, old: Seen | None, new: Seen) -> bool:
        row = cursor.execute(
            "SELECT size, root, note FROM seen WHERE origin = ?", (origin,)
        ).fetchone()
        if (None if row is None else Seen(*row)) != old:
            return False
        cursor.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)",
            (origin, new.size, new.root, new.note_text),
        )
        cursor.execute(
            "INSERT OR REPLACE INTO earlier VALUES (?, ?, ?, ?)",
            (origin, new.size, new.root, new.note_text),
        )
        if old is not None and old.size // _PRUNE_EACH != new.size // _PRUNE_EACH:
            cursor.execute(_PRUNE, (origin, origin, _REMEMBERED))
        return True

    def _one(self, sql: str, *values: str | int) -> Any:
        try:
            with self._lock:
                return self._database.execute(sql, values).fetchone()
        except sqlite3.Error:
            raise _unavailable() from None


def _unavailable() -> Unavailable:
    return Unavailable("the witness cannot remember: its store fails", code="witness-store")
