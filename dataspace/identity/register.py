"""A region's register: certificates that it issued, which of them it revoked, the last number. Rim.

A SQLite file of the region's revocation signer. The operator's command writes into it while
the signer runs; what is in it is durable before the command says so. Nothing is ever taken
out: a certificate that was revoked stays so.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataspace.errors import Unavailable
from dataspace.identity.revoked import CertificateId, Revoked
from dataspace.sqlite_versions import bring_up

REGISTER = "register.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS issued (
    issuer BLOB NOT NULL, serial TEXT NOT NULL, spki_sha256 BLOB NOT NULL,
    uri TEXT NOT NULL, use TEXT NOT NULL, until_ms INTEGER NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT;
CREATE TABLE IF NOT EXISTS revoked (
    issuer BLOB NOT NULL, serial TEXT NOT NULL, spki_sha256 BLOB NOT NULL,
    at_ms INTEGER NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT;
CREATE TABLE IF NOT EXISTS numbers (last INTEGER NOT NULL) STRICT;
INSERT INTO numbers SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM numbers);
"""


@dataclass(frozen=True)
class Issued:
    """A certificate that the region issued: whose, and for what (`signing` or `tls`)."""

    certificate: CertificateId
    uri: str
    use: str
    until_ms: int
    revoked: Revoked | None = None


class Register:
    """One region's register. Safe between threads and processes."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        try:
            file.touch(mode=0o600)
            self._database = sqlite3.connect(file, check_same_thread=False, timeout=5)
            self._database.execute("PRAGMA journal_mode = WAL")
            # SECURITY: a revocation must outlive the machine's sudden end, and so must a number.
            self._database.execute("PRAGMA synchronous = FULL")
            bring_up(self._database, file, "register", _SCHEMA)
        except (OSError, sqlite3.Error):
            raise _unavailable(file) from None
        self._file = file

    def issue(self, issued: Iterable[Issued]) -> None:
        """Note certificates that were issued."""
        self._write(
            "INSERT OR IGNORE INTO issued VALUES (?, ?, ?, ?, ?, ?)",
            [(*_row(each.certificate), each.uri, each.use, each.until_ms) for each in issued],
        )

    def revoke(self, revoked: Iterable[Revoked]) -> int:
        """Note what holds no more; returns how many were not revoked before."""
        return self._write(
            "INSERT OR IGNORE INTO revoked VALUES (?, ?, ?, ?, ?)",
            [(*_row(each.certificate), each.revoked_at_ms, each.reason) for each in revoked],
        )

    def revoked(self) -> tuple[Revoked, ...]:
        """All that holds no more."""
        rows = self._read("SELECT issuer, serial, spki_sha256, at_ms, reason FROM revoked")
        return tuple(Revoked(_certificate(row), int(row[3]), str(row[4])) for row in rows)

    def issued(self) -> tuple[Issued, ...]:
        """All that was issued, by holder."""
        revoked = {(each.certificate.issuer, each.certificate.serial): each
                   for each in self.revoked()}  # fmt: skip
        found = []
        for row in self._read(
            "SELECT issuer, serial, spki_sha256, uri, use, until_ms FROM issued ORDER BY uri, use"
        ):
            certificate = _certificate(row)
            known = revoked.get((certificate.issuer, certificate.serial))
            found.append(Issued(certificate, str(row[3]), str(row[4]), int(row[5]), known))
        return tuple(found)

    def next_number(self, above: int = 0) -> int:
        """The number of the next list, used up for good; higher than `above`."""
        with self._lock:
            try:
                with self._database as database:
                    database.execute("UPDATE numbers SET last = max(last, ?) + 1", (above,))
                    (last,) = database.execute("SELECT last FROM numbers").fetchone()
            except sqlite3.Error:
                raise _unavailable(self._file) from None
        return int(last)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _write(self, statement: str, rows: list[tuple[object, ...]]) -> int:
        with self._lock:
            try:
                with self._database as database:
                    return database.executemany(statement, rows).rowcount
            except sqlite3.Error:
                raise _unavailable(self._file) from None

    def _read(self, statement: str) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                with closing(self._database.execute(statement)) as cursor:
                    return cursor.fetchall()
            except sqlite3.Error:
                raise _unavailable(self._file) from None


def _row(certificate: CertificateId) -> tuple[bytes, str, bytes]:
    # A serial number has up to 159 bits, more than an INTEGER of SQLite.
    return certificate.issuer, str(certificate.serial), certificate.spki_sha256


def _certificate(row: tuple[Any, ...]) -> CertificateId:
    issuer, serial, key = row[:3]
    return CertificateId(issuer, int(serial), key)


def _unavailable(file: Path) -> Unavailable:
    return Unavailable(
        f"the register {file} cannot be used; look at its permissions, or restore it",
        code="register",
    )
