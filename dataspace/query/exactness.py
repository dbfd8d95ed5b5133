"""Which outcomes are decimals to the last digit: sums of decimals, and what is made of such.

A mean, a spread or a quotient is a broken figure, and whatever is made of one is too.
Values alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from dataspace.query.product import ColumnType
from dataspace.query.tree import (
    Aggregate,
    AggregateKind,
    AggregateRef,
    ColumnRef,
    KeyRef,
    Literal,
    Outcome,
    OutcomeCase,
    OutcomeOperation,
    Query,
    Scalar,
)

_COUNTS = {
    AggregateKind.COUNT_ROWS,
    AggregateKind.COUNT,
    AggregateKind.COUNT_PERSONS,
    AggregateKind.COUNT_DISTINCT,
}
_KEEPING = {"+", "-", "*", "neg", "abs", "round", "floor", "ceil", "coalesce", "nullif"}


def is_exact(query: Query, outcome: Outcome) -> bool:
    """Whether an outcome of a bound query is a decimal with all its digits."""
    return _exactness(query, outcome) is True


def _exactness(query: Query, outcome: Outcome) -> bool | None:
    """True for an exact decimal, False for a broken figure, None for what is either's peer."""
    match outcome:
        case Literal():
            return None
        case KeyRef():
            return _of_key(query.keys[outcome.index])
        case AggregateRef():
            return _of_aggregate(query.aggregates[outcome.index])
        case OutcomeOperation():
            arguments = [_exactness(query, each) for each in outcome.arguments]
            return _of_all(arguments) if outcome.name in _KEEPING else False
        case OutcomeCase():
            values = [*(value for _, value in outcome.branches), outcome.otherwise]
            return _of_all([_exactness(query, value) for value in values])


def _of_all(each: Sequence[bool | None]) -> bool | None:
    return False if False in each else True if True in each else None


def _of_key(key: Scalar) -> bool | None:
    if not isinstance(key, ColumnRef):
        return False
    if key.type is ColumnType.DECIMAL:
        return True
    return None if key.type is ColumnType.INTEGER else False


def _of_aggregate(aggregate: Aggregate) -> bool | None:
    if aggregate.kind in _COUNTS:
        return None
    lines = [part.value for part in aggregate.parts if part.value is not None]
    if aggregate.kind is not AggregateKind.SUM or not all(line.exact for line in lines):
        return False
    return None if all(line.whole for line in lines) else True
