"""Quantiles, histograms and counts of levels against plain DuckDB over the rows that are shown."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.query.product import Disclosure
from tests.unit.query.test_equality_with_duckdb import UNHURRIED
from tests.unit.query.worlds import REGIONS, Product, World, people, world

TRIAL = Product(
    "trial", {"text": "text", "code": "code", "flag": "flag", "bounded": "bounded", "few": "few"}
)
LEAST = 5
KEYS = ("", "code", "text", "region")
FILTERS = ("", "flag", "code >= 1", "bounded < 60")


@contextmanager
def _drawn(data: st.DataObject) -> Iterator[World]:
    draw = random.Random(data.draw(st.integers(0, 2**32)))
    sizes = data.draw(st.lists(st.sampled_from((0, 4, 25, 60, 150)), min_size=1, max_size=4))
    regions = zip(REGIONS, sizes, strict=False)
    with world(
        [TRIAL], {name: people(draw, [TRIAL], size, name) for name, size in regions}
    ) as made:
        yield made


def _sql(figure: str, key: str, where: str) -> str:
    kept = f" FILTER (WHERE {where})" if where else ""
    outputs = f"{key or 'TRUE'} AS k, {figure}{kept} AS v"
    return f"SELECT {outputs} FROM trial" + (f" GROUP BY {key}" if key else "")


def _show(made: World, column: str, key: str, where: str) -> None:
    """Make the table `shown` of the values in the cells that their regions may show."""
    condition = where or "TRUE"
    persons = "count(DISTINCT person) FILTER (WHERE {}) >= " + str(LEAST)
    enough = [persons.format("TRUE"), persons.format(f"({condition}) AND {column} IS NOT NULL")]
    enough += [persons.format(f"({condition}) IS NOT TRUE")] if where else []
    keys = key or "()"
    made.pooled.execute(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT region, {key or 'TRUE'} AS k FROM trial "
        f"GROUP BY region, {keys} HAVING {' AND '.join(enough)}"
    )
    made.pooled.execute(
        f"CREATE OR REPLACE TEMP TABLE shown AS SELECT region, person, {key or 'TRUE'} AS k, "
        f"{column} AS x FROM trial WHERE ({condition}) AND {column} IS NOT NULL AND EXISTS "
        f"(SELECT 1 FROM cells c WHERE c.region = trial.region "
        f"AND c.k IS NOT DISTINCT FROM ({key or 'TRUE'}))"
    )


@settings(UNHURRIED, max_examples=25)
@given(data=st.data(), round_to=st.sampled_from((1, 5, 10)))
def test_the_true_quantile_always_lies_within_the_error_bound(
    data: st.DataObject, round_to: int
) -> None:
    with _drawn(data) as made:
        for _ in range(3):
            q = data.draw(st.sampled_from((0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 1.0)))
            key, where = data.draw(st.sampled_from(KEYS)), data.draw(st.sampled_from(FILTERS))
            column = data.draw(st.sampled_from(("bounded", "few")))
            sign, text = data.draw(st.sampled_from(((1, "{}"), (2, "2 * {} + 1"), (-1, "10 - {}"))))
            sql = _sql(f"quantile({text.format(column)}, {q})", key, where)
            answer = made.ask(sql, Disclosure(min_subjects=LEAST, round_to=round_to))
            _show(made, column, key, where)
            # Of a falling line the q-quantile is that of the line's own values.
            found = made.pooled.execute(
                f"SELECT k, quantile_cont({text.format('x')}::DOUBLE, {q}), "
                f"quantile_disc({text.format('x')}::DOUBLE, {q}) FROM shown GROUP BY k"
            ).fetchall()
            theirs = {row[0]: row[1:] for row in found}
            assert answer.error_bounds is not None
            assert set(theirs) == {row[0] for row in answer.rows}
            for (cell, value), bounds in zip(answer.rows, answer.error_bounds, strict=True):
                assert isinstance(value, float)
                for true in theirs[cell]:
                    assert abs(value - true) <= bounds["v"] + 1e-9 * (1 + abs(true)), (sign, sql)


@settings(UNHURRIED, max_examples=15)
@given(data=st.data())
def test_a_histogram_counts_what_the_regions_show_of_each_bin(data: st.DataObject) -> None:
    with _drawn(data) as made:
        for _ in range(3):
            key, where = data.draw(st.sampled_from(KEYS)), data.draw(st.sampled_from(FILTERS))
            column = data.draw(st.sampled_from(("bounded", "few")))
            numbers = st.sampled_from((-20, 0, 0.5, 1, 2, 3, 49.5, 50, 60, 90, 120))
            edges = sorted(data.draw(st.sets(numbers, min_size=1, max_size=5)))
            line = data.draw(st.sampled_from(("{}", "2 * {} + 1")))
            sql = _sql(f"histogram({line.format(column)}, {edges})", key, where)
            answer = made.ask(sql, Disclosure(min_subjects=LEAST, round_to=1))
            _show(made, column, key, where)
            above = " + ".join(f"({line.format('x')} > {edge})::INT" for edge in edges)
            found = made.pooled.execute(
                f"SELECT k, region, {above} AS bin, count(*), count(DISTINCT person) FROM shown "
                "GROUP BY ALL"
            ).fetchall()
            people_behind = made.pooled.execute(
                "SELECT k, region, count(DISTINCT person) FROM shown GROUP BY ALL"
            ).fetchall()
            behind = {row[:2]: row[2] for row in people_behind}
            assert {row[0]: row[1] for row in answer.rows} == _bins(found, behind, len(edges) + 1)


def _bins(
    found: Sequence[tuple[Any, ...]], behind: Mapping[tuple[Any, ...], int], width: int
) -> dict[Any, list[int | None]]:
    """Each region's bins; where the hidden ones hold few, the smallest beside them hides too."""
    own: dict[tuple[Any, ...], list[tuple[int, int, int]]] = defaultdict(list)
    for cell, region, number, count, persons in found:
        own[cell, region].append((count, number, persons))
    bins: dict[Any, list[int | None]] = {}
    for key, each in own.items():
        shown = sorted(one for one in each if one[2] >= LEAST)
        hidden = sum(one[2] for one in each) - sum(one[2] for one in shown)
        apart = sum(one[2] for one in each) == behind[key]
        if len(each) > len(shown) and not (apart and hidden >= LEAST):
            shown = shown[1:]
        counts = bins.setdefault(key[0], [None] * width)
        for count, number, _ in shown:
            counts[number] = (counts[number] or 0) + count
    return bins


@settings(UNHURRIED, max_examples=15)
@given(data=st.data())
def test_count_distinct_is_the_number_of_levels_with_enough_persons_at_some_region(
    data: st.DataObject,
) -> None:
    with _drawn(data) as made:
        for column in ("text", "code", "flag"):
            key = data.draw(st.sampled_from([key for key in KEYS if key != column]))
            where = data.draw(st.sampled_from(FILTERS))
            sql = _sql(f"count(distinct {column})", key, where)
            answer = made.ask(sql, Disclosure(min_subjects=LEAST, round_to=1))
            _show(made, column, key, where)
            theirs = made.pooled.execute(
                "SELECT k, count(DISTINCT x) FILTER (WHERE persons >= 5) FROM "
                "(SELECT k, x, count(DISTINCT person) AS persons FROM shown GROUP BY k, region, x) "
                "GROUP BY k"
            ).fetchall()
            assert {row[0]: row[1] for row in answer.rows} == dict(theirs)


@pytest.mark.parametrize("round_to", [1, 5])
def test_a_finer_answer_comes_of_more_people(round_to: int) -> None:
    bounds = []
    for size in (20, 2_000):
        rows = {"macao": people(random.Random(1), [TRIAL], size, "m")}
        with world([TRIAL], rows) as made:
            answer = made.ask(
                "SELECT median(bounded) AS v FROM trial",
                Disclosure(min_subjects=LEAST, round_to=round_to),
            )
            assert answer.error_bounds
            bounds.append(answer.error_bounds[0]["v"])
    assert bounds[1] < bounds[0] / 5
