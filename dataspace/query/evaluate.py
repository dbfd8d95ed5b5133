"""Evaluating outcomes over one combined cell, with SQL's three-valued logic.

Whole numbers stay whole; everything else is a decimal of 50 digits until the very end,
so that no answer depends on the order in which nodes came.

Where DuckDB 2.0 gives infinity (`x / 0`) or an error (`x // 0`, `x % 0`), the figure is
NULL: JSON has no infinity, and an error would depend on data. `//` divides as `/` does,
save between whole numbers, where it cuts towards zero: both as in DuckDB 2.0.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Any

from dataspace.errors import Malformed
from dataspace.query.partials import KeyValue
from dataspace.query.tree import (
    AggregateRef,
    KeyRef,
    Literal,
    Outcome,
    OutcomeCase,
    OutcomeOperation,
)

CONTEXT = Context(prec=50)
Figure = KeyValue  # what an outcome yields


@dataclass(frozen=True)
class Row:
    """One combined cell: its keys and the value of each aggregate."""

    keys: tuple[Figure, ...]
    aggregates: tuple[Figure, ...]


def evaluate(outcome: Outcome, row: Row) -> Figure:
    """The value of an outcome. Raises `Malformed` where its types do not fit."""
    match outcome:
        case Literal():
            return outcome.value
        case KeyRef():
            return _number(row.keys[outcome.index])
        case AggregateRef():
            return row.aggregates[outcome.index]
        case OutcomeCase():
            for condition, value in outcome.branches:
                if evaluate(condition, row) is True:
                    return evaluate(value, row)
            return evaluate(outcome.otherwise, row)
        case OutcomeOperation():
            arguments = [evaluate(argument, row) for argument in outcome.arguments]
            try:
                return _apply(outcome.name, arguments)
            except (TypeError, ArithmeticError):
                raise Malformed(f"{outcome.name} does not fit its arguments", code="type") from None


def _number(value: Figure) -> Figure:
    return Decimal(repr(value)) if isinstance(value, float) else value


def _apply(name: str, arguments: Sequence[Any]) -> Figure:
    if name in {"and", "or", "not"}:
        return _logic(name, arguments)
    if name == "is null":
        return arguments[0] is None
    if name == "coalesce":
        return next((argument for argument in arguments if argument is not None), None)
    if name == "in":
        return _member(arguments)
    if name == "between":
        low = _apply(">=", arguments[:2])
        return _logic("and", [low, _apply("<=", [arguments[0], arguments[2]])])
    if any(argument is None for argument in arguments):
        return None
    if name in _COMPARISONS:
        return compare(name, arguments[0], arguments[1])
    if name == "nullif":
        return None if compare("=", arguments[0], arguments[1]) else arguments[0]
    if not all(isinstance(a, int | Decimal) and not isinstance(a, bool) for a in arguments):
        raise TypeError
    return _ARITHMETIC[name](*arguments)


def _logic(name: str, arguments: Sequence[Any]) -> bool | None:
    # Not `in (True, False, None)`: to Python the number 1 is True.
    if not all(argument is None or isinstance(argument, bool) for argument in arguments):
        raise TypeError
    if name == "not":
        return None if arguments[0] is None else not arguments[0]
    decisive = name == "or"
    if any(argument is decisive for argument in arguments):
        return decisive
    return None if None in arguments else not decisive


def _member(arguments: Sequence[Any]) -> bool | None:
    if arguments[0] is None:
        return None
    members = [member for member in arguments[1:] if member is not None]
    if any(compare("=", arguments[0], member) for member in members):
        return True
    return None if None in arguments[1:] else False


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<>": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def compare(name: str, left: Any, right: Any) -> bool:
    """Compare two values of one family. Raises TypeError where they are not."""
    if family(left) != family(right):
        raise TypeError
    if isinstance(left, datetime.date) and type(left) is not type(right):
        left, right = _moment(left), _moment(right)
    return _COMPARISONS[name](left, right)


def family(value: Figure) -> str:
    """Values of one family can be compared."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, datetime.date):
        return "time"
    return "text" if isinstance(value, str) else type(value).__name__


def _moment(value: datetime.date) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    return datetime.datetime.combine(value, datetime.time())


def _divide(left: Any, right: Any) -> Decimal | None:
    return None if right == 0 else CONTEXT.divide(Decimal(left), Decimal(right))


def _whole_divide(left: Any, right: Any) -> Figure:
    if right == 0:
        return None
    if not (isinstance(left, int) and isinstance(right, int)):
        return _divide(left, right)
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def _modulo(left: Any, right: Any) -> Figure:
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return CONTEXT.remainder(Decimal(left), Decimal(right))


def _round(value: Any, digits: Any = 0) -> Figure:
    if not isinstance(digits, int) or abs(digits) > 30:
        raise TypeError
    if isinstance(value, int):
        return value if digits >= 0 else int(_rounded(Decimal(value), digits))
    return _rounded(value, digits)


def _rounded(value: Decimal, digits: int) -> Decimal:
    """Halves away from zero. A figure too large to have such digits is round already."""
    if value.adjusted() + digits >= CONTEXT.prec - 1:
        return value
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, CONTEXT)


def _both(
    whole: Callable[[int, int], int], broken: Callable[[Decimal, Decimal], Decimal]
) -> Callable[..., Figure]:
    def apply(left: Any, right: Any) -> Figure:
        if isinstance(left, int) and isinstance(right, int):
            return whole(left, right)
        return broken(Decimal(left), Decimal(right))

    return apply


_ARITHMETIC: dict[str, Callable[..., Figure]] = {
    "+": _both(lambda a, b: a + b, CONTEXT.add),
    "-": _both(lambda a, b: a - b, CONTEXT.subtract),
    "*": _both(lambda a, b: a * b, CONTEXT.multiply),
    "/": _divide,
    "//": _whole_divide,
    "%": _modulo,
    "neg": lambda a: -a if isinstance(a, int) else a.copy_negate(),
    "abs": lambda a: abs(a) if isinstance(a, int) else a.copy_abs(),
    "round": _round,
    "floor": lambda a: a if isinstance(a, int) else a.to_integral_value(ROUND_FLOOR),
    "ceil": lambda a: a if isinstance(a, int) else a.to_integral_value(ROUND_CEILING),
}
