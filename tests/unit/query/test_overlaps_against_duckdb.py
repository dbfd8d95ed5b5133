"""Overlaps counted by codes equal the same question over one pooled database."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.query.product import Disclosure
from tests.unit.query.pooled import Pool

G, H, M = "guangzhou", "hongkong", "macao"

TWO = "FROM guangzhou.trial g JOIN macao.visits m ON g.person = m.person"
LEFT = "FROM guangzhou.trial g LEFT JOIN macao.visits m ON g.person = m.person"
THREE = (
    "FROM guangzhou.trial g JOIN hongkong.trial h ON g.person = h.person "
    "JOIN macao.visits m ON m.person = h.person"
)
MIXED = (
    "FROM guangzhou.trial g LEFT JOIN hongkong.visits h ON g.person = h.person "
    "JOIN macao.visits m ON g.person = m.person"
)
BOTH_LEFT = (
    "FROM macao.trial m LEFT JOIN hongkong.visits h USING (person) "
    "LEFT JOIN guangzhou.visits g ON m.person = g.person"
)
COUNT = "SELECT count(distinct g.person) AS n"
QUESTIONS = [
    f"{COUNT} {TWO}",
    f"{COUNT} {TWO} WHERE g.age >= 40 AND m.kind = 'in'",
    f"{COUNT} {TWO} WHERE (g.sex = 'F' OR g.smoker) AND m.stay > 2 AND g.arm IN (0, 1)",
    f"SELECT g.sex, m.kind, count(distinct m.person) AS n {TWO} "
    "GROUP BY g.sex, m.kind ORDER BY 1, 2",
    f"SELECT m.kind AS k, count(distinct g.person) * 2 AS n {TWO} GROUP BY m.kind "
    "HAVING count(distinct g.person) > 1 ORDER BY n DESC, k LIMIT 2",
    f"SELECT g.age >= 40 AS old, m.arm + 1 AS a, count(distinct g.person) AS n {TWO} "
    "GROUP BY old, m.arm + 1 ORDER BY 1, 2",
    f"SELECT g.arm, m.arm AS b, count(distinct g.person) AS n {TWO} WHERE g.arm IS NOT NULL "
    "GROUP BY g.arm, m.arm ORDER BY 1, 2",
    f"{COUNT} {LEFT}",
    f"SELECT g.sex, count(distinct g.person) AS n {LEFT} GROUP BY g.sex ORDER BY 1",
    f"SELECT m.kind, count(distinct g.person) AS n {LEFT} GROUP BY m.kind ORDER BY 1",
    f"SELECT g.sex, m.kind, m.arm, count(distinct g.person) AS n {LEFT} "
    "GROUP BY g.sex, m.kind, m.arm ORDER BY 1, 2, 3",
    f"{COUNT} {THREE}",
    f"SELECT h.sex, m.kind, count(distinct g.person) AS n {THREE} WHERE g.age > 20 AND h.arm < 3 "
    "GROUP BY h.sex, m.kind ORDER BY 1, 2",
    f"{COUNT} {MIXED} WHERE m.stay >= 1",
    f"SELECT h.kind, m.kind AS k, count(distinct g.person) AS n {MIXED} "
    "GROUP BY h.kind, m.kind ORDER BY 1, 2",
    f"SELECT h.kind, g.arm, count(distinct m.person) AS n {BOTH_LEFT} "
    "GROUP BY h.kind, g.arm ORDER BY 1, 2",
    "WITH d AS (SELECT person, kind AS what FROM macao.visits WHERE stay > 2) "
    "SELECT d.what, count(distinct g.person) AS n FROM guangzhou.trial g "
    "LEFT JOIN d ON g.person = d.person WHERE g.sex = 'F' GROUP BY d.what ORDER BY 1",
]
_NUMBER = st.one_of(st.none(), st.integers(0, 2))
_TRIAL = st.tuples(
    st.sampled_from(["F", "M", None]), _NUMBER, st.booleans(), st.integers(0, 80),
    st.sampled_from(["Fern", "Gorse"]),
)  # fmt: skip
_VISIT = st.tuples(st.sampled_from(["in", "out", None]), _NUMBER, st.integers(0, 5))


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Three regions that know some of a dozen human beings, under names of their own."""
    rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    people: dict[tuple[str, str], int] = {}
    for region in (G, H, M):
        known = draw(st.lists(st.integers(0, 11), unique=True, max_size=10))
        names = {f"{region[0]}{human}": human for human in known}
        people |= {(region, name): human for name, human in names.items()}
        trial = [(name, *draw(_TRIAL)) for name in names]
        visits = [(name, *draw(_VISIT)) for name in names for _ in range(draw(st.integers(0, 2)))]
        rows[region, "trial"], rows[region, "visits"] = trial, visits
    return Pool(rows, people)


@settings(max_examples=40, deadline=None)
@given(pool=pools())
def test_counts_by_codes_are_those_of_the_pooled_question(pool: Pool) -> None:
    for sql in QUESTIONS:
        answer = pool.ask(sql)
        expected = [
            row for row in pool.pooled(sql) if not _nobody(row)
        ]  # without GROUP BY, SQL shows a row of nobody; a cell of nobody leaves no trace
        assert [tuple(row) for row in answer.rows] == expected, sql


def _nobody(row: tuple[Any, ...]) -> bool:
    return row == (0,)


@settings(max_examples=40, deadline=None)
@given(pool=pools())
def test_a_union_counts_each_human_being_once(pool: Pool) -> None:
    for where in ("", " WHERE sex = 'F'", " WHERE age > 30 AND region <> 'macao'"):
        sql = f"SELECT count(distinct person) AS n FROM trial{where}"
        every = " UNION ALL ".join(
            f"SELECT *, '{region}' AS region FROM {region}.trial" for region in (G, H, M)
        )
        expected = pool.pooled(f"SELECT count(distinct person) FROM ({every}) AS trial{where}")
        answer = pool.ask(sql, union=True)
        assert [tuple(row) for row in answer.rows if row != (0,)] == [
            row for row in expected if row != (0,)
        ]


@settings(max_examples=40, deadline=None)
@given(pool=pools(), sql=st.sampled_from(QUESTIONS))
def test_so_few_people_are_never_shown(pool: Pool, sql: str) -> None:
    """A dozen human beings, and eleven are needed: what is shown is nearly all of them."""
    for count in _counts(pool.ask(sql, Disclosure())):
        assert count >= 10


def _counts(answer: Any) -> list[int]:
    at = answer.columns.index("n")
    return [row[at] for row in answer.rows]


def _regular(people: int, also: int) -> Pool:
    """`people` at guangzhou, of whom the first `also` are known at macao too, and others."""
    trial = [(f"g{n}", "FM"[n % 2], n % 3, n % 5 == 0, n % 90, "Fern") for n in range(people)]
    here = [*range(also), *range(people, people + 40)]
    visits = [(f"m{n}", ("in", "out")[n % 4 == 0], n % 3, n % 7) for n in here]
    known = {(G, f"g{n}"): n for n in range(people)} | {(M, f"m{n}"): n for n in here}
    return Pool({(G, "trial"): trial, (M, "visits"): visits}, known)


@pytest.mark.parametrize(
    ("also", "shown"),
    [(0, []), (10, []), (11, [[10]]), (53, [[55]]), (89, [[90]]), (90, [[100]]), (100, [[100]])],
)
def test_a_few_in_common_and_a_few_left_out_look_like_none(
    also: int, shown: list[list[int]]
) -> None:
    answer = _regular(100, also).ask(f"{COUNT} {TWO}", Disclosure())
    assert [list(row) for row in answer.rows] == shown
    assert answer.shown_by == ((G, M),) * len(shown)
    assert answer.hidden_cells == 1 - len(shown)


def test_hidden_cells_count_declared_levels_and_who_is_absent() -> None:
    sql = f"SELECT g.sex, m.kind, count(distinct g.person) AS n {LEFT} GROUP BY g.sex, m.kind"
    answer = _regular(200, 100).ask(sql, Disclosure())
    # F and M, each in, out, or not there: of M none is out by construction.
    assert answer.hidden_cells == 6 - len(answer.rows)
    assert {row[:2] for row in answer.rows} <= {
        (sex, kind) for sex in "FM" for kind in ("in", "out", None)
    }
