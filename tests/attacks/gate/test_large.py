"""Texts that are large, or stand for something large: refused early, and by counted steps."""

from __future__ import annotations

import time

import pytest

from dataspace.errors import Malformed
from dataspace.query import statement
from dataspace.query.bind import bind_query
from dataspace.query.parse import parse_query
from dataspace.query.statement import MAX_TOKENS, STEPS_PER_TOKEN
from tests.attacks.gate.attacks import LARGE
from tests.attacks.gate.world import PRODUCTS

MOST_STEPS = STEPS_PER_TOKEN * MAX_TOKENS + 201


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the parser advanced."""
    counted = [0]
    advance = statement._CountedParser._advance

    def counting(self: statement._CountedParser, times: int = 1) -> None:
        counted[0] += 1
        advance(self, times)

    monkeypatch.setattr(statement._CountedParser, "_advance", counting)
    return counted


@pytest.mark.parametrize(("sql", "code"), LARGE.values(), ids=LARGE.keys())
def test_a_large_text_is_malformed_within_bounded_steps(
    sql: str, code: str, steps: list[int]
) -> None:
    started = time.process_time()
    with pytest.raises(Malformed) as caught:
        query = parse_query(sql)
        bind_query(query, *(each for each in PRODUCTS if each.product in query.products))
    assert caught.value.code == code
    assert steps[0] <= MOST_STEPS
    # `tests/bench` reports how long it takes; this only tells minutes from milliseconds.
    assert time.process_time() - started < 2
