"""Versions of a ledger: older ones go forward after a copy, newer ones are left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from dataspace.errors import Refused, Unavailable
from node import ledger_versions
from node.ledger import Ledger
from tests.contract.conftest import write_password
from tests.postgres import Postgres

NOW = 1_800_000_000_000
EXPIRY = NOW + 300_000
USED = b"u" * 48
# As releases before versions left it.
VERSION_1 = (
    "create table nonces (replay_key {blob} not null primary key, expires_ms bigint not null)",
    "create table marks (name varchar(32) not null primary key, at_ms bigint not null)",
    "insert into marks values ('clock', 5)",
)


def old_file(folder: Path) -> Path:
    file = folder / "ledger.db"
    with closing(sqlite3.connect(file)) as opened, opened:
        for statement in VERSION_1:
            opened.execute(statement.format(blob="blob"))
        opened.execute("insert into nonces values (?, ?)", (USED, EXPIRY))
    return file


def test_a_file_of_an_older_release_goes_forward_and_a_copy_is_kept(tmp_path: Path) -> None:
    file = old_file(tmp_path)
    for _ in range(2):
        ledger = Ledger.in_file(file)
        with pytest.raises(Refused):
            ledger.claim(USED, EXPIRY, NOW)
        ledger.close()
    copy = tmp_path / "ledger.db.before-1"
    assert copy.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copy)) as opened:
        tables = {row[0] for row in opened.execute("select name from sqlite_schema")}
        assert "ledger_facts" not in tables
        assert opened.execute("select replay_key from nonces").fetchall() == [(USED,)]


def test_tables_of_an_older_release_go_forward_and_copies_are_kept(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.database()
    with postgres.connect(database) as other:
        for statement in VERSION_1:
            other.execute(statement.format(blob="bytea"))
        other.execute("insert into nonces values (%s, %s)", (USED, EXPIRY))
    write_password(tmp_path, postgres)
    for _ in range(2):
        ledger = Ledger.of_home(tmp_path, postgres.url(database), "gba/hongkong")
        with pytest.raises(Refused):
            ledger.claim(USED, EXPIRY, NOW)
        ledger.close()
    with postgres.connect(database) as other:
        assert other.execute("select expires_ms from before_1_nonces").fetchall() == [(EXPIRY,)]


def test_a_newer_ledger_is_refused_and_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger.in_file(file)
    ledger.write(lambda c: c.execute(text("update ledger_facts set value = '99'")).rowcount)
    ledger.close()
    before = file.read_bytes()
    with pytest.raises(Unavailable) as caught:
        Ledger.in_file(file)
    assert caught.value.code == "storage-newer"
    assert "newer release" in caught.value.message
    assert file.read_bytes() == before


def test_a_step_that_fails_leaves_the_ledger_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = old_file(tmp_path)

    def broken(connection: Connection) -> None:
        connection.execute(text("drop table nonces"))
        connection.execute(text("no such statement"))

    monkeypatch.setitem(ledger_versions.STEPS, 2, broken)
    with pytest.raises(Unavailable):
        Ledger.in_file(file)
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("select replay_key from nonces").fetchall() == [(USED,)]
    monkeypatch.undo()
    with pytest.raises(Refused):
        Ledger.in_file(file).claim(USED, EXPIRY, NOW)


def test_a_restored_ledger_admits_nothing_that_was_signed_before(tmp_path: Path) -> None:
    ledger = Ledger.in_file(tmp_path / "ledger.db")
    ledger.note_restored(NOW)
    # Signed up to the restore, it may have been used after the copy was made.
    for expiry in (NOW + 1, EXPIRY, EXPIRY + 60_000):
        with pytest.raises(Refused) as caught:
            ledger.claim(b"n" * 48, expiry, NOW + 1)
        assert caught.value.rule == "restored"
        assert "backup" in caught.value.message
    ledger.claim(b"n" * 48, EXPIRY + 60_001, NOW + 60_001)
    ledger.note_restored(NOW - 1_000_000)  # twice, or late: it never goes back
    with pytest.raises(Refused):
        ledger.claim(b"m" * 48, EXPIRY, NOW + 1)
