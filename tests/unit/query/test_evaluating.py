"""Figures are computed as DuckDB computes them, save where a figure could not be JSON."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.query.combine import to_json
from dataspace.query.evaluate import Row, evaluate
from dataspace.query.tree import Literal, OutcomeOperation
from tests.unit.query.samples import bound

DUCK = duckdb.connect()

WHOLE = st.integers(-(10**9), 10**9)
# Numbers that are all but zero are not what they are written as.
BROKEN = (
    st.floats(-1e6, 1e6, allow_nan=False)
    .map(lambda x: float(f"{x:.6g}"))
    .filter(lambda x: x == 0 or abs(x) > 1e-300)
)
LOGIC = st.sampled_from([True, False, None])


def apply(name: str, *arguments: Any) -> Any:
    return evaluate(OutcomeOperation(name, tuple(map(Literal, arguments))), Row((), ()))


def duck(sql: str, *arguments: Any) -> Any:
    row = DUCK.execute(f"SELECT {sql}", list(arguments)).fetchone()
    assert row
    return row[0]


@settings(max_examples=150, deadline=None)
@given(WHOLE, WHOLE)
def test_whole_numbers_divide_as_in_duckdb(left: int, right: int) -> None:
    if right == 0:
        return
    for name in ("//", "%"):
        ours = apply(name, left, right)
        assert isinstance(ours, int)
        assert ours == duck(f"?::BIGINT {name} ?::BIGINT", left, right)
    assert math.isclose(apply("/", left, right), duck("?::BIGINT / ?::BIGINT", left, right))


@settings(max_examples=150, deadline=None)
@given(BROKEN, BROKEN)
def test_broken_numbers_are_computed_as_in_duckdb(left: float, right: float) -> None:
    a, b = Decimal(repr(left)), Decimal(repr(right))
    for name in ("+", "-", "*", *(("/", "//") if right else ())):
        theirs = duck(f"?::DOUBLE {name} ?::DOUBLE", left, right)
        assert math.isclose(float(apply(name, a, b)), theirs, rel_tol=1e-9, abs_tol=1e-6)
    for name in ("floor", "ceil", "abs"):
        assert float(apply(name, a)) == duck(f"{name}(?::DOUBLE)", left)


@pytest.mark.parametrize(
    "sql",
    ["round(1250, -2)", "round(1249, -2)", "round(-1250, -2)", "round(7, 3)", "round(2.5::DOUBLE)",
     "round(-2.5::DOUBLE)", "round(1234.5678::DOUBLE, 2)", "round(-0.125::DOUBLE, 2)",
     "-7 // 2", "7 // (-2)", "-7 % 3", "7 % (-3)", "7.5::DOUBLE // 2", "-1 // 2",
     "-7.5::DOUBLE % 2", "nullif(3, 3)", "nullif(3, 4)", "coalesce(null, 2, 3)",
     "floor(-2.5::DOUBLE)", "ceil(-2.5::DOUBLE)", "abs(-3)", "1 = 1.0::DOUBLE", "'a' < 'B'",
     "'é' > 'z'", "'' < 'a'"],
)  # fmt: skip
def test_functions_agree_with_duckdb(sql: str) -> None:
    query = bound(f"select count(*), {sql.replace('::DOUBLE', '')} as v from trial")
    ours = to_json(evaluate(query.outputs[1].value, Row((), (20,))))
    assert ours == duck(sql)
    assert isinstance(ours, bool) == isinstance(duck(sql), bool)


@pytest.mark.parametrize("name", ["/", "//", "%"])
@pytest.mark.parametrize("left", [0, 1, -7, Decimal("1.5"), None])
@pytest.mark.parametrize("right", [0, Decimal(0), Decimal("-0.0")])
def test_dividing_by_nought_gives_null(name: str, left: Any, right: Any) -> None:
    assert apply(name, left, right) is None


@given(LOGIC, LOGIC)
def test_logic_has_three_values_as_in_duckdb(left: Any, right: Any) -> None:
    for name in ("and", "or"):
        assert apply(name, left, right) is duck(f"?::BOOLEAN {name} ?::BOOLEAN", left, right)
    assert apply("not", left) is duck("NOT ?::BOOLEAN", left)


SOME = st.sampled_from([None, 1, 2, 3])


@given(SOME, st.lists(SOME, min_size=1, max_size=4))
def test_in_and_between_treat_null_as_duckdb_does(value: Any, members: list[Any]) -> None:
    marks = ", ".join(["?::INTEGER"] * len(members))
    assert apply("in", value, *members) is duck(f"?::INTEGER IN ({marks})", value, *members)
    low, high = members[0], members[-1]
    assert apply("between", value, low, high) is duck(
        "?::INTEGER BETWEEN ?::INTEGER AND ?::INTEGER", value, low, high
    )
    for name in ("=", "<>", "<", ">="):
        assert apply(name, value, low) is duck(f"?::INTEGER {name} ?::INTEGER", value, low)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("and", (1, True)), ("not", (1,)), ("or", (Decimal(0), False)), ("=", (True, 1)),
     ("=", ("1", 1)), ("<", ("a", 1)), ("in", (True, 1)), ("+", (True, 1)), ("+", ("a", 1)),
     ("nullif", (True, 1)), ("round", (1, Decimal(2))), ("round", (1, 31)), ("neg", ("a",))],
)  # fmt: skip
def test_true_is_not_one_and_families_do_not_mix(name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(Malformed):
        apply(name, *arguments)


def test_negation_keeps_every_digit() -> None:
    long = Decimal("1.123456789012345678901234567890123456")
    assert apply("neg", long) == long.copy_negate()
    assert apply("abs", long.copy_negate()) == long


@pytest.mark.parametrize(
    ("figure", "json"),
    [
        (Decimal("-0.0"), 0.0),
        (Decimal("1E+400"), None),
        (Decimal("0.1234567890123456"), 0.123456789012),
        (Decimal("123456789012345.6"), 123456789012000.0),
        (3, 3),
        (True, True),
        (None, None),
        ("x", "x"),
    ],
)
def test_figures_in_json_have_twelve_digits_and_no_infinity(figure: Any, json: Any) -> None:
    shown = to_json(figure)
    assert shown == json and type(shown) is type(json)
    assert str(shown) == str(json)  # nought has no sign


def test_rounding_a_figure_too_large_for_digits_leaves_it() -> None:
    assert apply("round", Decimal("1E+300"), 2) == Decimal("1E+300")
