"""Combining shares: which cells, in which order, and what is refused."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from typing import Any

import duckdb
import pytest

from dataspace.errors import Unverified
from dataspace.query.combine import Answer, combine, key_names, state_names
from dataspace.query.partials import Cell, KeyValue, Share, State
from dataspace.query.product import Column, ColumnType, Role
from dataspace.query.tree import Query
from tests.unit.query.samples import COLUMNS, bound, offer

REGIONS = ("guangzhou", "hongkong", "macao")


def share(query: Query, region: str, cells: dict[Any, Any], round_to: int = 1) -> Share:
    """Cells by key, each a count or a tuple of states."""
    made = []
    for keys, states in cells.items():
        own: tuple[KeyValue, ...] = keys if isinstance(keys, tuple) else (keys,)
        made.append(Cell(own, states if isinstance(states, tuple) else (State(states),)))
    return Share(region, key_names(query), state_names(query), tuple(made), round_to)


def ask(sql: str, *cells: dict[Any, Any]) -> Answer:
    query = bound(sql)
    shares = [share(query, region, own) for region, own in zip(REGIONS, cells, strict=False)]
    return combine(query, shares, REGIONS)


BY_SEX = "select sex, count(*) as n from trial group by sex"


def test_a_cell_names_the_regions_that_show_it() -> None:
    answer = ask(BY_SEX, {"F": 10, "M": 20}, {"F": 5}, {})
    assert answer.rows == (("F", 15), ("M", 20))
    assert answer.shown_by == (("guangzhou", "hongkong"), ("guangzhou",))


@pytest.mark.parametrize(
    ("sql", "cells", "hidden"),
    [
        (BY_SEX, {}, 2),
        (BY_SEX, {"F": 10}, 1),
        (BY_SEX, {"F": 10, "M": 10}, 0),
        (BY_SEX, {"F": 10, None: 10}, 1),  # NULL is no declared level
        ("select sex, arm, count(*) from trial group by 1, 2", {("F", 1): 10, ("M", 3): 10}, 6),
        ("select region, count(*) from trial group by 1", {"guangzhou": 10}, 2),
        ("select region, sex, count(*) from trial group by 1, 2", {("guangzhou", "F"): 10}, 5),
        ("select count(*) from trial", {(): 10}, 0),
        ("select count(*) from trial", {}, 1),
        ("select ward, count(*) from trial group by 1", {"A": 10}, None),
        ("select arm >= 1 as high, count(*) from trial group by 1", {True: 10}, None),
        (f"{BY_SEX} having count(*) > 50", {"F": 10}, 1),  # not shown is not hidden
        (f"{BY_SEX} limit 0", {"F": 10}, 1),
    ],
)
def test_hidden_cells_are_the_declared_combinations_that_nobody_shows(
    sql: str, cells: dict[Any, Any], hidden: int | None
) -> None:
    assert ask(sql, cells).hidden_cells == hidden


def test_levels_of_dates_and_decimals_are_found_among_the_cells() -> None:
    columns = COLUMNS | {
        "since": Column(
            type=ColumnType.DATE,
            role=Role.DIMENSION,
            levels=("2020-01-01", "2021-01-01"),
        ),
        "dose": Column(type=ColumnType.DECIMAL, role=Role.DIMENSION, levels=(0.1, 2)),
    }
    own = offer().model_copy(update={"columns": columns})
    for name, key in (("since", datetime.date(2020, 1, 1)), ("dose", Decimal("0.1000"))):
        query = bound(f"select {name}, count(*) from trial group by 1", own)
        answer = combine(query, [share(query, "macao", {key: 10})], REGIONS)
        assert answer.hidden_cells == 1


@pytest.mark.parametrize("direction", ["", "asc", "desc"])
@pytest.mark.parametrize("nulls", ["", "nulls first", "nulls last"])
@pytest.mark.parametrize("by", ["sex", "n"])
def test_order_by_places_nulls_as_duckdb_does(direction: str, nulls: str, by: str) -> None:
    rows = [("F", 3), ("M", None), (None, 1)]
    with duckdb.connect() as plain:
        plain.execute("create table t (sex varchar, n integer)")
        plain.executemany("insert into t values (?, ?)", rows)
        theirs = plain.execute(f"select * from t order by {by} {direction} {nulls}").fetchall()
    counted = {sex: State(n or 0, sum=Decimal(n or 0)) for sex, n in rows}
    answer = ask(
        f"select sex, sum(age) as n from trial group by sex order by {by} {direction} {nulls}",
        {sex: (state,) for sex, state in counted.items()},
    )
    assert list(answer.rows) == theirs


def test_ties_are_broken_by_keys_so_that_every_order_of_shares_gives_one_answer() -> None:
    query = bound(f"{BY_SEX} order by n desc limit 2")
    cells: list[dict[Any, Any]] = [{"M": 10, "F": 10}, {None: 10}, {"X": 10}]
    shares = [share(query, region, own) for region, own in zip(REGIONS, cells, strict=True)]
    answers = [combine(query, own, REGIONS) for own in permutations(shares)]
    assert {answer.digest() for answer in answers} == {answers[0].digest()}
    assert answers[0].rows == (("F", 10), ("M", 10))


def test_variances_merge_as_if_the_rows_had_been_in_one_place() -> None:
    values = [[1.0, 2.0, 4.0], [1e6, 1e6 + 1], [7.0]]
    with duckdb.connect() as plain:
        states = []
        for own in values:
            found = plain.execute(
                "select sum(x), var_samp(x) from unnest(?) t(x)", [own]
            ).fetchone()
            assert found
            spread = None if found[1] is None else Decimal(repr(found[1]))
            states.append({(): (State(len(own), Decimal(repr(found[0])), variance=spread),)})
        every = [x for own in values for x in own]
        theirs = plain.execute("select stddev_samp(x) from unnest(?) t(x)", [every]).fetchone()
    answer = ask("select stddev_samp(weight) from trial", *states)
    assert theirs
    assert answer.rows[0][0] == pytest.approx(theirs[0], rel=1e-11)


def test_a_sum_of_decimals_keeps_every_digit() -> None:
    cells = [{(): (State(10, sum=Decimal(text)),)} for text in ("1234567890123456789.0001", "0.1")]
    answer = ask("select sum(cost), -sum(cost) * 2 as w, sum(cost) / 2 as h from trial", *cells)
    total = Decimal("1234567890123456789.1001")
    assert answer.rows == ((total, -2 * total, 617283945062000000.0),)
    assert list(map(type, answer.rows[0])) == [Decimal, Decimal, float]
    near = ask("select sum(cost), -sum(cost) * 2 as w, sum(cost) / 2 as h from trial", cells[0])
    assert answer.digest() != near.digest()


def test_equal_decimals_have_one_form_and_one_digest() -> None:
    forms = [("1000.00", "0"), ("900", "100.0000"), ("1E+3", "0.0")]
    answers = [
        ask("select sum(cost) from trial", *({(): (State(10, sum=Decimal(t)),)} for t in form))
        for form in forms
    ]
    assert {str(answer.rows[0][0]) for answer in answers} == {"1000"}
    assert len({answer.digest() for answer in answers}) == 1


def test_a_column_of_one_double_has_no_slope_and_no_spread() -> None:
    """0.1 adds up to 0.30000000000000004 over three rows, and to 0.7 over seven."""
    states = [
        State(count, Decimal(repr(sum([0.1] * count))), variance=Decimal(0), other_sum=Decimal(9),
              other_variance=Decimal(2), covariance=Decimal(0))
        for count in (3, 7, 10)
    ]  # fmt: skip
    cells = [{(): (state,)} for state in states]
    assert ask("select corr(weight, age) from trial", *cells).rows == ((None,),)
    spread = [{(): (replace(s, other_sum=None, other_variance=None, covariance=None),)}
              for s in states]  # fmt: skip
    assert ask("select var_samp(weight) from trial", *spread).rows == ((0.0,),)


def test_a_sum_beyond_2_to_53_has_a_digest() -> None:
    huge = State(10, sum=Decimal(10**30))
    answer = ask("select sum(age) from trial", {(): (huge,)}, {(): (huge,)})
    assert answer.rows == ((2 * 10**30,),)
    assert len(answer.digest()) == 32


def test_the_labelled_sum_of_persons_is_told() -> None:
    total = ask("select count(distinct person) from trial", {(): 10}, {(): 10})
    assert "counts twice" in total.notes[0]
    by_region = "select region, count(distinct person) from trial group by region"
    assert ask(by_region, {"guangzhou": 10}, {"hongkong": 10}).notes == ()


def test_a_share_of_another_query_is_unverified() -> None:
    query = bound(BY_SEX)
    for other in (
        "select arm, count(*) from trial group by arm",
        "select sex, count(age) from trial group by sex",
        "select count(*) from trial",
    ):
        with pytest.raises(Unverified):
            combine(query, [share(bound(other), "macao", {})], REGIONS)


def test_a_region_that_answers_twice_or_was_not_asked_is_unverified() -> None:
    query = bound(BY_SEX)
    own = share(query, "macao", {"F": 10})
    with pytest.raises(Unverified):
        combine(query, [own, own], REGIONS)
    with pytest.raises(Unverified):
        combine(query, [own], ["hongkong"])


@pytest.mark.parametrize(
    ("aggregate", "state"),
    [
        ("sum(age)", State(10)),
        ("avg(age)", State(10, variance=Decimal(1))),
        ("var_samp(age)", State(10, sum=Decimal(1))),
        ("stddev_samp(age)", State(10, mean=Decimal(1))),
    ],
)
def test_a_figure_that_is_missing_is_unverified_and_never_nought(
    aggregate: str, state: State
) -> None:
    with pytest.raises(Unverified):
        ask(f"select {aggregate} from trial", {(): (state,)})


def test_equal_queries_written_otherwise_have_equal_key_names() -> None:
    one = bound("select arm >= 2 as high, count(*) from trial group by 1")
    two = bound("select count(*), (t.arm>=2) from hongkong.trial t group by (ARM >= 2)")
    other = bound("select arm >= 3 as high, count(*) from trial group by 1")
    assert key_names(one) == key_names(two) != key_names(other)
