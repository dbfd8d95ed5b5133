"""What callers may write, and what it comes to."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from dataspace.query.combine import key_names
from dataspace.query.parse import parse_query
from dataspace.query.render import render
from dataspace.query.tree import (
    AggregateKind,
    CaseWhen,
    ColumnRef,
    KeyRef,
    Literal,
    Operation,
    OutcomeOperation,
    Scalar,
    Source,
    columns_touched,
)
from tests.unit.query.samples import bound

WHERE: list[tuple[str, str, list[object]]] = [
    ("arm = 1", '("arm" = ?)', [1]),
    ("arm == 1", '("arm" = ?)', [1]),
    ("arm != 1", '("arm" <> ?)', [1]),
    ('"arm" <> -1', '("arm" <> ?)', [-1]),
    ("trial.ARM = 1", '("arm" = ?)', [1]),
    ("not sex = 'F'", '(NOT ("sex" = ?))', ["F"]),
    ("sex = 'it''s; drop'", '("sex" = ?)', ["it's; drop"]),
    ("age >= 40 and age < 50", '(("age" >= ?) AND ("age" < ?))', [40, 50]),
    ("age between 40 and 50", '("age" BETWEEN ? AND ?)', [40, 50]),
    ("40 <= age", '(? <= "age")', [40]),
    ("age is null", '("age" IS NULL)', []),
    ("age is not null", '(NOT ("age" IS NULL))', []),
    ("arm in (1, 2, null)", '("arm" IN (?, ?, NULL))', [1, 2]),
    ("arm not in (1)", '(NOT ("arm" IN (?)))', [1]),
    ("ward like 'A%'", '("ward" LIKE ?)', ["A%"]),
    ("smoker", '"smoker"', []),
    ("smoker = true or false", '(("smoker" = TRUE) OR FALSE)', []),
    ("year(since) = 2020", '(year("since") = ?)', [2020]),
    ("since >= date '2020-01-31'", '("since" >= ?)', [datetime.date(2020, 1, 31)]),
    ("since >= '2020-01-31'::date", '("since" >= ?)', [datetime.date(2020, 1, 31)]),
    (
        "seen < timestamp '2020-01-31 09:30:00'",
        '("seen" < ?)',
        [datetime.datetime(2020, 1, 31, 9, 30)],
    ),
    ("coalesce(sex, 'x') = 'x'", '(coalesce("sex", ?) = ?)', ["x", "x"]),
    ("nullif(arm, 0) is null", '(nullif("arm", ?) IS NULL)', [0]),
    (
        "case when arm = 1 then sex else ward end = 'F'",
        '(CASE WHEN ("arm" = ?) THEN "sex" ELSE "ward" END = ?)',
        [1, "F"],
    ),
    ("region = 'macao'", "(?::VARCHAR = ?)", ["hongkong", "macao"]),
    ("arm % 2 = 0", '(TRY(("arm" % ?)) = ?)', [2, 0]),
    ("mod(arm, 2) = 0", '(TRY(("arm" % ?)) = ?)', [2, 0]),
    ("-arm < 0", '(TRY((- "arm")) < ?)', [0]),
    ("level < 1_000.5", '("level" < ?)', [Decimal("1000.5")]),
    (
        "dose <> -1.123456789012345678901234567890123456",
        '("dose" <> ?)',
        [-1.123456789012345678901234567890123456],
    ),
]


@pytest.mark.parametrize(("where", "sql", "parameters"), WHERE, ids=[row[0] for row in WHERE])
def test_a_condition_becomes_our_own_sql_with_every_value_a_parameter(
    where: str, sql: str, parameters: list[object]
) -> None:
    rendered = render(bound(f"select count(*) from trial where {where};"), "hongkong")
    assert rendered.sql.partition(" WHERE ")[2] == sql
    assert list(rendered.parameters) == parameters
    assert [type(value) for value in rendered.parameters] == [type(value) for value in parameters]


AGGREGATES = [
    ("count(*)", AggregateKind.COUNT_ROWS, None),
    ("count()", AggregateKind.COUNT_ROWS, None),
    ("count(age)", AggregateKind.COUNT, "age"),
    ("count(region)", AggregateKind.COUNT, "region"),
    ("count(distinct person)", AggregateKind.COUNT_PERSONS, None),
    ("count(distinct trial.person)", AggregateKind.COUNT_PERSONS, None),
    ("sum(age)", AggregateKind.SUM, "age"),
    ("avg((weight))", AggregateKind.AVG, "weight"),
    ("var_samp(cost)", AggregateKind.VAR_SAMP, "cost"),
    ("stddev_samp(cost)", AggregateKind.STDDEV_SAMP, "cost"),
    ("stddev(cost)", AggregateKind.STDDEV_SAMP, "cost"),
]


@pytest.mark.parametrize(("text", "kind", "column"), AGGREGATES, ids=[row[0] for row in AGGREGATES])
def test_each_aggregate_of_the_language_is_read(
    text: str, kind: AggregateKind, column: str | None
) -> None:
    (aggregate,) = bound(f"select {text} from trial").aggregates
    assert aggregate.kind is kind
    assert (aggregate.column.name if aggregate.column else None) == column


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("trial", Source("trial", None, "trial")),
        ("trial t", Source("trial", None, "t")),
        ("hongkong.trial as t", Source("trial", "hongkong", "t")),
        ("MACAO.Trial", Source("trial", "macao", "trial")),
        ('"trial"', Source("trial", None, "trial")),
    ],
)
def test_from_names_a_product_and_at_most_one_region(origin: str, source: Source) -> None:
    assert bound(f"select count(*) from {origin}").source == source


ARM = ColumnRef("arm")
KEYS: list[tuple[str, str, Scalar]] = [
    ("arm", "arm", ARM),
    ("t.arm", "arm", ARM),
    ("arm as a", "a", ARM),
    ("arm as a", "1", ARM),
    ("arm >= 2 as high", "high", Operation(">=", (ARM, Literal(2)))),
    ("age >= 40 as old", "old", Operation(">=", (ColumnRef("age"), Literal(40)))),
    ("year(since) as y", "year(since)", Operation("year", (ColumnRef("since"),))),
    (
        "case when age < 40 then 'young' end as g",
        "g",
        CaseWhen(
            ((Operation("<", (ColumnRef("age"), Literal(40))), Literal("young")),), Literal(None)
        ),
    ),
]


@pytest.mark.parametrize(("output", "group", "key"), KEYS, ids=[f"{o} by {g}" for o, g, _ in KEYS])
def test_a_group_key_may_be_a_column_an_expression_a_place_or_an_alias(
    output: str, group: str, key: Scalar
) -> None:
    sql = f"select {output}, count(*) from trial t group by {group}"
    query = parse_query(sql)
    assert query.keys == (key,)
    assert query.outputs[0].value == KeyRef(0)


def test_a_column_goes_before_an_alias_of_its_name_in_group_by() -> None:
    # DuckDB groups by the column here, and so do we; the output is a function of it.
    query = parse_query("select -arm as arm, count(*) from trial group by arm")
    assert query.keys == (ARM,)
    assert query.outputs[0].value == OutcomeOperation("neg", (KeyRef(0),))


def test_an_alias_that_aggregates_never_hides_the_column_of_its_name() -> None:
    query = bound("select count(*) as arm from trial group by arm")
    assert query.keys == (bound("select arm, count(*) from trial group by 1").keys[0],)


def test_order_by_takes_an_alias_before_a_key_of_the_same_name() -> None:
    query = bound("select count(*) as arm from trial group by trial.arm order by arm desc")
    assert query.order[0].value == query.outputs[0].value


@pytest.mark.parametrize(
    ("clause", "limit", "offset"),
    [("", None, 0), ("limit 0", 0, 0), ("limit 3 offset 2", 3, 2), ("offset 7", None, 7),
     ("limit " + "9" * 30, 2**53, 0)],
)  # fmt: skip
def test_limit_and_offset_are_whole_numbers(clause: str, limit: int | None, offset: int) -> None:
    query = bound(f"select count(*) from trial {clause}")
    assert (query.limit, query.offset) == (limit, offset)


def test_white_space_case_and_table_names_leave_the_tree_the_same() -> None:
    one = bound("select sex, count(*) as n from trial where arm=1 group by sex order by n desc")
    two = bound(
        "SELECT t.Sex, COUNT( * ) AS N\n FROM TRIAL AS t\n WHERE (t.arm = 1)"
        "\n GROUP BY t.sex\n ORDER BY N DESC;"
    )
    assert (one.where, one.keys, one.aggregates) == (two.where, two.keys, two.aggregates)
    assert (one.outputs, one.order, key_names(one)) == (two.outputs, two.order, key_names(two))


def test_the_columns_touched_are_those_of_conditions_keys_and_aggregates() -> None:
    query = bound(
        "select region, arm >= 2 as high, sum(age), count(distinct person) from trial "
        "where sex = 'F' or ward like 'A%' group by 1, 2"
    )
    assert columns_touched(query) == {"arm", "age", "sex", "ward"}
