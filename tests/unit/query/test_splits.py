"""Where people are held never shows in an answer: not the order of nodes, nor how many there are.

Digests are equal where figures are exact: counts, sums and means of whole numbers and
decimals. Sums of doubles and spreads agree to 1e-9; the last of their twelve digits may differ,
since each node adds and squares its doubles for itself.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataspace.query.combine import Answer
from dataspace.query.product import Disclosure
from tests.unit.query.language import Question, Value, questions
from tests.unit.query.test_equality_with_duckdb import EXACT, UNHURRIED, products, splits
from tests.unit.query.worlds import Product, Rows, people, world

EMPTY = "shenzhen"
BROKEN = {"broken", "wild", "ratio", "bounded"}
_SQUARING = {"var_samp", "stddev_samp", "covar_samp", "corr", "regr_slope", "regr_intercept",
             "regr_r2"}  # fmt: skip


def _exact(made: Sequence[Product]) -> tuple[Product, ...]:
    """The same products without their doubles."""
    kept = [{x: kind for x, kind in each.kinds.items() if kind not in BROKEN} for each in made]
    return tuple(replace(each, kinds=kinds) for each, kinds in zip(made, kept, strict=True))


def _is_exact(value: Value) -> bool:
    """Whether no double is added up or squared for it."""
    return value.name not in _SQUARING and " / " not in value.text


def _without_regions(question: Question) -> Question:
    keys = tuple(key for key in question.keys if not key.endswith("region"))
    return replace(question, keys=keys, order=(), tail="")


def _rows_alone(answer: Answer) -> bytes:
    """The digest but for who shows what."""
    return replace(answer, shown_by=()).digest()


@settings(UNHURRIED, max_examples=12)
@given(st.data())
def test_neither_the_order_of_nodes_nor_an_empty_node_changes_the_digest(
    data: st.DataObject,
) -> None:
    made = data.draw(products())
    split = data.draw(splits(made))
    split.pop(EMPTY, None)
    assume(split)
    none: Rows = {product.name: [] for product in made}
    with world(made, split) as one, world(made, {**split, EMPTY: none}) as other:
        for question in data.draw(st.lists(questions(made), min_size=1, max_size=4)):
            digest = one.ask(question.sql, EXACT).digest()
            order = data.draw(st.permutations(list(one.engines)))
            assert one.ask(question.sql, EXACT, order).digest() == digest
            # An empty region is still one more level that `region` may have.
            plain = _without_regions(question)
            again = other.ask(plain.sql, EXACT, data.draw(st.permutations(list(other.engines))))
            assert again.digest() == one.ask(plain.sql, EXACT).digest()


@settings(UNHURRIED, max_examples=12)
@given(st.data())
def test_one_nodes_people_in_two_nodes_give_the_same_digest_of_exact_figures(
    data: st.DataObject,
) -> None:
    """Each person has a twin with the same rows: at one node of twice the minimum, or at two."""
    made = _exact(data.draw(products()))
    draw = random.Random(data.draw(st.integers(0, 2**32)))
    size = data.draw(st.sampled_from((8, 30, 80)))
    own = people(draw, made, size, "a")
    twins = {name: [("b" + str(row[0]), *row[1:]) for row in rows] for name, rows in own.items()}
    both = {name: [*own[name], *twins[name]] for name in own}
    with (
        world(made, {"macao": both}) as one,
        world(made, {"hongkong": twins, "macao": own}) as two,
    ):
        for question in data.draw(st.lists(questions(made), min_size=1, max_size=4)):
            plain = _without_regions(question)
            plain = replace(plain, values=tuple(filter(_is_exact, plain.values)))
            assume(".region" not in plain.sql.replace(" region", ""))
            whole = one.ask(plain.sql, Disclosure(min_subjects=10, round_to=1))
            parted = two.ask(plain.sql, Disclosure(min_subjects=5, round_to=1))
            assert _rows_alone(whole) == _rows_alone(parted)
            assert all(regions == ("hongkong", "macao") for regions in parted.shown_by)
