"""Scalars to SQL expressions for DuckDB: values as parameters, names from the catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from dataspace.query.tree import CaseWhen, ColumnRef, Literal, LiteralValue, Operation, Scalar
from dataspace.query.types import type_of

Parameter = LiteralValue | float

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_INFIX = {"and", "or", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "//", "%"}
_FUNCTIONS = {
    "abs", "floor", "ceil", "round", "coalesce", "nullif", "date_trunc", "date_diff",
    "year", "quarter", "month", "week", "day", "dayofweek",
}  # fmt: skip
_FAILING = {
    "+", "-", "*", "/", "//", "%", "neg", "abs", "floor", "ceil", "round", "date_diff",
    "date_trunc",
}  # fmt: skip
_PLAIN_SCALE, _PLAIN_DIGITS = 10, 18


def quote(name: str) -> str:
    """A quoted identifier of the one plain form. Anything else is a fault of ours."""
    if not _PLAIN.fullmatch(name):
        raise ValueError("an identifier that is not from a catalogue")
    return f'"{name}"'


def view_name(product: str) -> str:
    """The view over the operator's source: `person` and the product's columns."""
    if not _PLAIN.fullmatch(product):
        raise ValueError("a product name that is not from a catalogue")
    return f'offered."offer:{product}"'


@dataclass
class ExpressionWriter:
    """Writes expressions, and collects their parameters in the order of the text.

    `optional` names the tables that a LEFT JOIN may leave empty.
    """

    region: str
    optional: frozenset[str] = frozenset()
    parameters: list[Parameter] = field(default_factory=list)
    _bare: bool = False

    def own(self, scalar: Scalar) -> str:
        """A condition within one product, where its columns need no table."""
        self._bare = True
        text = self.scalar(scalar)
        self._bare = False
        return text

    def key(self, scalar: Scalar) -> str:
        """A group key; one that is not finite is NULL, since no answer can hold it."""
        kind = type_of(scalar)
        if kind is None or not kind.numeric or not _computed(scalar):
            return self.scalar(scalar)
        first, second = self.scalar(scalar), self.scalar(scalar)
        return f"CASE WHEN isfinite({first}::DOUBLE) THEN {second} END"

    def scalar(self, scalar: Scalar) -> str:
        """One expression."""
        match scalar:
            case Literal():
                return self._parameter(scalar.value)
            case ColumnRef(name="region"):
                region = f"{self._parameter(self.region)}::VARCHAR"
                if scalar.table in self.optional and not self._bare:
                    return f"CASE WHEN {scalar.table}.person IS NOT NULL THEN {region} END"
                return region
            case ColumnRef():
                return quote(scalar.name) if self._bare else f"{scalar.table}.{quote(scalar.name)}"
            case CaseWhen():
                whens = "".join(
                    f" WHEN {self.scalar(condition)} THEN {self.scalar(value)}"
                    for condition, value in scalar.branches
                )
                return f"CASE{whens} ELSE {self.scalar(scalar.otherwise)} END"
            case Operation():
                return self._operation(scalar)

    def _parameter(self, value: LiteralValue) -> str:
        if value is None or isinstance(value, bool):
            return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
        self.parameters.append(_without_failing_casts(value))
        return "?"

    def _operation(self, operation: Operation) -> str:
        # SECURITY: an error that depends on one row's value (an overflow, a division by
        # zero) would tell whether the row exists; with TRY it is NULL. Each operation has
        # its own, since DuckDB takes what stands twice within one TRY out of it.
        text = self._plain(operation)
        return f"TRY({text})" if operation.name in _FAILING else text

    def _plain(self, operation: Operation) -> str:
        name, arguments = operation.name, [self.scalar(a) for a in operation.arguments]
        if name in _INFIX:
            return f"({arguments[0]} {name.upper()} {arguments[1]})"
        if name in _FUNCTIONS:
            return f"{name}({', '.join(arguments)})"
        match name:
            case "not":
                return f"(NOT {arguments[0]})"
            case "neg":
                return f"(- {arguments[0]})"
            case "is null":
                return f"({arguments[0]} IS NULL)"
            case "between":
                return f"({arguments[0]} BETWEEN {arguments[1]} AND {arguments[2]})"
            case "in":
                return f"({arguments[0]} IN ({', '.join(arguments[1:])}))"
            case "like":
                return f"({arguments[0]} LIKE {arguments[1]})"
        raise ValueError(f"operator {name} has no rendering")


def _computed(scalar: Scalar) -> bool:
    """Whether a scalar holds an operation that may fail, or leave what is finite."""
    match scalar:
        case Literal() | ColumnRef():
            return False
        case CaseWhen():
            parts = [part for branch in scalar.branches for part in branch]
            return any(map(_computed, [*parts, scalar.otherwise]))
        case Operation():
            return scalar.name in _FAILING or any(map(_computed, scalar.arguments))


def _without_failing_casts(value: LiteralValue) -> Parameter:
    """A number to which every column can be compared: one of many digits goes as a double,
    since a column may overflow where it is cast to so wide a decimal."""
    if isinstance(value, Decimal):
        digits, exponent = len(value.as_tuple().digits), int(value.as_tuple().exponent)
        plain = -_PLAIN_SCALE <= exponent <= 0 and digits <= _PLAIN_DIGITS
        return value if plain else float(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value
