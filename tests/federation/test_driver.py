"""`dataspace.connect`, `Release` and the PEP 249 driver over a running space."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dataspace
from dataspace.client import dbapi
from dataspace.errors import Malformed, Refused, Unavailable
from tests.federation.processes import await_ready, stop
from tests.spaces import Space

ACTOR = "hongkong/researcher"
REGIONS = ["guangzhou", "hongkong", "macao"]
BY_REGION = "SELECT region, count(*) AS n FROM patients GROUP BY region ORDER BY region"
BY_SEX = (
    "SELECT region, sex, count(*) AS n, avg(age) AS mean_age FROM patients WHERE age >= ? "
    "AND sex = ? GROUP BY region, sex ORDER BY region"
)
BY_YEAR = (
    "SELECT date_trunc('year', started_on) AS year, count(*) AS n FROM encounters "
    "WHERE started_on >= ? GROUP BY 1 ORDER BY 1"
)
COUNT_DISTRICT = "SELECT count(*) AS n FROM patients WHERE district = ?"

pytestmark = pytest.mark.filterwarnings("ignore:pandas only supports SQLAlchemy")


@pytest.fixture(scope="module")
def connection(asked_space: Space) -> Iterator[dbapi.Connection]:
    with dbapi.connect(asked_space.home, ACTOR, purpose="HRESCH") as opened:
        yield opened


def rows(connection: dbapi.Connection, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchall()


def figure(connection: dbapi.Connection, sql: str, *parameters: Any) -> Any:
    """The only figure of an answer; None where no region shows its cell."""
    found = rows(connection, sql, *parameters)
    return found[0][0] if found else None


# --- data frames -----------------------------------------------------------------------------


def test_pandas_reads_a_question_with_parameters(connection: dbapi.Connection) -> None:
    frame = pd.read_sql(BY_SEX, connection, params=(18, "F"))
    assert list(frame.columns) == ["region", "sex", "n", "mean_age"]
    assert list(frame["region"]) == REGIONS
    assert set(frame["sex"]) == {"F"}
    assert frame["n"].dtype == np.int64
    assert frame["mean_age"].dtype == np.float64
    assert (frame["mean_age"] > 18).all()


def test_pandas_reads_dates_as_dates(connection: dbapi.Connection) -> None:
    frame = pd.read_sql(BY_YEAR, connection, params=[datetime.date(2024, 1, 1)], index_col="year")
    assert list(frame.index.year) == [2024, 2025]
    assert set(frame.index.month) == {1}


def test_polars_reads_a_question_with_parameters(connection: dbapi.Connection) -> None:
    frame = pl.read_database(BY_SEX, connection, execute_options={"parameters": [18, "M"]})
    assert frame.columns == ["region", "sex", "n", "mean_age"]
    assert frame["region"].to_list() == REGIONS
    assert frame.schema["n"] == pl.Int64
    assert frame.schema["mean_age"] == pl.Float64


def test_polars_reads_a_cursor_and_in_batches(connection: dbapi.Connection) -> None:
    whole = pl.read_database(BY_REGION, connection.cursor())
    parts = list(pl.read_database(BY_REGION, connection, iter_batches=True, batch_size=2))
    assert [len(part) for part in parts] == [2, 1]
    assert pl.concat(parts).equals(whole)


def test_pyarrow_has_the_types_of_the_question(connection: dbapi.Connection) -> None:
    table = connection.cursor().execute(BY_YEAR, [datetime.date(2024, 1, 1)]).fetch_arrow_table()
    assert table.schema.field("year").type == pa.timestamp("us")
    assert table.schema.field("n").type == pa.int64()
    table = connection.ask(
        "SELECT started_on, coalesce(sum(length_days), 0) AS s, avg(length_days) AS a, "
        "count(*) > 5 AS many, histogram(length_days, [1, 5]) AS h, NULL AS nothing, "
        "median(length_days) AS m, class FROM encounters WHERE class = 'nowhere' GROUP BY 1, 8"
    ).table  # fmt: skip
    assert table.num_rows == 0
    assert [field.type for field in table.schema] == [
        pa.date32(), pa.float64(), pa.float64(), pa.bool_(), pa.list_(pa.int64()), pa.null(),
        pa.float64(), pa.string(),
    ]  # fmt: skip


def test_a_release_is_a_table_with_what_each_region_came_to(asked_space: Space) -> None:
    with dataspace.connect(home=asked_space.home, actor=ACTOR) as space:
        release = space.query(BY_REGION, purpose="HRESCH")
    assert isinstance(release, dataspace.Release)
    assert release.table.to_pydict() == {"region": REGIONS, "n": [300, 300, 300]}
    assert pl.from_arrow(release.table).equals(pl.DataFrame(release.table.to_pydict()))
    assert release.table.to_pandas()["n"].sum() == 900
    assert release.hidden_cells == 0
    assert {(node.region, node.status) for node in release.nodes} == {
        (region, "released") for region in REGIONS
    }


# --- PEP 249 ---------------------------------------------------------------------------------


def test_the_module_has_what_pep_249_names() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "qmark")
    database = {"Data", "Operational", "Integrity", "Internal", "Programming", "NotSupported"}
    for name in database:
        assert issubclass(getattr(dbapi, f"{name}Error"), dbapi.DatabaseError)
    for name in ("InterfaceError", "DatabaseError"):
        assert issubclass(getattr(dbapi, name), dbapi.Error)
        assert getattr(dbapi.Connection, name) is getattr(dbapi, name)
    assert not issubclass(dbapi.Warning, dbapi.Error)
    assert dbapi.Date(2020, 1, 31) == datetime.date(2020, 1, 31)
    assert dbapi.Timestamp(2020, 1, 31, 12) == datetime.datetime(2020, 1, 31, 12)
    assert dbapi.Time(12, 30) == datetime.time(12, 30)
    assert dbapi.Binary(b"x") == b"x"
    at = datetime.datetime(2020, 1, 31, 12, 30)
    ticks = at.timestamp()
    assert dbapi.TimestampFromTicks(ticks) == at
    assert (dbapi.DateFromTicks(ticks), dbapi.TimeFromTicks(ticks)) == (at.date(), at.time())


def test_a_cursor_describes_and_hands_out_its_rows(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    assert (cursor.description, cursor.rowcount) == (None, -1)
    with pytest.raises(dbapi.InterfaceError, match="execute"):
        cursor.fetchall()
    assert cursor.execute(BY_REGION) is cursor
    assert cursor.description == [
        ("region", dbapi.STRING, None, None, None, None, None),
        ("n", dbapi.NUMBER, None, None, None, None, None),
    ]
    assert cursor.rowcount == 3
    assert cursor.fetchone() == ("guangzhou", 300)
    assert cursor.fetchmany() == [("hongkong", 300)]
    assert cursor.fetchmany(5) == [("macao", 300)]
    assert (cursor.fetchone(), cursor.fetchmany(2), cursor.fetchall()) == (None, [], [])
    cursor.execute(BY_REGION)
    cursor.arraysize = 2
    assert len(cursor.fetchmany()) == 2
    assert [region for region, _ in cursor] == ["macao"]
    with pytest.raises(StopIteration):
        next(cursor)
    cursor.setinputsizes([None])
    cursor.setoutputsize(10)


def test_dates_come_as_dates_and_are_described_so(connection: dbapi.Connection) -> None:
    cursor = connection.cursor().execute(BY_YEAR, [datetime.datetime(2025, 1, 1)])
    assert cursor.description is not None
    assert cursor.description[0][1] == dbapi.DATETIME
    assert [year for year, _ in cursor] == [datetime.datetime(2025, 1, 1)]


def test_a_failed_question_leaves_no_earlier_rows(connection: dbapi.Connection) -> None:
    cursor = connection.cursor().execute(BY_REGION)
    with pytest.raises(dbapi.ProgrammingError):
        cursor.execute("SELECT max(age) FROM patients")
    assert cursor.description is None
    with pytest.raises(dbapi.InterfaceError):
        cursor.fetchall()


def test_many_questions_at_once_and_writing_are_not_supported(
    connection: dbapi.Connection,
) -> None:
    with pytest.raises(dbapi.NotSupportedError):
        connection.cursor().executemany(BY_SEX, [(18, "F"), (18, "M")])
    with pytest.raises(dbapi.ProgrammingError):
        rows(connection, "DELETE FROM patients")
    connection.commit()
    connection.rollback()


def test_what_is_closed_stays_closed(asked_space: Space) -> None:
    with dbapi.connect(asked_space.home, ACTOR, purpose="HRESCH") as connection:
        with connection.cursor() as cursor:
            cursor.execute(BY_REGION)
        for use in (cursor.fetchone, lambda: cursor.execute(BY_REGION), lambda: next(cursor)):
            with pytest.raises(dbapi.InterfaceError, match="cursor is closed"):
                use()
        left = connection.cursor().execute(BY_REGION)
    connection.close()
    uses = (
        connection.cursor, connection.commit, connection.rollback, left.fetchall,
        left.fetch_arrow_table, lambda: left.execute(BY_REGION),
    )  # fmt: skip
    for each in uses:
        with pytest.raises(dbapi.InterfaceError, match="connection is closed"):
            each()


# --- errors ----------------------------------------------------------------------------------


def test_malformed_sql_is_a_programming_error_with_its_place(connection: dbapi.Connection) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="line 2, column 6") as caught:
        rows(connection, "SELECT count(*)\nFROM nowhere")
    assert isinstance(caught.value.__cause__, Malformed)


def test_a_refusal_names_rule_and_basis(connection: dbapi.Connection) -> None:
    with pytest.raises(dbapi.RefusedError) as caught:
        rows(connection, "SELECT brca, count(*) FROM conditions GROUP BY brca")
    assert isinstance(caught.value, dbapi.DatabaseError)
    assert caught.value.rule == "gba-health-2024"
    assert caught.value.basis
    assert isinstance(caught.value.__cause__, Refused)
    passed_on = (dbapi.RefusedError, pd.errors.DatabaseError)  # by the version of pandas
    with pytest.raises(passed_on, match="negative list"):
        pd.read_sql("SELECT brca, count(*) FROM conditions GROUP BY brca", connection)


def test_an_absent_region_is_an_operational_error_unless_any_will_do(asked_space: Space) -> None:
    stop(asked_space, "macao")
    try:
        with dbapi.connect(asked_space.home, ACTOR, purpose="HRESCH") as connection:
            with pytest.raises(dbapi.OperationalError, match="macao") as caught:
                rows(connection, BY_REGION)
            assert isinstance(caught.value.__cause__, Unavailable)
        with dbapi.connect(asked_space.home, ACTOR, purpose="HRESCH", require="any") as connection:
            cursor = connection.cursor().execute(BY_REGION)
            assert [region for region, _ in cursor] == REGIONS[:2]
            assert cursor.release is not None
            assert cursor.release.nodes[2].status == "unreachable"
    finally:
        start(asked_space)


def start(space: Space) -> None:
    from dataspace.cli.supervising import start_party

    start_party(space.home, "macao")
    await_ready(space)


def test_connecting_in_a_wrong_way_is_an_error_of_the_driver(asked_space: Space) -> None:
    with pytest.raises(dbapi.OperationalError):
        dbapi.connect(asked_space.home / "absent", ACTOR, purpose="HRESCH")
    with pytest.raises(dbapi.ProgrammingError):
        dbapi.connect(asked_space.home, "hongkong/emperor", purpose="HRESCH")
    with pytest.raises(dbapi.InterfaceError):
        dbapi.connect(asked_space.home, ACTOR, purpose="HRESCH", require="some")


# --- parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "x' OR '1'='1", "'", "''", "\\", "\\' OR 1=1 --", "x'; DROP TABLE patients; --",
        "Nossa Senhora de Fátima' OR sex = 'F", "香港 ' 深水埗", "%", "?", "/*", "--",
        '"', "$$", "",
    ],
)  # fmt: skip
def test_a_text_stays_a_text(connection: dbapi.Connection, text: str) -> None:
    assert figure(connection, COUNT_DISTRICT, text) is None
    everybody = "SELECT count(*) AS n FROM patients WHERE district <> ?"
    assert figure(connection, everybody, text) == 900


def test_a_text_of_any_script_finds_its_rows(connection: dbapi.Connection) -> None:
    named = rows(
        connection,
        "SELECT district, count(*) AS n FROM macao.patients GROUP BY district ORDER BY n DESC",
    )
    district, count = next((name, n) for name, n in named if not name.isascii())
    assert figure(connection, COUNT_DISTRICT, district) == count
    allergic = "SELECT count(*) AS n FROM allergies WHERE substance IN (?, ?)"
    both = figure(connection, allergic, "cow's milk", "house dust mite")
    assert both is None or both >= 10


@pytest.mark.parametrize(
    ("value", "least"),
    [
        (-1, -1), (-0.5, 0), (-0.0, 0), (Decimal("-1e2"), -100), (1e-7, 1), (2**60, 2**60),
        (Decimal("40.0"), 40), (True, None), (np.int64(-7), -7), (np.float64(39.5), 40),
        (1e22, 10**22),
    ],
)  # fmt: skip
def test_a_number_keeps_its_value(
    connection: dbapi.Connection, value: Any, least: int | None
) -> None:
    if least is None:
        same = "SELECT count(*) AS n FROM patients WHERE smoker = "
        assert figure(connection, same + "?", value) == figure(connection, same + "TRUE")
        assert figure(connection, same + "?", np.bool_(False)) is not None
        return
    plain = figure(connection, f"SELECT count(*) AS n FROM patients WHERE age >= {least}")
    assert figure(connection, "SELECT count(*) AS n FROM patients WHERE age >= ?", value) == plain
    # A minus before the place and one in the value do not make a comment.
    minus = f"SELECT count(*) AS n FROM patients WHERE age >= -({-least})"
    assert figure(connection, minus) == plain
    if value >= 0:
        negative = "SELECT count(*) AS n FROM patients WHERE age >= -?"
        assert figure(connection, negative, -value) == plain


def test_dates_and_null_and_limits_are_constants(connection: dbapi.Connection) -> None:
    since = "SELECT count(*) AS n FROM encounters WHERE started_on "
    day = datetime.date(2024, 7, 1)
    later = figure(connection, since + ">= ?", day)
    assert later == figure(connection, since + ">= DATE '2024-07-01'")
    assert later == figure(connection, since + ">= ?", pd.Timestamp(day))
    assert later == figure(connection, since + "> ?", datetime.datetime(2024, 6, 30, 23, 59, 59, 5))
    assert figure(connection, since + "= ?", None) is None
    limited = "SELECT region, count(*) AS n FROM patients GROUP BY 1 ORDER BY 1 LIMIT ? OFFSET ?"
    assert rows(connection, limited, 1, 1) == [("hongkong", 300)]


def test_a_question_mark_in_a_text_or_a_name_is_no_place(connection: dbapi.Connection) -> None:
    asked = "SELECT '病? ''?' AS label, count(*) AS n FROM patients WHERE district <> ?"
    assert rows(connection, asked, "a ? b") == [("病? '?", 900)]


class _Sly(str):
    def replace(self, *_: Any, **__: Any) -> str:
        return "x' OR '1'='1"

    def __str__(self) -> str:
        return "x' OR '1'='1"


class _SlyNumber(int):
    def __repr__(self) -> str:
        return "0 OR 1=1"

    __str__ = __repr__


def test_a_subclass_cannot_write_itself(connection: dbapi.Connection) -> None:
    assert figure(connection, COUNT_DISTRICT, _Sly("nowhere")) is None
    older = "SELECT count(*) AS n FROM patients WHERE age > ?"
    assert figure(connection, older, _SlyNumber(200)) is None


@pytest.mark.parametrize("sql", ["E?", "'a'?", "x?", "DATE?", "b?"])
def test_what_stands_next_to_a_place_does_not_join_it(
    connection: dbapi.Connection, sql: str
) -> None:
    with pytest.raises(dbapi.ProgrammingError):
        rows(connection, f"SELECT count(*) FROM patients WHERE district = {sql}", "\\' OR 1=1 --")


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ((), dbapi.ProgrammingError),
        ((1, 2), dbapi.ProgrammingError),
        ({"a": 1}, dbapi.InterfaceError),
        ("x", dbapi.InterfaceError),
        ((b"x",), dbapi.InterfaceError),
        (([1],), dbapi.InterfaceError),
        ((datetime.time(12),), dbapi.InterfaceError),
        ((float("nan"),), dbapi.DataError),
        ((Decimal("Infinity"),), dbapi.DataError),
        ((Decimal("sNaN"),), dbapi.DataError),
        ((np.float64("-inf"),), dbapi.DataError),
        ((datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),), dbapi.DataError),
        ((pd.NaT,), dbapi.ProgrammingError),
        (("\x00",), dbapi.ProgrammingError),
        (("\ud800",), dbapi.ProgrammingError),
        (("x" * 501,), dbapi.ProgrammingError),
    ],
)
def test_a_parameter_that_no_question_holds_is_an_error(
    connection: dbapi.Connection, parameters: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        connection.cursor().execute(COUNT_DISTRICT, parameters)


def test_an_open_quote_is_told_before_anything_is_asked(connection: dbapi.Connection) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="not closed"):
        rows(connection, "SELECT count(*) FROM patients WHERE district = 'x AND sex = ?", "F")
