"""Texts that would keep a parser busy: each is refused, and soon."""

from __future__ import annotations

import time

import pytest

from dataspace.errors import Malformed
from dataspace.query.parse import parse_query
from tests.unit.query.samples import WHERE

_DEEP = {
    "brackets": WHERE + "(" * 41 + "true" + ")" * 41,
    "not": WHERE + "not " * 1500 + "true",
    "minus": WHERE + "- " * 1500 + "1 = arm",
    "case": WHERE + "case when true then " * 150 + "1" + " end" * 150 + " = 1",
    "and": WHERE + " and ".join(["arm = 1"] * 480),
    "sum": "select " + " + ".join(["count(*)"] * 390) + " from trial",
    "casts": WHERE + "arm" + "::int" * 900 + " = 1",
    # The parser tries these in several ways at each depth: they took minutes and more.
    "array": WHERE + "array[(" * 20 + "1" + ")]" * 20,
    "date": "select " + "date (" * 18 + "1" + ")" * 18,
    "timestamp": "select " + "timestamp (" * 18 + "1" + ")" * 18,
    "struct": "select " + "struct(" * 38 + "1" + ")" * 38,
    "decimal": "select " + "decimal (" * 38 + "1" + ")" * 38,
    "enum": "select " + "enum (" * 38 + "1" + ")" * 38,
    "map": "select " + "map(" * 39 + "1" + ")" * 39,
    "subqueries": WHERE + "(select " * 39 + "1" + ")" * 39,
    "unclosed": "select " + "f(" * 40,
}


@pytest.mark.parametrize("sql", _DEEP.values(), ids=_DEEP.keys())
def test_deep_or_hard_texts_are_refused_within_a_fraction_of_a_second(sql: str) -> None:
    started = time.process_time()
    with pytest.raises(Malformed):
        parse_query(sql)
    # The bound is wide of the usual few milliseconds; unbounded parsing takes minutes.
    assert time.process_time() - started < 1
