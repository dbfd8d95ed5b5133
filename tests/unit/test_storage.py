"""Versions of a home's stores: what a newer release wrote is refused before it is opened."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dataspace.audit.witness_store import SqliteWitnessStore
from dataspace.errors import Unavailable
from dataspace.identity.register import Register
from dataspace.sqlite_versions import bring_up
from dataspace.storage import FILE, VERSIONS, check_storage, read_versions


def test_a_home_without_versions_is_of_the_first_and_gets_todays(tmp_path: Path) -> None:
    assert set(read_versions(tmp_path).values()) == {1}
    check_storage(tmp_path)
    assert read_versions(tmp_path) == VERSIONS
    check_storage(tmp_path)


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"log": VERSIONS["log"] + 1}, "storage-newer"),
        ({"a store that comes later": 1}, "storage-newer"),
        ({"log": "1"}, "storage-unreadable"),
        ([], "storage-unreadable"),
    ],
)
def test_what_a_newer_release_wrote_is_refused_and_left(
    tmp_path: Path, stated: object, code: str
) -> None:
    text = json.dumps(stated)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(Unavailable) as caught:
        check_storage(tmp_path)
    assert caught.value.code == code
    assert (tmp_path / FILE).read_text() == text


STORES: dict[str, Callable[[Path], object]] = {"register": Register, "witness": SqliteWitnessStore}


@pytest.mark.parametrize("store", list(STORES))
def test_a_newer_store_is_refused_and_an_older_one_taken_up(tmp_path: Path, store: str) -> None:
    file = tmp_path / "store.db"
    STORES[store](file)
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("PRAGMA user_version").fetchone() == (1,)
        opened.execute("PRAGMA user_version = 0")  # as releases before versions left it
    STORES[store](file)
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA user_version = 2")
    with pytest.raises(Unavailable) as caught:
        STORES[store](file)
    assert caught.value.code == "storage-newer"


def test_a_step_is_taken_once_after_a_copy_and_undone_where_it_fails(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    old, new = "CREATE TABLE IF NOT EXISTS t (a)", "CREATE TABLE IF NOT EXISTS t (a, b DEFAULT 7)"
    with closing(sqlite3.connect(file)) as opened:
        bring_up(opened, file, "store", old)
        opened.execute("INSERT INTO t VALUES (1)")
        opened.commit()
        with pytest.raises(sqlite3.Error):
            bring_up(opened, file, "store", new, 2, {2: "DELETE FROM t; no such statement"})
        opened.rollback()
        assert opened.execute("SELECT a FROM t").fetchall() == [(1,)]
        for _ in range(2):
            bring_up(opened, file, "store", new, 2, {2: "ALTER TABLE t ADD COLUMN b DEFAULT 7"})
        assert opened.execute("SELECT a, b FROM t").fetchall() == [(1, 7)]
    with closing(sqlite3.connect(tmp_path / "store.db.before-1")) as copy:
        assert copy.execute("SELECT * FROM t").fetchall() == [(1,)]
