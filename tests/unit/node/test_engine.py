"""The engine is locked, stops in time, and tells nothing of rows when it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from dataspace.errors import Unavailable
from dataspace.query.render import Rendered
from node.warehouse.engine import Engine, Limits
from tests.unit.query.samples import bound

QUERY = bound("select count(*) from trial")
SECRET = "Zebra77"
FOREVER = (
    "SELECT count(*), count(*) FROM range(10000000) a, range(10000000) b "
    "WHERE (a.range * 7919 + b.range) % 1000003 = 1"
)


def run(
    engine: Engine, sql: str, register: Callable[[Callable[[], None]], None] = lambda _: None
) -> object:
    return engine.run(QUERY, Rendered(sql, (), ({"count": 1},), ()), register)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("warehouse") / "data.duckdb"
    with duckdb.connect(str(file)) as own:
        own.execute(f"CREATE TABLE t AS SELECT '{SECRET}' AS name, 1 AS n")
    return file


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    opened = Engine(database, Limits(threads=1, memory="200MB", seconds=30))
    yield opened
    opened.close()


LOCKED = [
    "SELECT count(*), 1 FROM read_csv('/etc/passwd')",
    "SELECT count(*), 1 FROM '/etc/passwd'",
    "SELECT count(*), 1 FROM read_text('/etc/passwd')",
    "SELECT count(*), 1 FROM read_parquet('x.parquet')",
    "SELECT count(*), 1 FROM glob('/*')",
    "SELECT count(*), 1 FROM read_json('http://localhost/x.json')",
    "SET threads = 8",
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "PRAGMA threads = 8",
    "ATTACH 'other.duckdb'",
    "ATTACH ':memory:' AS other; CREATE TABLE other.x AS SELECT * FROM t",
    "COPY t TO 'out.csv'",
    "COPY t FROM '/etc/passwd'",
    "EXPORT DATABASE 'out'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "INSTALL spatial FROM community",
    "CREATE TABLE x AS SELECT 1",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO t VALUES ('x', 1)",
    "DROP TABLE t",
    "SELECT count(*), 1 FROM QUERY",  # a Python variable of this module
    "SELECT count(*), getenv('HOME')",
]


@pytest.mark.parametrize("sql", LOCKED)
def test_the_engine_reads_and_writes_nothing_but_its_snapshot(engine: Engine, sql: str) -> None:
    with pytest.raises(Unavailable) as caught:
        run(engine, sql)
    assert caught.value.code == "engine-error"


def test_settings_are_the_ones_that_were_given(engine: Engine) -> None:
    with pytest.raises(Unavailable):
        run(engine, "SET threads = 1")
    assert run(engine, "SELECT current_setting('threads')::INTEGER, 1")


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT '{SECRET}'::INTEGER, 1",
        "SELECT name::INTEGER, n FROM t",
        f"SELECT 1, 1 FROM {SECRET}",
        f"SELECT error('{SECRET}'), 1",
    ],
)
def test_an_error_of_the_engine_leaves_as_a_code_without_its_text(engine: Engine, sql: str) -> None:
    with pytest.raises(Unavailable) as caught:
        run(engine, sql)
    assert caught.value.message == "the engine could not answer"
    assert caught.value.__suppress_context__
    assert SECRET not in repr(caught.value.__dict__)


def test_a_query_that_needs_too_much_memory_is_told_so(engine: Engine) -> None:
    with pytest.raises(Unavailable) as caught:
        run(
            engine,
            "SELECT count(DISTINCT hash(a.i, b.i)), 1 FROM range(9000) a(i), range(9000) b(i)",
        )
    assert caught.value.code == "query-memory"
    assert "200MB" in caught.value.message
    assert run(engine, "SELECT count(*), 1 FROM t")


def test_a_query_that_takes_too_long_is_stopped_within_a_second(database: Path) -> None:
    engine = Engine(database, Limits(threads=1, memory="200MB", seconds=0.3))
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        run(engine, FOREVER)
    assert time.monotonic() - started < 1.3
    assert caught.value.code == "query-timeout"
    assert run(engine, "SELECT 1, 1")  # and the next one runs
    engine.close()


@pytest.mark.parametrize("after", [0.0, 0.001, 0.2])
def test_a_query_that_is_cancelled_stops_however_early_the_cancelling_came(
    engine: Engine, after: float
) -> None:
    def register(interrupt: Callable[[], None]) -> None:
        if after:
            threading.Timer(after, interrupt).start()
        else:
            interrupt()  # before the engine has begun

    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        run(engine, FOREVER, register)
    assert time.monotonic() - started < 5
    assert caught.value.code == "query-cancelled"


def test_cancelling_what_has_ended_does_nothing(engine: Engine) -> None:
    interrupts: list[Callable[[], None]] = []
    run(engine, "SELECT 1, 1", interrupts.append)
    interrupts[0]()
    assert run(engine, "SELECT 1, 1")


def test_where_the_caller_has_gone_already_nothing_is_run(engine: Engine) -> None:
    def gone(_: Callable[[], None]) -> None:
        raise Unavailable("the query was cancelled", code="query-cancelled")

    with pytest.raises(Unavailable) as caught:
        run(engine, FOREVER, gone)
    assert caught.value.code == "query-cancelled"


def test_one_cancelled_query_leaves_another_alone(engine: Engine) -> None:
    results: list[object] = []
    slow = "SELECT count(*), count(*) FROM range(20000000) a WHERE (a.range * 7919) % 10007 = 1"
    other = threading.Thread(target=lambda: results.append(run(engine, slow)))
    other.start()
    with pytest.raises(Unavailable):
        run(engine, FOREVER, lambda interrupt: interrupt())
    other.join()
    assert len(results) == 1


def test_a_snapshot_that_is_absent_or_broken_is_unavailable(tmp_path: Path) -> None:
    limits = Limits(threads=1, memory="200MB", seconds=1)
    (tmp_path / "broken.duckdb").write_bytes(b"no database" * 1000)
    for name in ("absent.duckdb", "broken.duckdb"):
        with pytest.raises(Unavailable) as caught:
            Engine(tmp_path / name, limits)
        assert caught.value.code == "warehouse"
