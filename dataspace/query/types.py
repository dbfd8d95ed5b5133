"""Types of scalars, and which of them can be compared."""

from __future__ import annotations

import datetime
from decimal import Decimal

from dataspace.query.product import ColumnType
from dataspace.query.tree import CaseWhen, ColumnRef, Literal, Operation, Scalar

COMPARING = {"=", "<>", "<", "<=", ">", ">=", "between", "in"}
ALIKE = {"coalesce", "nullif"}
ARITHMETIC = {"+", "-", "*", "/", "//", "%"}
ROUNDING = {"abs", "floor", "ceil", "round", "neg"}
LOGIC = {"and", "or", "not"}
DATE_PARTS = {"year", "quarter", "month", "week", "day", "dayofweek"}


def type_of(scalar: Scalar) -> ColumnType | None:
    """The type of a bound scalar; None for NULL."""
    match scalar:
        case ColumnRef():
            return scalar.type
        case Literal():
            return _literal_type(scalar)
        case CaseWhen():
            values = [value for _, value in scalar.branches]
            return next(filter(None, map(type_of, [*values, scalar.otherwise])), None)
        case Operation():
            return _operation_type(scalar)


def _operation_type(operation: Operation) -> ColumnType | None:
    if operation.name in DATE_PARTS or operation.name == "date_diff":
        return ColumnType.INTEGER
    if operation.name == "date_trunc":
        return ColumnType.TIMESTAMP
    if operation.name in ARITHMETIC | ROUNDING:
        return ColumnType.DOUBLE
    if operation.name in ALIKE:
        return next(filter(None, map(type_of, operation.arguments)), None)
    return ColumnType.BOOLEAN


def _literal_type(literal: Literal) -> ColumnType | None:
    match literal.value:
        case bool():
            return ColumnType.BOOLEAN
        case int():
            return ColumnType.INTEGER
        case Decimal():
            return ColumnType.DECIMAL
        case str():
            return ColumnType.VARCHAR
        case datetime.datetime():
            return ColumnType.TIMESTAMP
        case datetime.date():
            return ColumnType.DATE
        case None:
            return None


def is_time(kind: ColumnType) -> bool:
    """Whether it is a date or a moment."""
    return kind in {ColumnType.DATE, ColumnType.TIMESTAMP}


def family_of(scalar: Scalar) -> str | None:
    """Scalars of one family can be compared; None for NULL."""
    kind = type_of(scalar)
    return None if kind is None else family(kind)


def family(kind: ColumnType) -> str:
    """`number`, `time`, `text` or `boolean`."""
    if kind.numeric:
        return "number"
    if is_time(kind):
        return "time"
    return "text" if kind is ColumnType.VARCHAR else kind.value
