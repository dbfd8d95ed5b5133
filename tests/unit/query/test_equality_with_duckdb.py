"""The federated answer is, per cell, the pooled answer over the regions that may show it."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataspace.query.product import Disclosure
from tests.unit.query.language import Question, questions
from tests.unit.query.reference import expected, rows_same, same, widest
from tests.unit.query.worlds import (
    DIMENSIONS,
    MEASURES,
    REGIONS,
    Product,
    Rows,
    World,
    people,
    world,
)

LEAST = 5
EXACT = Disclosure(min_subjects=LEAST, round_to=1)
UNHURRIED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@st.composite
def products(draw: st.DrawFn) -> tuple[Product, ...]:
    """One or two products with some columns of any types."""
    made = []
    for name in ("trial", "visits")[: draw(st.integers(1, 2))]:
        extra = draw(st.lists(st.sampled_from(DIMENSIONS + MEASURES), min_size=1, max_size=5))
        kinds = ["code", "whole", *extra]
        made.append(Product(name, {f"{kind}{n}": kind for n, kind in enumerate(kinds)}))
    return tuple(made)


@st.composite
def splits(draw: st.DrawFn, of: tuple[Product, ...]) -> dict[str, Rows]:
    """Rows over one to five regions, some of which hold none."""
    rows = random.Random(draw(st.integers(0, 2**32)))
    sizes = draw(st.lists(st.sampled_from((0, 4, 20, 60, 100, 140)), min_size=1, max_size=5))
    return {
        region: people(rows, of, size, region) for region, size in zip(REGIONS, sizes, strict=False)
    }


def check(made: World, question: Question) -> None:
    """Hold one answer against the reference."""
    answer = made.ask(question.sql, EXACT)
    wanted = expected(made.pooled, question, LEAST)
    if wanted is None:
        assert answer.rows == ()  # plain SQL counts 0 here; a space shows nothing
        return
    assert len(answer.rows) == len(wanted.rows)
    for row in answer.rows:
        wrong = rows_same(question, row, wanted)
        assert not wrong, wrong
    judged = [None] * (len(question.keys) + 1) + list(question.values)
    for place in question.order_places[:1]:
        value = judged[place]
        index = place - len(question.keys) - 1
        sizes = [] if value is None else [each[index] for each in wanted.scales.values()]
        for ours, theirs in zip(answer.rows, wanted.rows, strict=True):
            scale = widest(sizes)
            assert same(ours[place], theirs[place], value, scale)


@settings(UNHURRIED, max_examples=60)
@given(st.data())
def test_each_cell_is_the_pooled_answer_over_the_regions_that_may_show_it(
    data: st.DataObject,
) -> None:
    made = data.draw(products())
    with world(made, data.draw(splits(made))) as running:
        for question in data.draw(st.lists(questions(made), min_size=3, max_size=6)):
            check(running, question)


@settings(UNHURRIED, max_examples=15)
@given(data=st.data(), base=st.sampled_from((2, 3, 5, 10)))
def test_with_rounding_on_no_count_of_any_share_is_exact(data: st.DataObject, base: int) -> None:
    made = data.draw(products())
    rounded = Disclosure(min_subjects=LEAST, round_to=base)
    with world(made, data.draw(splits(made))) as running:
        for question in data.draw(st.lists(questions(made), min_size=2, max_size=4)):
            for region in running.engines:
                for cell in running.share(region, question.sql, rounded).cells:
                    states = cell.states
                    assert all(state.count % base == 0 for state in states)
                    assert all(state.sum is state.other_sum is None for state in states)
            running.ask(question.sql, rounded).digest()
