"""An answer's columns in Arrow's types: what the query says, then what the values say. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dataspace.query.combine import Answer
from dataspace.query.product import ColumnType
from dataspace.query.tree import (
    AggregateKind,
    AggregateRef,
    KeyRef,
    Literal,
    Outcome,
    OutcomeCase,
    OutcomeOperation,
    Query,
)
from dataspace.query.types import type_of

_DIGITS, _MOST_DIGITS = 38, 76  # of Arrow's decimals
NUMBER = None  # which number, the values say
_TYPES: dict[ColumnType, pa.DataType | None] = {
    ColumnType.VARCHAR: pa.string(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us"),
}
_AGGREGATES: dict[AggregateKind, pa.DataType | None] = {
    AggregateKind.COUNT_ROWS: pa.int64(),
    AggregateKind.COUNT: pa.int64(),
    AggregateKind.COUNT_PERSONS: pa.int64(),
    AggregateKind.COUNT_DISTINCT: pa.int64(),
    AggregateKind.HISTOGRAM: pa.list_(pa.int64()),
}
_CONDITIONS = {"and", "or", "not", "is null", "in", "between", "=", "<>", "<", "<=", ">", ">="}
_ALIKE = {"coalesce", "nullif"}


def column_types(query: Query) -> tuple[pa.DataType | None, ...]:
    """The Arrow type of each output of a bound query; None for a number."""
    return tuple(_type(query, output.value) for output in query.outputs)


def arrow_table(answer: Answer, types: Sequence[pa.DataType | None]) -> pa.Table:
    """The rows as a table. Dates and moments are such; whole numbers stay whole."""
    columns = [
        _array([row[index] for row in answer.rows], kind) for index, kind in enumerate(types)
    ]
    return pa.table(columns, names=list(answer.columns))


def _type(query: Query, outcome: Outcome) -> pa.DataType | None:
    match outcome:
        case Literal():
            return _of(type_of(outcome))
        case KeyRef():
            return _of(type_of(query.keys[outcome.index]))
        case AggregateRef():
            return _AGGREGATES.get(query.aggregates[outcome.index].kind, NUMBER)
        case OutcomeCase():
            values = [*(value for _, value in outcome.branches), outcome.otherwise]
            return _one_of([_type(query, value) for value in values])
        case OutcomeOperation(name=name, arguments=arguments):
            if name in _CONDITIONS:
                return pa.bool_()
            alike = name in _ALIKE
            return _one_of([_type(query, each) for each in arguments]) if alike else NUMBER


def _of(kind: ColumnType | None) -> pa.DataType | None:
    return pa.null() if kind is None else _TYPES.get(kind, NUMBER)


def _one_of(types: Sequence[pa.DataType | None]) -> pa.DataType | None:
    """The type that holds all of them; they are of one family, NULL aside."""
    known = [kind for kind in types if kind != pa.null()]
    if not known:
        return pa.null()
    if all(kind == known[0] for kind in known):
        return known[0]
    return pa.timestamp("us") if pa.date32() in known else NUMBER


def _array(values: Sequence[Any], kind: pa.DataType | None) -> pa.Array:
    if kind is NUMBER or pa.types.is_integer(kind):
        return _numbers(values, kind)
    read: Callable[[str], datetime.date] | None = None
    if pa.types.is_date(kind):
        read = datetime.date.fromisoformat
    elif pa.types.is_timestamp(kind):
        read = datetime.datetime.fromisoformat
    if read is not None:
        values = [None if value is None else read(value) for value in values]
    return pa.array(values, kind)


def _numbers(values: Sequence[Any], kind: pa.DataType | None) -> pa.Array:
    there = [value for value in values if value is not None]
    whole = all(isinstance(value, int) for value in there)
    if whole and (there or kind is not NUMBER):
        if all(-(2**63) <= value < 2**63 for value in there):
            return pa.array(values, pa.int64())
        if all(abs(value) < 10**38 for value in there):
            return pa.array(values, pa.decimal128(38))
    if any(isinstance(value, Decimal) for value in there):
        scale = max(0, *(-int(Decimal(value).as_tuple().exponent) for value in there))
        digits = max(Decimal(value).adjusted() + 1 + scale for value in there)
        if max(digits, scale) <= _MOST_DIGITS:
            wide = max(digits, scale) > _DIGITS
            return pa.array(
                values,
                pa.decimal256(_MOST_DIGITS, scale) if wide else pa.decimal128(_DIGITS, scale),
            )
    return pa.array([None if value is None else float(value) for value in values], pa.float64())
