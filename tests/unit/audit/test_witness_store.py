"""One contract for what a witness remembers with: in memory and on disk."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dataspace.audit import witness_store
from dataspace.audit.witness import Seen, WitnessStore
from dataspace.audit.witness_store import MemoryWitnessStore, SqliteWitnessStore
from dataspace.errors import Unavailable

from .samples import run_threads

Make = Callable[[Path], WitnessStore]
MAKERS: dict[str, Make] = {
    "memory": lambda _: MemoryWitnessStore(),
    "sqlite": SqliteWitnessStore,
}


@pytest.fixture(params=list(MAKERS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> WitnessStore:
    return MAKERS[request.param](tmp_path / "seen.db")


def seen(size: int, mark: int = 0) -> Seen:
    return Seen(size, bytes([mark]) * 32, f"note of {size}, {mark}\n")


def test_nothing_is_remembered_of_an_unknown_log(store: WitnessStore) -> None:
    assert store.seen("log") is None
    assert store.earlier("log", 0) is None


def test_what_was_advanced_is_seen_and_stays_known(store: WitnessStore) -> None:
    assert store.advance("log", None, seen(3))
    assert store.advance("log", seen(3), seen(9))
    assert store.seen("log") == seen(9)
    assert [store.earlier("log", size) for size in (3, 5, 9)] == [seen(3), None, seen(9)]


def test_only_what_is_seen_now_is_replaced(store: WitnessStore) -> None:
    assert store.advance("log", None, seen(3))
    for old in (None, seen(2), seen(3, 1), seen(4)):
        assert not store.advance("log", old, seen(9))
    assert store.seen("log") == seen(3)
    assert store.earlier("log", 9) is None


def test_the_same_checkpoint_may_be_seen_again(store: WitnessStore) -> None:
    assert store.advance("log", None, seen(3))
    assert store.advance("log", seen(3), seen(3))
    assert store.seen("log") == seen(3)


def test_logs_are_remembered_apart(store: WitnessStore) -> None:
    assert store.advance("one", None, seen(3))
    assert store.advance("other", None, seen(5))
    assert (store.seen("one"), store.seen("other")) == (seen(3), seen(5))
    assert store.earlier("other", 3) is None


def test_of_many_who_advance_at_once_one_does(store: WitnessStore) -> None:
    assert store.advance("log", None, seen(0))
    won: list[int] = []

    def work(mark: int) -> None:
        if store.advance("log", seen(0), seen(1, mark)):
            won.append(mark)

    run_threads([threading.Thread(target=work, args=(mark,)) for mark in range(8)])
    assert len(won) == 1
    assert store.seen("log") == seen(1, won[0])


def test_a_store_on_disk_remembers_after_restart(tmp_path: Path) -> None:
    before = SqliteWitnessStore(tmp_path / "seen.db")
    assert before.advance("log", None, seen(3))
    before.close()
    after = SqliteWitnessStore(tmp_path / "seen.db")
    assert (after.seen("log"), after.earlier("log", 3)) == (seen(3), seen(3))


def test_two_processes_on_one_store_do_not_both_advance(tmp_path: Path) -> None:
    one, other = (SqliteWitnessStore(tmp_path / "seen.db") for _ in range(2))
    assert one.advance("log", None, seen(3))
    assert not other.advance("log", None, seen(4))
    assert other.seen("log") == seen(3)


def test_every_advance_is_flushed_to_disk(tmp_path: Path) -> None:
    store = SqliteWitnessStore(tmp_path / "seen.db")
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_only_its_owner_reads_a_store(tmp_path: Path) -> None:
    SqliteWitnessStore(tmp_path / "seen.db").close()
    assert stat.S_IMODE((tmp_path / "seen.db").stat().st_mode) == 0o600


def test_a_store_that_fails_says_so_and_advances_nothing(tmp_path: Path) -> None:
    store = SqliteWitnessStore(tmp_path / "seen.db")
    with sqlite3.connect(tmp_path / "seen.db") as other:
        other.execute("DROP TABLE earlier")
    with pytest.raises(Unavailable, match="cannot remember"):
        store.advance("log", None, seen(3))
    assert store.seen("log") is None
    with pytest.raises(Unavailable):
        SqliteWitnessStore(tmp_path / "missing" / "seen.db")


def test_of_a_log_without_end_the_latest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness_store, "_REMEMBERED", 5)
    monkeypatch.setattr(witness_store, "_PRUNE_EACH", 10)
    store = SqliteWitnessStore(tmp_path / "seen.db")
    last = None
    for size in range(3, 70, 7):  # never a multiple of what it prunes at
        assert store.advance("log", last, seen(size))
        last = seen(size)
    assert store.earlier("log", 66) == seen(66)
    assert store.earlier("log", 3) is None
