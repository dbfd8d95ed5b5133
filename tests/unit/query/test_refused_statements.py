"""What callers may not write: each refusal has a code, and most name the place."""

from __future__ import annotations

import pytest

from dataspace.errors import Malformed, Place, Refused
from dataspace.query.tree import Aggregate, AggregateKind, ColumnRef
from tests.unit.query.samples import WHERE, bound, offer, visits

GROUP = "select count(*) from trial group by "

# statement, code, column of line 1 (None: no place is promised)
REFUSED: list[tuple[str, str, int | None]] = [
    # not one SELECT
    ("", "one-statement", None),
    (";;", "one-statement", None),
    ("select count(*) from trial; select count(*) from trial", "one-statement", None),
    ("select count(*) from trial; drop table trial", "one-statement", None),
    ("drop table trial", "not-select", None),
    ("insert into trial values (1)", "not-select", None),
    ("copy trial to 'x.csv'", "not-select", None),
    ("attach 'x.db'", "not-select", None),
    ("pragma database_list", "not-select", None),
    ("set memory_limit = '1GB'", "not-select", None),
    ("explain select count(*) from trial", "not-select", None),
    ("select count(*) from trial union all select count(*) from trial", "not-select", None),
    ("select count(*) from trial except select count(*) from trial", "not-select", None),
    ("values (1)", "not-select", None),
    ("(select count(*) from trial)", "not-select", None),
    # what a text may not hold
    ("select count(*) from trial -- all of them", "comment", 22),
    ("select /* x */ count(*) from trial", "comment", 1),
    ("select /*+ hint */ count(*) from trial", "comment", None),
    ("select count(*) from trial where sex = 'F", "syntax", None),
    ("select count(*) from trial where sex = 'F\x00'", "control-character", None),
    ("select count(*) from trial where sex = '\ud800'", "control-character", None),
    ("select count(*) from trial where sex = 'A' 'B'", "syntax", 44),
    (WHERE + "sex = x'41'", "syntax", None),
    (WHERE + "sex = b'01'", "syntax", None),
    (WHERE + "sex = e'\\x41'", "unlisted", 40),
    (WHERE + "sex = $$F$$", "unlisted", 40),
    (WHERE + "sex = N'F'", "unlisted", 40),
    (WHERE + "arm = 0x10", "syntax", None),
    (WHERE + "arm = $1", "unlisted", 40),
    (WHERE + "arm = ?", "unlisted", 40),
    (WHERE + "arm = :arm", "unlisted", 40),
    (WHERE + "arm = [1][1]", "unlisted", 41),
    (WHERE + "arm = {'a': 1}", "unlisted", 40),
    (WHERE + "list_filter(sex, x -> x)", "unlisted", None),
    (WHERE + "list_filter(sex, lambda x: x)", "unlisted", None),
    # identifiers
    ("select count(*) from trіal", "identifier", 22),  # Cyrillic i
    (WHERE + "\u212ait = 1", "identifier", 34),  # the Kelvin sign, k in lower case
    (WHERE + "ａrm = 1", "identifier", 34),  # full width
    ('select count(*) from "Trial"', "identifier", 22),
    ('select count(*) from "trial; drop"', "identifier", 22),
    (WHERE + '"a""b" = 1', "identifier", 34),
    (WHERE + f"{'a' * 64} = 1", "identifier", 34),
    ('select count(*) as "n n" from trial', "identifier", None),
    # FROM
    ("select count(*)", "no-source", None),
    ("select count(*) from (select * from trial)", "source", None),
    ("select count(*) from trial, trial", "join", 29),
    ("select count(*) from trial join other on true", "join", 33),
    ("select count(*) from guangzhou.trial g join macao.trial m on g.person = m.person",
     "linkage", 22),
    ("select count(*) from guangzhou.trial g join trial m on g.person = m.person",
     "linkage", 22),
    ("select count(*) from trial t cross join trial u", "join", None),
    ("select count(*) from trial t right join trial u on t.person = u.person", "join", None),
    ("select count(*) from trial t full join trial u on t.person = u.person", "join", None),
    ("select count(*) from trial t semi join trial u on t.person = u.person", "join", None),
    ("select count(*) from trial t anti join trial u on t.person = u.person", "join", None),
    ("select count(*) from trial t natural join trial u", "syntax", None),
    ("select count(*) from trial t asof join trial u on t.person >= u.person", "syntax", None),
    ("select count(*) from trial t positional join trial u", "syntax", None),
    ("select count(*) from trial t, lateral (select 1) u", "source", None),
    ("select count(*) from trial t join trial u using (arm)", "join", None),
    ("select count(*) from trial t join trial u using (person, arm)", "join", None),
    ("select count(*) from trial t join trial u on t.arm = u.arm", "join", None),
    ("select count(*) from trial t join trial u on t.person = u.arm", "join", None),
    ("select count(*) from trial t join trial u on t.person = t.person", "join", None),
    ("select count(*) from trial t join trial u on t.person <> u.person", "join", None),
    ("select count(*) from trial t join trial u on t.person = u.person and t.arm = 1",
     "join", None),
    ("select count(*) from trial join trial on trial.person = trial.person", "join", 33),
    ("select count(*) from trial" + "".join(f" join trial t{n} on trial.person = t{n}.person"
     for n in range(4)), "join", None),
    ("select sum(age) from trial t join trial u on t.person = u.person", "ambiguous", 12),
    # WITH
    ("with t as (select 1) select count(*) from t", "cte", 19),
    ("with t as (select person, arm + 1 from trial) select count(*) from t", "cte", None),
    ("with t as (select *, arm as a from trial) select count(*) from t", "cte", None),
    ("with t as (select count(*) as n from trial) select sum(n) from t", "unlisted", None),
    ("with t as (select arm from trial group by arm) select sum(arm) from t", "syntax", None),
    ("with t as (select * from trial limit 5) select count(*) from t", "syntax", None),
    ("with t as (select * from trial order by age) select count(*) from t", "syntax", None),
    ("with t as (select distinct arm from trial) select count(*) from t", "syntax", None),
    ("with t as (select * from trial a join trial b using (person)) select count(*) from t",
     "syntax", None),
    ("with t as (select * from trial union select * from trial) select count(*) from t",
     "cte", None),
    ("with recursive t as (select * from t) select count(*) from t", "syntax", None),
    ("with t as materialized (select * from trial) select count(*) from t", "syntax", None),
    ("with t(a) as (select arm from trial) select count(a) from t", "syntax", None),
    ("with t as (select * from trial), t as (select * from trial) select count(*) from t",
     "cte", None),
    ("with t as (select arm as person from trial) select count(distinct person) from t",
     "cte", None),
    ("with t as (select person as p from trial) select count(p) from t", "cte", None),
    ("with t as (select * from trial where person = 'A1') select count(*) from t",
     "subject-column", None),
    ("with t as (select * from trial where age = 40) select count(*) from t", "role", None),
    ("with t as (select age * age as a from trial) select avg(a) from t",
     "aggregate-argument", None),
    ("with t as (select age as a from trial) select count(*) from t where a = 40", "role", None),
    ("with t as (select age as a from trial) select avg(age) from t", "unknown-column", None),
    ("select count(*) from read_csv('/etc/passwd')", "source", None),
    ("select count(*) from glob('*')", "source", None),
    ("select count(*) from query('select 1')", "source", None),
    ("select count(*) from 'x.csv'", "identifier", None),
    ("select count(*) from a.b.trial", "syntax", None),
    ("select count(*) from trial tablesample 10%", "syntax", None),
    ("select count(*) from trial using sample 10", "syntax", None),
    ("select count(*) from trial as t(a, b)", "syntax", None),
    ("select count(*) from values (1)", "source", None),
    # outputs
    ("select * from trial", "unlisted", 8),
    ("select trial.* from trial", "bare-column", None),
    ("select columns(*) from trial", "unlisted", None),
    ("select sex from trial", "bare-column", 8),
    ("select sex, count(*) from trial", "bare-column", 8),
    ("select sex from trial group by sex", "no-aggregate", None),
    ("select 1 from trial", "no-aggregate", None),
    ("select distinct count(*) from trial", "syntax", None),
    ("select count(*), count(*) from trial", "output-name", None),
    ("select min(age) from trial", "unlisted", 12),
    ("select max(age) from trial", "unlisted", 12),
    ("select first(sex) from trial", "unlisted", 8),
    ("select any_value(sex) from trial", "unlisted", None),
    ("select arg_max(sex, age) from trial", "unlisted", None),
    ("select list(sex) from trial", "unlisted", None),
    ("select array_agg(sex) from trial", "unlisted", None),
    ("select string_agg(sex, ',') from trial", "unlisted", None),
    ("select histogram(age) from trial", "histogram", 8),
    ("select histogram(age, [2, 1]) from trial", "histogram", None),
    ("select histogram(age, [1, 1]) from trial", "histogram", None),
    ("select histogram(age, []) from trial", "histogram", None),
    ("select histogram(age, [arm]) from trial", "histogram", None),
    ("select histogram(age, [" + ", ".join(map(str, range(65))) + "]) from trial",
     "histogram", None),
    ("select histogram(sex, [1]) from trial", "type", None),
    ("select quantile(height, 2) from trial", "quantile", None),
    ("select quantile(height, -0.1) from trial", "quantile", None),
    ("select quantile(height, arm) from trial", "quantile", None),
    ("select quantile(height, [0.5, 0.9]) from trial", "unlisted", None),
    ("select quantile_disc(height, 0.5) from trial", "unlisted", None),
    ("select percentile_cont(0.5) within group (order by height) from trial", "unlisted", None),
    ("select median(height) + 1 from trial", "quantile", None),
    ("select median(case when arm = 1 then height else 1 end) from trial",
     "aggregate-argument", None),
    ("select median(1) from trial", "aggregate-argument", None),
    ("select covar_pop(age, weight) from trial", "unlisted", 8),
    ("select var_pop(age) from trial", "unlisted", 8),
    ("select stddev_pop(age) from trial", "unlisted", 8),
    ("select regr_count(age, weight) from trial", "unlisted", 8),
    ("select kurtosis(age) from trial", "unlisted", 8),
    ("select corr(age) from trial", "syntax", None),
    ("select corr(case when arm = 1 then age end, weight) from trial",
     "aggregate-argument", None),
    ("select mode(sex) from trial", "unlisted", None),
    ("select bit_xor(arm) from trial", "unlisted", None),
    ("select sum(age * weight) from trial", "aggregate-argument", 12),
    ("select sum(age * 1e300 * 1e300) from trial", "aggregate-argument", None),
    ("select sum(age / 1e300 / 1e300) from trial", "aggregate-argument", None),
    ("select sum(age + weight) from trial", "aggregate-argument", 12),
    ("select sum(age * age) from trial", "aggregate-argument", 12),
    ("select sum(1 / age) from trial", "aggregate-argument", 12),
    ("select sum(age / 0) from trial", "aggregate-argument", 12),
    ("select sum(abs(age)) from trial", "aggregate-argument", 12),
    ("select sum(age % 2) from trial", "aggregate-argument", 12),
    ("select sum(age // 2) from trial", "aggregate-argument", 12),
    ("select sum(coalesce(age, 0)) from trial", "aggregate-argument", None),
    ("select count(null) from trial", "aggregate-argument", None),
    ("select sum(distinct age) from trial", "aggregate-argument", None),
    ("select sum(case when age = 40 then 1 end) from trial", "role", 22),
    ("select sum(case when sex = 'F' then age * weight end) from trial",
     "aggregate-argument", None),
    ("select sum(case when sex = 'F' then case when arm = 1 then 1 end end) from trial",
     "aggregate-argument", None),
    ("select sum(count(*)) from trial", "unlisted", 12),
    ("select count(distinct age) from trial", "count-distinct", None),
    ("select count(distinct arm + 1) from trial", "count-distinct", None),
    ("select count(distinct case when arm = 1 then sex end) from trial", "count-distinct", None),
    ("select count(distinct person, sex) from trial", "count-distinct", None),
    ("select count(sex, arm) from trial", "syntax", None),
    ("select count(*) filter (where age = 40) from trial", "role", 31),
    ("select count(*) filter (where person = 'A1') from trial", "subject-column", 31),
    ("select count(*) filter (where count(*) > 1) from trial", "unlisted", None),
    ("select count(*) filter (where arm) from trial", "type", None),
    ("select abs(arm) filter (where arm = 1) from trial", "unlisted", None),
    ("select count(*) over () from trial", "unlisted", None),
    ("select row_number() over (order by age) from trial", "unlisted", None),
    ("select avg(age order by sex) from trial", "unlisted", 12),
    ("select cast(count(*) as varchar) from trial", "unlisted", None),
    ("select count(*)::varchar from trial", "unlisted", None),
    ("select (select count(*) from trial) from trial", "unlisted", None),
    ("select getenv('HOME') from trial", "unlisted", 8),
    # the subject
    ("select count(person) from trial", "subject-column", 14),
    ("select sum(person) from trial", "subject-column", 12),
    (WHERE + "person = 'A1'", "subject-column", 34),
    ("select person, count(*) from trial group by person", "subject-column", None),
    ("select count(distinct v.person) from trial t left join visits v using (person)",
     "subject-column", 8),
    (WHERE + "pidnum = 'A1'", "unknown-column", 34),
    # WHERE
    (WHERE + "exists (select 1)", "unlisted", None),
    (WHERE + "arm in (select 1)", "syntax", None),
    (WHERE + "arm in (arm)", "in-list", None),
    (WHERE + "cast(arm as varchar) = '1'", "unlisted", None),
    (WHERE + "try_cast(arm as varchar) = '1'", "unlisted", None),
    (WHERE + "since = date '2020-02-30'", "date", None),
    (WHERE + "since = date '20200131'", "date", None),
    (WHERE + "seen = timestamp '2020-01-31 00:00:00+08:00'", "date", None),
    (WHERE + "since = current_date", "unlisted", None),
    (WHERE + "since + interval 1 day > date '2020-01-01'", "unlisted", None),
    (WHERE + "since - date '2020-01-01' > 1", "type", None),
    (WHERE + "date_trunc('hour', seen) = seen", "unit", None),
    (WHERE + "extract(hour from seen) = 1", "unit", None),
    (WHERE + "date_diff('second', since, seen) = 1", "unit", None),
    (WHERE + "date_trunc(sex, seen) = seen", "unit", None),
    (WHERE + "year(age) = 2020", "role", None),
    (WHERE + "sex ilike 'f'", "unlisted", None),
    (WHERE + "sex similar to 'f'", "unlisted", None),
    (WHERE + "sex glob 'f'", "unlisted", None),
    (WHERE + "ward like 'a!%' escape '!'", "unlisted", None),
    (WHERE + "ward like sex", "like", None),
    (WHERE + "regexp_matches(sex, 'f')", "unlisted", None),
    (WHERE + "sex || sex = 'FF'", "unlisted", None),
    (WHERE + "arm ** 2 = 4", "unlisted", None),
    (WHERE + "arm & 1 = 1", "unlisted", None),
    (WHERE + "smoker is true", "is", None),
    (WHERE + "arm is not distinct from 1", "unlisted", None),
    (WHERE + "(arm, arm) = (1, 1)", "unlisted", None),
    (WHERE + "count(*) > 1", "unlisted", None),
    (WHERE + "other.arm = 1", "unknown-table", 34),
    ("select count(distinct other.person) from trial", "unknown-table", 23),
    (WHERE + "nothing = 1", "unknown-column", 34),
    (WHERE + "rowid = 1", "unknown-column", 34),
    # roles
    (WHERE + "age = 40", "role", 34),
    (WHERE + "age <> 40", "role", None),
    (WHERE + "age in (40)", "role", None),
    (WHERE + "age + 1 > 40", "role", 34),
    (WHERE + "abs(age) > 40", "role", None),
    (WHERE + "-age > 40", "role", None),
    (WHERE + "age > weight", "role", None),
    (WHERE + "age > arm", "role", None),
    (WHERE + "40 between age and 50", "role", None),
    (WHERE + "coalesce(age, 0) > 40", "role", None),
    (WHERE + "nullif(age, 40) is null", "role", None),
    (WHERE + "case when true then age end > 40", "role", None),
    (GROUP + "age", "role", 37),
    (GROUP + "age / 10", "role", None),
    (WHERE + "sex like 'F%'", "like", 34),
    # types
    (WHERE + "arm = 'F'", "type", 34),
    (WHERE + "sex = 1", "type", None),
    (WHERE + "since = '2020-01-01'", "type", None),
    (WHERE + "smoker = 1", "type", None),
    (WHERE + "sex", "type", None),
    (WHERE + "arm", "type", None),
    (WHERE + "arm and smoker", "type", None),
    (WHERE + "year(sex) = 1", "type", None),
    (WHERE + "sex + 1 = 2", "type", None),
    (WHERE + "arm in (1, 'x')", "type", None),
    (WHERE + "round(level, 'x') = 1", "type", None),
    (WHERE + "round(level, arm) = 1", "type", None),
    (WHERE + "case when arm then true end", "type", None),
    (WHERE + "case when arm = 1 then 1 else 'x' end = 1", "type", None),
    ("select sum(sex) from trial", "type", 12),
    ("select avg(smoker) from trial", "type", 12),
    ("select count(*) + 'x' from trial", "type", None),
    ("select not count(*) from trial", "type", None),
    ("select case when count(*) then 1 end from trial", "type", None),
    ("select case when count(*) > 1 then 1 else 'x' end from trial", "type", None),
    ("select round(avg(age), 1.5) from trial", "type", None),
    ("select count(*) from trial having count(*)", "type", None),
    ("select count(*) from trial having count(*) > 'x'", "type", None),
    ("select sex, count(*) from trial group by sex order by sex + 1", "type", None),
    # GROUP BY, HAVING, ORDER BY, LIMIT
    (GROUP + "all", "syntax", None),
    (GROUP + "rollup(sex)", "unlisted", None),
    (GROUP + "cube(sex)", "unlisted", None),
    (GROUP + "grouping sets ((sex), ())", "unlisted", None),
    (GROUP + "()", "unlisted", None),
    (GROUP + "(sex, arm)", "unlisted", None),
    (GROUP + "sex, sex", "group-key", None),
    (GROUP + "2", "group-key", 37),
    (GROUP + "1", "unlisted", None),
    (GROUP + "9" * 5000, "group-key", 37),
    (GROUP + "'x'", "group-key", None),
    ("select count(*) from trial qualify true", "syntax", None),
    ("select count(*) from trial window w as ()", "syntax", None),
    ("select count(*) from trial having sex = 'F'", "bare-column", 35),
    ("select count(*) from trial order by all", "unlisted", None),
    ("select count(*) from trial order by age", "bare-column", 37),
    ("select count(*) from trial order by 2", "order", None),
    ("select count(*) from trial order by true", "order", None),
    ("select count(*) from trial order by 'x'", "order", None),
    ("select count(*) from trial limit 1 + 1", "limit", None),
    ("select count(*) from trial limit 50%", "syntax", None),
    ("select count(*) from trial limit 50 percent", "syntax", None),
    ("select count(*) from trial limit -1", "limit", None),
    ("select count(*) from trial limit ²", "limit", None),
    ("select count(*) from trial limit ٣", "limit", None),
    ("select count(*) from trial limit 1.5", "limit", None),
    ("select count(*) from trial limit '1'", "limit", None),
    ("select count(*) from trial limit " + "9" * 7000, "limit", None),
    ("select count(*) from trial limit (select 1)", "limit", None),
    ("select count(*) from trial offset 1 + 1", "offset", None),
    ("select count(*) from trial fetch first 1 row with ties", "syntax", None),
    # size
    (WHERE + "arm = " + "9" * 39, "literal", 40),
    (WHERE + "arm = 1e999", "literal", None),
    (WHERE + f"sex = '{'x' * 501}'", "literal", 40),
    (WHERE + " " * 8000 + "true", "too-long", None),
    (WHERE + "arm in (" + "1," * 1500 + "1)", "too-long", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "code", "column"),
    REFUSED,
    ids=[f"{number}-{sql[:40]!a}" for number, (sql, _, _) in enumerate(REFUSED)],
)
def test_what_is_not_in_the_language_is_refused_with_its_code_and_place(
    sql: str, code: str, column: int | None
) -> None:
    with pytest.raises(Malformed) as caught:
        bound(sql)
    assert caught.value.code == code
    if column is not None:
        assert caught.value.place == Place(1, column)


def test_the_place_counts_lines_and_columns_from_one() -> None:
    with pytest.raises(Malformed) as caught:
        bound("select count(*)\nfrom trial\nwhere sex = 'F'\n  and nothing = 1")
    assert caught.value.place == Place(4, 7)
    assert "(at line 4, column 7)" in caught.value.message


@pytest.mark.parametrize(
    "sql",
    [
        WHERE + "note = 'x'",
        WHERE + "note is null",
        "select count(note) from trial",
        "select note, count(*) from trial group by note",
        "select sex, count(*) from trial group by sex, coalesce(note, 'x')",
        "select count(*) filter (where note = 'x') from trial",
        "select sum(case when note = 'x' then 1 end) from trial",
        "select count(distinct note) from trial",
        "with t as (select person, note as n from trial) select n, count(*) from t group by n",
        "with t as (select * from trial where note = 'x') select count(*) from t",
        "select count(*) from trial t join visits v using (person) where remark = 'x'",
    ],
)
def test_a_withheld_column_is_refused_by_the_owners_rule(sql: str) -> None:
    with pytest.raises(Refused) as caught:
        bound(sql)
    assert (caught.value.rule, caught.value.code) == ("column-withheld", "withheld")


@pytest.mark.parametrize("aggregate", ["median(age)", "quantile(weight, 0.9)", "median(stay * 2)"])
def test_a_quantile_of_a_column_without_bounds_is_refused_by_its_rule(aggregate: str) -> None:
    product = "visits" if "stay" in aggregate else "trial"
    own = [offer(), visits()]
    unbounded = own[1].columns | {
        "stay": own[1].columns["stay"].model_copy(update={"bounds": None})
    }
    own[1] = own[1].model_copy(update={"columns": unbounded})
    with pytest.raises(Refused) as caught:
        bound(f"select {aggregate} from {product}", *own)
    assert (caught.value.rule, caught.value.code) == ("bounds-needed", "bounds-needed")


def test_an_aggregate_that_does_not_fit_its_argument_cannot_exist() -> None:
    with pytest.raises(Malformed):
        Aggregate(AggregateKind.SUM)
    with pytest.raises(Malformed):
        Aggregate(AggregateKind.COUNT_ROWS, ColumnRef("age"))
