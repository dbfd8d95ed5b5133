"""An aggregate's argument as lines over single columns, one part for each CASE branch.

Anything that is not linear in one column is refused: products and quotients of columns
would let a caller build a figure that stands for one row.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import NoReturn

from dataspace.errors import Malformed
from dataspace.query.scalars import MAX_EXPONENT
from dataspace.query.tree import CaseWhen, ColumnRef, Line, Literal, Operation, Part, Scalar

_CONTEXT = Context(prec=50)


def parts_of(argument: Scalar, where: Scalar | None) -> tuple[Part, ...]:
    """The parts that an argument splits into under a FILTER. Raises `Malformed`."""
    if not isinstance(argument, CaseWhen):
        return (Part(line_of(argument), where=where),)
    parts = []
    earlier: list[Scalar] = []
    for condition, value in (*argument.branches, (None, argument.otherwise)):
        mine = [_not_true(each) for each in earlier]
        if condition is not None:
            mine.append(condition)
            earlier.append(condition)
        if not (isinstance(value, Literal) and value.value is None):
            parts.append(Part(line_of(value), where=_all([*mine, *([where] if where else [])])))
    if not parts:
        raise Malformed("a CASE without a value counts nothing", code="aggregate-argument")
    return tuple(parts)


def line_of(scalar: Scalar) -> Line:
    """`scale` × column + `offset`. Raises `Malformed` where it is not that."""
    match scalar:
        case ColumnRef():
            return Line(scalar)
        case Literal():
            return Line(None, offset=_number(scalar))
        case Operation(name="neg", arguments=(inner,)):
            return _scaled(line_of(inner), Decimal(-1))
        case Operation(name="+" | "-", arguments=(left, right)):
            sign = Decimal(1) if scalar.name == "+" else Decimal(-1)
            return _added(line_of(left), _scaled(line_of(right), sign))
        case Operation(name="*", arguments=(left, right)):
            first, second = line_of(left), line_of(right)
            if second.column is None:
                return _scaled(first, second.offset)
            if first.column is None:
                return _scaled(second, first.offset)
        case Operation(name="/", arguments=(left, right)):
            first, second = line_of(left), line_of(right)
            if second.column is None and second.offset != 0:
                return _scaled(first, _CONTEXT.divide(Decimal(1), second.offset))
    return _refuse(scalar)


def _added(left: Line, right: Line) -> Line:
    if left.column is not None and right.column is not None:
        _refuse(left.column)
    column, scale = (left.column, left.scale) if left.column else (right.column, right.scale)
    return Line(column, scale, _CONTEXT.add(left.offset, right.offset))


def _scaled(line: Line, factor: Decimal) -> Line:
    scale = _CONTEXT.multiply(line.scale, factor)
    offset = _CONTEXT.multiply(line.offset, factor)
    # What is squared and multiplied later must not leave the range of any decimal.
    if any(abs(each.adjusted()) > MAX_EXPONENT for each in (scale, offset) if each):
        raise Malformed("a constant out of range", code="aggregate-argument")
    return Line(line.column, scale, offset)


def _number(literal: Literal) -> Decimal:
    value = literal.value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        _refuse(literal)
    return Decimal(value)


def _all(conditions: list[Scalar]) -> Scalar | None:
    joined: Scalar | None = None
    for each in conditions:
        joined = each if joined is None else Operation("and", (joined, each))
    return joined


def _not_true(condition: Scalar) -> Scalar:
    return Operation("not", (Operation("coalesce", (condition, Literal(False))),))


def _refuse(scalar: Scalar) -> NoReturn:
    place = scalar.place if isinstance(scalar, ColumnRef | Operation) else None
    raise Malformed(
        "an aggregate's argument is one column, at most scaled and shifted by constants, "
        "such as avg(1.8 * x + 32)",
        code="aggregate-argument",
        place=place,
    )
