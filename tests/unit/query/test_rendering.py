"""No row's value can make a query fail: an error would tell that the row exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dataspace.query.expressions import quote, view_name
from dataspace.query.partials import read_value, write_value
from dataspace.query.product import Disclosure
from dataspace.query.render import render
from node.warehouse.engine import Engine
from tests.unit.query.federation import COLUMNS, LIMITS
from tests.unit.query.samples import bound, offer

OFFER = offer(Disclosure(min_subjects=5, round_to=1))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Six ordinary rows, and one of the extremes that a column can hold."""
    file = tmp_path_factory.mktemp("rows") / "data.duckdb"
    ordinary = [
        (f"p{n}", "F", 1, True, "2020-01-01", 1.5, 40, 60.5, "1.5") for n in range(6)
    ]  # fmt: skip
    extreme = ("p9", "M", 2**63 - 1, None, "9999-12-31", 1e100, 0, -1e100, "9" * 28 + ".5")
    least = ("p8", "M", -(2**63), None, "0001-01-01", 0.0, 0, 0.0, "0")
    with duckdb.connect(str(file)) as own:
        own.execute(f'CREATE SCHEMA offered; CREATE TABLE offered."offer:trial" ({COLUMNS})')
        marks = ", ".join("?" * 9)
        own.executemany(
            f'INSERT INTO offered."offer:trial" VALUES ({marks})', [*ordinary, extreme, least]
        )
    opened = Engine(file, LIMITS)
    yield opened
    opened.close()


CONDITIONS = [
    "arm * 9223372036854775807 > 0", "arm + 1 > 0", "arm - 2 < 0", "-arm < 0", "abs(arm) > 0",
    "arm // (arm - 1) >= 0", "1 // (arm - 9223372036854775807) = 1", "1 % (arm - 1) >= 0",
    "arm / (arm - 1) > 0", "arm // -1 < 0", "round(level, 30) > 0", "round(arm, -18) >= 0",
    "level * 1e300 * 1e300 > 0", "level % 0 = 0", "level // (level - 1.5) > 0",
    "arm < 0.00000000000000000000000000000000001", "arm > 1e300", "arm = 99999999999999999999999",
    "cost > 0.00000000000000000000000000000000001", "cost < 1e300", "age < 1e300",
    "case when sex = 'M' then arm * 9223372036854775807 > 0 else true end",
    "ceil(arm * 1.5) > 0", "floor(level * 1e300) > 0", "coalesce(arm, 0.5) * 1e10 > 0",
    "arm * 3 + arm * 3 > 0", "1 % (arm - 1) = 0 or 1 % (arm - 1) = 1",
    "arm < 0.00000000000000000000000001 or arm > 0.00000000000000000000000002",
    "arm in (1, 1e30, 0.0000000001)", "nullif(arm, 1e30) + 1 > 0",
]  # fmt: skip


@pytest.mark.parametrize("condition", CONDITIONS)
def test_no_condition_fails_because_of_what_one_row_holds(engine: Engine, condition: str) -> None:
    query = bound(f"select count(*) from trial where {condition}", OFFER)
    engine.run(query, render(query, "macao"), lambda _: None)


KEYS = [
    "arm * 3 + arm * 3", "arm * 3 * (arm * 3)", "case when arm * 3 > 0 then arm * 3 end",
    "arm * 3", "-arm", "abs(arm)", "arm // (arm - 1)", "arm % (arm - 1)", "arm / (arm - 1)",
    "level * 1e300 * 1e300", "level / 0", "-level / 0", "level - level * 1e300 * 1e300",
    "arm + 99999999999999999999999", "round(arm, -18)", "case when arm = 1 then arm / 0 end",
    "coalesce(arm / 0, 1)", "nullif(arm / 0, 1)",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_no_key_fails_and_every_key_is_one_that_an_answer_can_hold(
    engine: Engine, key: str
) -> None:
    query = bound(f"select {key} as k, count(*) from trial group by 1", OFFER)
    cells = engine.run(query, render(query, "macao"), lambda _: None)
    assert sum(cell.subjects for cell in cells) == 8
    values = [cell.keys[0] for cell in cells]
    assert [read_value(write_value(value)) for value in values] == values


AGGREGATES = [
    "sum(arm)", "sum(2 * arm + 1)", "avg(arm)", "var_samp(arm)", "sum(level)", "var_samp(level)",
    "sum(level * 1e300)", "sum(cost)", "avg(-cost)", "var_samp(cost)", "stddev_samp(weight)",
    "covar_samp(level, arm)", "corr(weight, level)", "regr_slope(arm, cost)",
    "regr_intercept(cost, weight)", "regr_r2(level, weight)", "histogram(weight, [-1e300, 1e300])",
    "histogram(level * 1e300, [0])", "sum(case when arm > 0 then cost else level end)",
]  # fmt: skip


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_no_aggregate_fails_because_of_what_one_row_holds(engine: Engine, aggregate: str) -> None:
    query = bound(f"select {aggregate} from trial", OFFER)
    (cell,) = engine.run(query, render(query, "macao"), lambda _: None)
    assert cell.subjects == 8


@pytest.mark.parametrize(
    "condition",
    ["v.region = 'macao' or t.arm < 2",
     "case when v.sex is not null then 'a' end = 'b' or t.arm < 2",
     "case when v.age is null then 1 else 2 end = 2 or v.age > 3"],
)  # fmt: skip
def test_a_join_of_a_region_without_rows_answers(tmp_path: Path, condition: str) -> None:
    file = tmp_path / "empty.duckdb"
    with duckdb.connect(str(file)) as own:
        own.execute(f'CREATE SCHEMA offered; CREATE TABLE offered."offer:trial" ({COLUMNS})')
    opened = Engine(file, LIMITS)
    query = bound(
        f"select count(*) from trial t left join trial v using (person) where {condition}", OFFER
    )
    (cell,) = opened.run(query, render(query, "macao"), lambda _: None)
    opened.close()
    assert cell.subjects == 0


@pytest.mark.parametrize("name", ["", "A", 'a"b', "a b", "a;b", "é", "a\n"])
def test_no_name_but_a_catalogues_is_ever_rendered(name: str) -> None:
    with pytest.raises(ValueError, match="catalogue"):
        quote(name)
    with pytest.raises(ValueError, match="catalogue"):
        view_name(name)
