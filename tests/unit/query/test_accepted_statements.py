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
    Line,
    Literal,
    Operation,
    OutcomeOperation,
    Part,
    Scalar,
    Source,
    columns_touched,
)
from tests.unit.query.samples import COLUMNS, bound

WHERE: list[tuple[str, str, list[object]]] = [
    ("arm = 1", '(t0."arm" = ?)', [1]),
    ("arm == 1", '(t0."arm" = ?)', [1]),
    ("arm != 1", '(t0."arm" <> ?)', [1]),
    ('"arm" <> -1', '(t0."arm" <> ?)', [-1]),
    ("trial.ARM = 1", '(t0."arm" = ?)', [1]),
    ("not sex = 'F'", '(NOT (t0."sex" = ?))', ["F"]),
    ("sex = 'it''s; drop'", '(t0."sex" = ?)', ["it's; drop"]),
    ("age >= 40 and age < 50", '((t0."age" >= ?) AND (t0."age" < ?))', [40, 50]),
    ("age between 40 and 50", '(t0."age" BETWEEN ? AND ?)', [40, 50]),
    ("40 <= age", '(? <= t0."age")', [40]),
    ("age is null", '(t0."age" IS NULL)', []),
    ("age is not null", '(NOT (t0."age" IS NULL))', []),
    ("arm in (1, 2, null)", '(t0."arm" IN (?, ?, NULL))', [1, 2]),
    ("arm not in (1)", '(NOT (t0."arm" IN (?)))', [1]),
    ("ward like 'A%'", '(t0."ward" LIKE ?)', ["A%"]),
    ("smoker", 't0."smoker"', []),
    ("smoker = true or false", '((t0."smoker" = TRUE) OR FALSE)', []),
    ("year(since) = 2020", '(year(t0."since") = ?)', [2020]),
    ("since >= date '2020-01-31'", '(t0."since" >= ?)', [datetime.date(2020, 1, 31)]),
    ("since >= '2020-01-31'::date", '(t0."since" >= ?)', [datetime.date(2020, 1, 31)]),
    (
        "seen < timestamp '2020-01-31 09:30:00'",
        '(t0."seen" < ?)',
        [datetime.datetime(2020, 1, 31, 9, 30)],
    ),
    ("coalesce(sex, 'x') = 'x'", '(coalesce(t0."sex", ?) = ?)', ["x", "x"]),
    ("nullif(arm, 0) is null", '(nullif(t0."arm", ?) IS NULL)', [0]),
    (
        "case when arm = 1 then sex else ward end = 'F'",
        '(CASE WHEN (t0."arm" = ?) THEN t0."sex" ELSE t0."ward" END = ?)',
        [1, "F"],
    ),
    ("region = 'macao'", "(?::VARCHAR = ?)", ["hongkong", "macao"]),
    ("arm % 2 = 0", '(TRY((t0."arm" % ?)) = ?)', [2, 0]),
    ("mod(arm, 2) = 0", '(TRY((t0."arm" % ?)) = ?)', [2, 0]),
    ("-arm < 0", '(TRY((- t0."arm")) < ?)', [0]),
    ("level < 1_000.5", '(t0."level" < ?)', [Decimal("1000.5")]),
    (
        "dose <> -1.123456789012345678901234567890123456",
        '(t0."dose" <> ?)',
        [-1.123456789012345678901234567890123456],
    ),
]


@pytest.mark.parametrize(("where", "sql", "parameters"), WHERE, ids=[row[0] for row in WHERE])
def test_a_condition_becomes_our_own_sql_with_every_value_a_parameter(
    where: str, sql: str, parameters: list[object]
) -> None:
    rendered = render(bound(f"select count(*) from trial where {where};"), "hongkong")
    assert rendered.sql.partition(" WHERE ")[2] == f"{sql})"
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
    ("count(1)", AggregateKind.COUNT, None),
    ("count(distinct sex)", AggregateKind.COUNT_DISTINCT, "sex"),
    ("count(distinct region)", AggregateKind.COUNT_DISTINCT, "region"),
    ("median(height)", AggregateKind.QUANTILE, "height"),
    ("quantile(height, 0.25)", AggregateKind.QUANTILE, "height"),
    ("quantile_cont(height, 0)", AggregateKind.QUANTILE, "height"),
    ("histogram(age, [20, 40.5])", AggregateKind.HISTOGRAM, "age"),
]


@pytest.mark.parametrize(("text", "kind", "column"), AGGREGATES, ids=[row[0] for row in AGGREGATES])
def test_each_aggregate_of_the_language_is_read(
    text: str, kind: AggregateKind, column: str | None
) -> None:
    (aggregate,) = bound(f"select {text} from trial").aggregates
    assert aggregate.kind is kind
    (part,) = aggregate.parts
    assert part.where is None and part.other is None
    found = part.value.column if part.value else None
    assert (found.name if found else None) == column


PAIRS = [
    ("covar_samp", AggregateKind.COVAR_SAMP),
    ("corr", AggregateKind.CORR),
    ("regr_slope", AggregateKind.REGR_SLOPE),
    ("regr_intercept", AggregateKind.REGR_INTERCEPT),
    ("regr_r2", AggregateKind.REGR_R2),
]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_covariance_and_its_kin_take_two_arguments_in_order(name: str, kind: AggregateKind) -> None:
    (aggregate,) = bound(f"select {name}(weight, age) from trial").aggregates
    assert aggregate.kind is kind
    (part,) = aggregate.parts
    assert part.value and part.other
    assert (part.value.column, part.other.column) == (column("weight"), column("age"))


LINES = [
    ("age", 1, 0), ("-age", -1, 0), ("age * 2", 2, 0), ("2 * age + 1", 2, 1), ("1 - age", -1, 1),
    ("(age - 3) / 4", "0.25", "-0.75"), ("1.8 * (age + 1) - 32", "1.8", "-30.2"),
]  # fmt: skip


@pytest.mark.parametrize(("argument", "scale", "offset"), LINES, ids=[row[0] for row in LINES])
def test_an_argument_may_be_a_column_scaled_and_shifted(
    argument: str, scale: int | str, offset: int | str
) -> None:
    (aggregate,) = bound(f"select sum({argument}) from trial").aggregates
    (part,) = aggregate.parts
    assert part.value == Line(column("age"), Decimal(scale), Decimal(offset))


def test_a_filter_is_the_condition_of_its_part() -> None:
    (aggregate,) = bound("select avg(age) filter (where sex = 'F') from trial").aggregates
    (part,) = aggregate.parts
    assert part.where == Operation("=", (column("sex"), Literal("F")))


def test_each_branch_of_a_case_is_a_part_without_the_rows_of_those_before_it() -> None:
    sql = "sum(case when sex = 'F' then age when arm = 1 then 2 end) filter (where smoker)"
    (aggregate,) = bound(f"select {sql} from trial").aggregates
    female = Operation("=", (column("sex"), Literal("F")))
    armed = Operation("=", (column("arm"), Literal(1)))
    not_female = Operation("not", (Operation("coalesce", (female, Literal(False))),))
    smoker = column("smoker")
    assert aggregate.parts == (
        Part(Line(column("age")), where=Operation("and", (female, smoker))),
        Part(
            Line(None, offset=Decimal(2)),
            where=Operation("and", (Operation("and", (not_female, armed)), smoker)),
        ),
    )


def test_equal_aggregates_are_computed_once() -> None:
    query = bound("select sum(age) + sum(age), sum(AGE) as again from trial t")
    assert len(query.aggregates) == 1


JOINED = [
    ("trial t join visits v on t.person = v.person", False),
    ("trial t inner join visits v on v.person = t.person", False),
    ("trial t join visits v using (person)", False),
    ("trial t left join visits v on (t.person = v.person)", True),
    ("trial t left outer join visits v using (person)", True),
    ("macao.trial t join macao.visits v using (person)", False),
]


@pytest.mark.parametrize(("origin", "optional"), JOINED, ids=[row[0] for row in JOINED])
def test_products_are_joined_on_person(origin: str, optional: bool) -> None:
    query = bound(f"select v.kind, avg(t.age), sum(stay) from {origin} group by v.kind")
    assert query.products == ("trial", "visits")
    assert [source.optional for source in query.sources] == [False, optional]
    assert columns_touched(query) == {"trial": {"age"}, "visits": {"kind", "stay"}}
    join = " LEFT JOIN " if optional else " JOIN "
    assert f'"offer:trial" AS t0{join}offered."offer:visits" AS t1 ON t0.person = t1.person' in (
        render(query, "macao").sql
    )


def test_a_cte_keeps_rows_and_renames_columns_of_one_product() -> None:
    query = bound(
        "with old as (select person, sex as who, age + 1 as years from trial where age > 60) "
        "select who, avg(years - 1), count(distinct person) from old group by who"
    )
    plain = bound(
        "select sex as who, avg(age + 1 - 1), count(distinct person) from trial group by 1"
    )
    assert query.keys == plain.keys
    assert [each.parts for each in query.aggregates] == [each.parts for each in plain.aggregates]
    (source,) = query.sources
    assert source.filter == Operation(">", (column("age"), Literal(60)))
    rendered = render(query, "macao")
    assert '(SELECT * FROM offered."offer:trial" WHERE ("age" > ?)) AS t0' in rendered.sql
    assert rendered.parameters == (60,)
    assert columns_touched(query) == {"trial": {"sex", "age"}}


DATES = [
    ("year(since)", "year"), ("quarter(since)", "quarter"), ("month(seen)", "month"),
    ("week(since)", "week"), ("day(since)", "day"), ("dayofweek(since)", "dayofweek"),
    ("extract(month from since)", "month"), ("date_trunc('month', since)", "date_trunc"),
    ("date_diff('day', since, seen)", "date_diff"),
    ("date_diff('week', date '2020-01-01', since)", "date_diff"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "name"), DATES, ids=[row[0] for row in DATES])
def test_functions_of_dates_are_group_keys(key: str, name: str) -> None:
    (scalar,) = bound(f"select {key} as k, count(*) from trial group by 1").keys
    assert isinstance(scalar, Operation)
    assert scalar.name == name


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
    assert bound(f"select count(*) from {origin}").sources == (source,)


def column(name: str) -> ColumnRef:
    """A bound column of the one product."""
    return ColumnRef(name, "t0", COLUMNS[name].type)


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
    assert columns_touched(query) == {"trial": {"arm", "age", "sex", "ward"}}
