"""The federated answer is, per cell, the pooled answer over the regions that may show it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataspace.query.product import Disclosure
from tests.unit.query.federation import Federation, federation
from tests.unit.query.samples import bound, offer

SEEDS = 12
OFFER = offer(Disclosure(min_subjects=5, round_to=1))

KEYS = (
    "region", "sex", "arm", "smoker", "since", "level", "age >= 40", "year(since)", "arm + 1",
    "arm % 2", "-arm", "arm // 2", "abs(arm)", "coalesce(sex, 'none')", "nullif(arm, 1)",
    "case when weight < 60 then 'light' when weight < 80 then 'middle' else 'heavy' end",
    "case when age is null then region else sex end", "arm in (1, 2, null)", "round(level)",
)  # fmt: skip
CONDITIONS = (
    "age >= 30", "age between 0 and 60", "not (weight < 50)", "sex = 'F'", "sex in ('F', null)",
    "sex not in ('F', 'M')", "arm <> 1", "smoker", "not smoker", "arm = 1 or smoker is null",
    "region in ('hongkong', 'macao')", "since >= date '2011-02-01'", "month(since) = 2",
    "arm % 2 = 1", "arm / 2 > 0.4", "level < 0.1", "(arm + 1) * 2 >= 4", "sex is not null",
    "case when arm = 1 then smoker else level > 0 end", "age > 1000", "cost > 100.5", "null",
    "arm = 1.0", "level = 2.5", "nullif(arm, 0) is null and true", "quarter(since) >= 1",
)  # fmt: skip
COUNTS = ("count(*)", "count(age)", "count(weight)", "count(distinct person)", "count(sex)")
FIGURES = (
    "sum(age)", "avg(age)", "sum(weight)", "avg(weight)", "sum(cost)", "avg(cost)",
    "var_samp(age)", "stddev_samp(weight)", "var_samp(cost)", "stddev(age)",
)  # fmt: skip
COMPOSED = (
    "sum(age) / count(*)", "sum(age) // count(*)", "sum(age) % 7", "count(*) % 3",
    "case when count(*) >= 20 then 'many' else 'few' end", "-sum(age)", "abs(sum(age) - 1000)",
    "coalesce(sum(age), 0) + count(*) * 2", "nullif(count(*), 10)", "count(*) between 8 and 20",
    "count(*) in (10, 12, null)", "avg(age) > 35 or null", "floor(avg(weight))",
    "ceil(avg(weight))", "round(count(*), -1)", "round(sum(age) - 900, -1)", "not count(*) < 9",
    "case when avg(age) > 35 then avg(age) when null then 0 end", "1.5 * count(age)",
    "count(age) / (count(*) - count(*))", "sum(age) is null",
)  # fmt: skip
HAVING = (
    "count(*) > 9", "avg(age) > 35 or sum(weight) < 0", "count(distinct person) between 6 and 30",
    "not count(*) > 9", "n > 9", "null", "sum(age) % 2 = 0",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A generated query, in parts. Its first outputs are its keys, `k0`, `k1`, …"""

    keys: tuple[str, ...]
    values: tuple[str, ...]
    where: str
    having: str
    order: tuple[str, ...]
    tail: str

    @property
    def sql(self) -> str:
        return f"{self.unlimited}{self.tail}"

    @property
    def unlimited(self) -> str:
        outputs = [f"{key} AS k{n}" for n, key in enumerate(self.keys)]
        outputs += ["count(*) AS n", *(f"{value} AS v{n}" for n, value in enumerate(self.values))]
        sql = f"SELECT {', '.join(outputs)} FROM trial"
        sql += f" WHERE {self.where}" if self.where else ""
        sql += f" GROUP BY {', '.join(self.keys)}" if self.keys else ""
        sql += f" HAVING {self.having}" if self.having else ""
        return sql + (f" ORDER BY {', '.join(self.order)}" if self.order else "")

    @property
    def order_places(self) -> list[int]:
        """Where the outputs stand that it orders by."""
        width = len(self.keys)
        place = {"k": 0, "n": width, "v": width + 1}
        names = [key.split()[0] for key in self.order]
        return [place[name[0]] + int(name[1:] or 0) for name in names]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    keys = tuple(draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True)))
    simple = COUNTS + FIGURES
    values = tuple(draw(st.lists(st.sampled_from(simple), max_size=3, unique=True)))
    composed = tuple(draw(st.lists(st.sampled_from(COMPOSED), max_size=2, unique=True)))
    where = draw(st.lists(st.sampled_from(CONDITIONS), max_size=2, unique=True))
    names = [f"k{n}" for n in range(len(keys))] + ["n"] + [f"v{n}" for n in range(len(values))]
    directions = ("", " asc", " desc", " nulls first", " desc nulls first", " desc nulls last")
    order = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
    limit, offset = draw(st.none() | st.integers(0, 12)), draw(st.none() | st.integers(0, 4))
    tail = f" LIMIT {limit}" if limit is not None else ""
    return Question(
        keys=keys,
        values=values + composed,
        where=draw(st.sampled_from([" AND ", " OR "])).join(f"({each})" for each in where),
        having=draw(st.sampled_from(("", "", *HAVING))),
        order=tuple(name + draw(st.sampled_from(directions)) for name in order),
        tail=tail + (f" OFFSET {offset}" if offset is not None else ""),
    )


def _restrict(world: Federation, question: Question) -> bool:
    """Make the view `trial` of the rows whose cells their own region may show.

    Computed by plain SQL, apart from the code under test. Returns whether there is a cell.
    """
    query = bound(question.sql, OFFER)
    lines = [part.value for _, part in query.states()]
    columns = [line.column.name for line in lines if line and line.column]
    enough = ["count(DISTINCT person) >= 5"] + [
        f"count(DISTINCT CASE WHEN {name} IS NOT NULL THEN person END) >= 5" for name in columns
    ]
    keys = [f"{key} AS k{n}" for n, key in enumerate(question.keys)]
    same = "".join(
        f" AND s.k{n} IS NOT DISTINCT FROM ({key})" for n, key in enumerate(question.keys)
    )
    world.pooled.execute(
        f"CREATE OR REPLACE TEMP TABLE shown AS SELECT {', '.join(['region AS home', *keys])} "
        f"FROM all_rows WHERE {question.where or 'true'} "
        f"GROUP BY {', '.join(['region', *question.keys])} HAVING {' AND '.join(enough)}"
    )
    world.pooled.execute(
        "CREATE OR REPLACE TEMP VIEW trial AS SELECT * FROM all_rows WHERE EXISTS "
        f"(SELECT 1 FROM shown s WHERE s.home = region{same})"
    )
    found = world.pooled.execute("SELECT count(*) FROM shown").fetchone()
    return bool(found and found[0])


def _plain(value: Any) -> Any:
    """A value of DuckDB as an answer holds it."""
    if value is None or isinstance(value, bool | str):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    number = float(value)
    return number if math.isfinite(number) else None


def _close(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, int | float) and not isinstance(ours, bool) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-7)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _all_close(ours: Any, theirs: Any) -> bool:
    return len(ours) == len(theirs) and all(map(_close, ours, theirs))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Federation]]:
    folder = tmp_path_factory.mktemp("federation")
    with ExitStack() as stack:
        yield [stack.enter_context(federation(seed, folder)) for seed in range(SEEDS)]


def _check(world: Federation, question: Question) -> None:
    answer = world.ask(bound(question.sql, OFFER), OFFER)
    if not _restrict(world, question) and not question.keys:
        assert answer.rows == ()  # plain SQL counts 0 here; a space shows nothing
        return
    width = len(question.keys)
    rows = [tuple(map(_plain, row)) for row in world.pooled.execute(question.sql).fetchall()]
    everything = [
        tuple(map(_plain, row)) for row in world.pooled.execute(question.unlimited).fetchall()
    ]
    by_keys = {row[:width]: row for row in everything}
    assert len(by_keys) == len(everything)
    assert len(answer.rows) == len(rows)
    for row in answer.rows:
        theirs = by_keys[tuple(map(_plain, row[:width]))]
        assert _all_close(row, theirs), (row, theirs)
        assert all(
            row[width + 1 + n] == theirs[width + 1 + n]
            for n, value in enumerate(question.values) if value in COUNTS
        )  # fmt: skip
    for place in question.order_places[:1]:
        assert _all_close([row[place] for row in answer.rows], [row[place] for row in rows])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, SEEDS - 1), question=questions())
def test_each_cell_is_the_pooled_answer_over_the_regions_that_may_show_it(
    worlds: list[Federation], seed: int, question: Question
) -> None:
    _check(worlds[seed], question)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, SEEDS - 1), question=questions(), data=st.data())
def test_the_order_in_which_shares_come_never_changes_the_digest(
    worlds: list[Federation], seed: int, question: Question, data: st.DataObject
) -> None:
    world, query = worlds[seed], bound(question.sql, OFFER)
    order = data.draw(st.permutations(list(world.engines)))
    one, other = world.ask(query, OFFER), world.ask(query, OFFER, order)
    assert one.digest() == other.digest()
    assert one == other
    # a region that is absent leaves the others' cells as they are
    assert (
        world.ask(query, OFFER, order[:1]).digest() == world.ask(query, OFFER, order[:1]).digest()
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, SEEDS - 1),
    question=questions(),
    base=st.sampled_from([2, 3, 5, 10]),
)
def test_with_rounding_on_no_count_of_any_share_is_exact(
    worlds: list[Federation], seed: int, question: Question, base: int
) -> None:
    rounded = offer(Disclosure(min_subjects=5, round_to=base))
    query = bound(question.sql, rounded)
    for region in worlds[seed].engines:
        for cell in worlds[seed].share(region, query, rounded).cells:
            assert all(state.count % base == 0 and state.sum is None for state in cell.states)
    worlds[seed].ask(query, rounded).digest()
