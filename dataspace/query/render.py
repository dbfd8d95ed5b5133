"""Query tree to SQL for DuckDB. Values go as parameters, identifiers from the catalogue.

The caller's text never reaches an engine: only the tree does, and every name in it has
been resolved against the product before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from dataspace.query.bind import type_of
from dataspace.query.product import ColumnType
from dataspace.query.tree import (
    AggregateKind,
    CaseWhen,
    ColumnRef,
    Literal,
    LiteralValue,
    Operation,
    Query,
    Scalar,
)

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
Parameter = LiteralValue | float

_INFIX = {"and", "or", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "//", "%"}
_FUNCTIONS = {
    "abs", "floor", "ceil", "round", "year", "month", "quarter", "day", "coalesce", "nullif",
}  # fmt: skip
_PLAIN_SCALE, _PLAIN_DIGITS = 10, 18
_FAILING = {"+", "-", "*", "/", "//", "%", "neg", "abs", "floor", "ceil", "round"}


@dataclass(frozen=True)
class Rendered:
    """SQL with `?` for each parameter.

    Columns: the group keys, `subjects`, then for each aggregate its pieces as `pieces`
    names them: `subjects`, `count`, `whole`, `sum`, `low`, `high`, `variance`.
    """

    sql: str
    parameters: tuple[Parameter, ...]
    pieces: tuple[tuple[str, ...], ...]


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


def render(query: Query, region: str) -> Rendered:
    """The SQL of one node's share of a bound query."""
    writer = _Writer(region)
    keys = [writer.key(key) for key in query.keys]
    columns = [*keys, "count(DISTINCT person)"]
    pieces = []
    for aggregate in query.aggregates:
        parts = writer.pieces(aggregate.kind, aggregate.column)
        columns += parts.values()
        pieces.append(tuple(parts))
    # SECURITY: made of catalogue names and our own operators alone; values are parameters.
    sql = f"SELECT {', '.join(columns)} FROM {view_name(query.source.product)}"  # noqa: S608
    if query.where is not None:
        sql += f" WHERE {writer.scalar(query.where)}"
    if keys:
        sql += f" GROUP BY {', '.join(str(index + 1) for index in range(len(keys)))}"
    return Rendered(sql, tuple(writer.parameters), tuple(pieces))


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


def _is_number(scalar: Scalar) -> bool:
    kind = type_of(scalar)
    return kind is not None and kind.numeric


@dataclass
class _Writer:
    region: str
    parameters: list[Parameter] = field(default_factory=list)

    def key(self, scalar: Scalar) -> str:
        """A group key; one that is not finite is NULL, since no answer can hold it."""
        if not (_computed(scalar) and _is_number(scalar)):
            return self.scalar(scalar)
        first, second = self.scalar(scalar), self.scalar(scalar)
        return f"CASE WHEN isfinite({first}::DOUBLE) THEN {second} END"

    def scalar(self, scalar: Scalar) -> str:
        match scalar:
            case Literal():
                return self._parameter(scalar.value)
            case ColumnRef(name="region"):
                return f"{self._parameter(self.region)}::VARCHAR"
            case ColumnRef():
                return quote(scalar.name)
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

    def pieces(self, kind: AggregateKind, column: ColumnRef | None) -> dict[str, str]:
        """What the engine computes for one aggregate; disclosure turns it into a state."""
        if kind is AggregateKind.COUNT_ROWS:
            return {"count": "count(*)"}
        if kind is AggregateKind.COUNT_PERSONS:
            return {"count": "count(DISTINCT person)"}
        if column is None:
            raise ValueError(f"{kind.value} without a column")
        x = self.scalar(column)
        pieces = {
            "subjects": f"count(DISTINCT person) FILTER (WHERE {self.scalar(column)} IS NOT NULL)",
            "count": f"count({x})",
        }
        if kind is AggregateKind.COUNT:
            return pieces
        whole = column.type is ColumnType.INTEGER
        exact = whole or column.type is ColumnType.DECIMAL
        if not whole:
            pieces["whole"] = f"bool_and({x} = floor({x}))"
        # fsum (Kahan) so that the order of summation does not show.
        pieces["sum"] = f"{'sum' if exact else 'fsum'}({x})::VARCHAR"
        pieces["low"], pieces["high"] = f"min({x})::VARCHAR", f"max({x})::VARCHAR"
        if kind in {AggregateKind.VAR_SAMP, AggregateKind.STDDEV_SAMP}:
            pieces["variance"] = f"var_samp({x}::DOUBLE)::VARCHAR"
        return pieces
