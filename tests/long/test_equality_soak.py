"""Thousands of generated questions against plain DuckDB."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.unit.query.language import questions
from tests.unit.query.test_equality_with_duckdb import UNHURRIED, check, products, splits
from tests.unit.query.worlds import world


@pytest.mark.long
@pytest.mark.timeout(3_600)
@settings(UNHURRIED, max_examples=250, phases=[Phase.generate])
@given(st.data())
def test_five_thousand_answers_are_the_pooled_ones(data: st.DataObject) -> None:
    made = data.draw(products())
    with world(made, data.draw(splits(made))) as running:
        for _ in range(20):
            check(running, data.draw(questions(made)))
