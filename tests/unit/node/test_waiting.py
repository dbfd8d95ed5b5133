"""Queries that run and queries that wait: progress, turns, deadlines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from dataspace.errors import Unavailable
from dataspace.query.render import Rendered
from node.gatekeeper import Cancellation
from node.warehouse.engine import Engine, Limits
from tests.unit.query.samples import bound

QUERY = bound("select count(*) from trial")
ROWS = 3_000_000
HEAVY = "SELECT count(*), sum(hash(md5(md5(n::VARCHAR)))) FROM t"
FOREVER = (
    "SELECT count(*), count(*) FROM range(10000000) a, range(10000000) b "
    "WHERE (a.range * 7919 + b.range) % 1000003 = 1"
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("warehouse") / "data.duckdb"
    with duckdb.connect(str(file)) as own:
        own.execute(f"CREATE TABLE t AS SELECT range AS n FROM range({ROWS})")
    return file


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    opened = Engine(database, Limits(threads=1, memory="400MB", seconds=30, queries=1))
    yield opened
    opened.close()


def run(
    engine: Engine,
    sql: str,
    *,
    register: Callable[[Callable[[], None]], None] = lambda _: None,
    seconds: float | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> object:
    rendered = Rendered(sql, (), ({"count": 1},), ())
    return engine.run(QUERY, rendered, register, seconds, on_progress)


def test_a_long_query_tells_how_far_it_is(engine: Engine) -> None:
    told: list[float] = []
    assert run(engine, HEAVY, on_progress=told.append)
    assert told[0] == 0
    assert len(told) > 1, "the engine told nothing on its way"
    assert told == sorted(set(told))
    assert all(share < 1 for share in told)


def test_progress_is_told_though_nothing_can_be_set(engine: Engine) -> None:
    for setting in ("enable_progress_bar", "enable_progress_bar_print", "progress_bar_time"):
        with pytest.raises(Unavailable):
            run(engine, f"SET {setting} = false")


def test_an_interrupted_cursor_serves_the_next_query(engine: Engine) -> None:
    for _ in range(3):
        with pytest.raises(Unavailable):
            run(engine, FOREVER, seconds=0.1)
        assert run(engine, "SELECT 1, 1")


@pytest.fixture
def occupied(engine: Engine) -> Iterator[Engine]:
    """An engine whose one turn is taken."""
    interrupts: list[Callable[[], None]] = []
    began = threading.Event()

    def occupy() -> None:
        with pytest.raises(Unavailable):
            run(engine, FOREVER, register=interrupts.append, on_progress=lambda _: began.set())

    thread = threading.Thread(target=occupy)
    thread.start()
    assert began.wait(5)
    yield engine
    interrupts[0]()
    thread.join()


def test_a_query_whose_turn_does_not_come_ends_at_its_deadline(occupied: Engine) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        run(occupied, "SELECT 1, 1", seconds=0.2)
    assert caught.value.code == "query-timeout"
    assert time.monotonic() - started < 2


def test_a_query_that_waits_for_its_turn_can_be_cancelled(occupied: Engine) -> None:
    def register(interrupt: Callable[[], None]) -> None:
        threading.Timer(0.1, interrupt).start()

    with pytest.raises(Unavailable) as caught:
        run(occupied, "SELECT 1, 1", register=register)
    assert caught.value.code == "query-cancelled"


def test_a_snapshot_that_is_opened_twice_is_locked_both_times(database: Path) -> None:
    limits = Limits(threads=1, memory="400MB", seconds=30)
    first, second = Engine(database, limits), Engine(database, limits)
    for each in (first, second):
        assert run(each, "SELECT 1, 1")
        with pytest.raises(Unavailable):
            run(each, "SET threads = 8")
        each.close()


def test_waiting_counts_towards_the_deadline() -> None:
    Cancellation(None).check()
    waited = Cancellation(0.01)
    time.sleep(0.02)
    assert waited.seconds == 0
    with pytest.raises(Unavailable) as caught:
        waited.check()
    assert caught.value.code == "query-timeout"
