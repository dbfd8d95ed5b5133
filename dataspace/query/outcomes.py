"""Syntax nodes to outcomes: what is computed from released cells after combining."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from dataspace.errors import Malformed
from dataspace.query.scalars import (
    BINARY,
    FUNCTIONS,
    UNARY,
    ScalarReader,
    is_number,
    negative,
)
from dataspace.query.syntax import SyntaxReader
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
    Scalar,
)

_AGGREGATES: dict[type[exp.Expr], AggregateKind] = {
    exp.Sum: AggregateKind.SUM,
    exp.Avg: AggregateKind.AVG,
    exp.StddevSamp: AggregateKind.STDDEV_SAMP,
    exp.Stddev: AggregateKind.STDDEV_SAMP,
    exp.Variance: AggregateKind.VAR_SAMP,
}
_ROW_FUNCTIONS = {"year", "month", "quarter", "day"}


class OutcomeReader(SyntaxReader):
    """Reads outputs, HAVING and ORDER BY; collects the aggregates it meets."""

    def __init__(self, sql: str, scalars: ScalarReader, keys: tuple[Scalar, ...]) -> None:
        super().__init__(sql)
        self.aggregates: list[Aggregate] = []
        self._scalars = scalars
        self._keys = keys
        self._aliases: Mapping[str, Outcome] = {}

    def allow_aliases(self, aliases: Mapping[str, Outcome]) -> None:
        """HAVING and ORDER BY may name outputs."""
        self._aliases = aliases

    def read(self, node: exp.Expr) -> Outcome:
        """One outcome. Raises `Malformed` at its place."""
        if isinstance(node, exp.AggFunc):
            return self._aggregate(node)
        key = self._as_key(node)
        if key is not None:
            return key
        if isinstance(node, exp.Column):
            if not node.args.get("table") and node.name.lower() in self._aliases:
                return self._aliases[node.name.lower()]
            raise self.refuse(
                node,
                "a column stands in an aggregate or in GROUP BY; rows are never shown",
                "bare-column",
            )
        return self._composed(node)

    def _as_key(self, node: exp.Expr) -> KeyRef | None:
        if not self._keys or isinstance(node, exp.Literal):
            return None
        try:
            scalar = self._scalars.read(node)
        except Malformed:
            return None
        return KeyRef(self._keys.index(scalar)) if scalar in self._keys else None

    def _composed(self, node: exp.Expr) -> Outcome:
        if isinstance(node, exp.Literal | exp.Boolean | exp.Null | exp.Cast):
            literal = self._scalars.read(node)
            assert isinstance(literal, Literal)
            return literal
        if isinstance(node, exp.Paren):
            self.only(node, "this")
            return self.read(node.this)
        if type(node) in BINARY:
            self.only(node, "this", "expression", "typed", "safe")
            return self._operation(BINARY[type(node)], node.this, node.expression)
        if type(node) in UNARY:
            self.only(node, "this")
            inner = self.read(node.this)
            if isinstance(node, exp.Neg) and isinstance(inner, Literal) and is_number(inner.value):
                return negative(inner.value)
            return OutcomeOperation(UNARY[type(node)], (inner,))
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            self.only(node, "this", "expression")
            return self._operation("is null", node.this)
        if isinstance(node, exp.Between):
            self.only(node, "this", "low", "high")
            return self._operation("between", node.this, node.args["low"], node.args["high"])
        if isinstance(node, exp.In):
            self.only(node, "this", "expressions")
            return self._operation("in", node.this, *node.expressions)
        if isinstance(node, exp.Coalesce):
            self.only(node, "this", "expressions", "is_nvl", "is_null")
            return self._operation("coalesce", node.this, *node.expressions)
        if isinstance(node, exp.Case):
            return self._case(node)
        name, arguments = FUNCTIONS.get(type(node), ("", ()))
        if name and name not in _ROW_FUNCTIONS:
            self.only(node, *arguments)
            return self._operation(name, *(node.args[a] for a in arguments if node.args.get(a)))
        raise self.unlisted(node)

    def _operation(self, name: str, *parts: exp.Expr) -> OutcomeOperation:
        return OutcomeOperation(name, tuple(map(self.read, parts)))

    def _case(self, node: exp.Case) -> OutcomeCase:
        self.only(node, "ifs", "default")
        branches = []
        for branch in node.args["ifs"]:
            self.only(branch, "this", "true")
            branches.append((self.read(branch.this), self.read(branch.args["true"])))
        default = node.args.get("default")
        return OutcomeCase(tuple(branches), self.read(default) if default else Literal(None))

    def _aggregate(self, node: exp.AggFunc) -> AggregateRef:
        aggregate = self._count(node) if isinstance(node, exp.Count) else self._over_column(node)
        if aggregate not in self.aggregates:
            self.aggregates.append(aggregate)
        return AggregateRef(self.aggregates.index(aggregate))

    def _count(self, node: exp.Count) -> Aggregate:
        self.only(node, "this", "big_int")
        argument = node.this
        if argument is None or isinstance(argument, exp.Star):
            if argument is not None:
                self.only(argument)
            return Aggregate(AggregateKind.COUNT_ROWS)
        if isinstance(argument, exp.Distinct):
            self.only(argument, "expressions")
            column = self._column(argument.expressions[0])
            if len(argument.expressions) != 1 or column.name != "person":
                raise self.refuse(node, "count(distinct …) takes person alone", "count-distinct")
            return Aggregate(AggregateKind.COUNT_PERSONS)
        column = self._column(argument)
        if column.name == "person":
            raise self.refuse(node, "write count(distinct person)", "subject-column")
        return Aggregate(AggregateKind.COUNT, column)

    def _over_column(self, node: exp.AggFunc) -> Aggregate:
        kind = _AGGREGATES.get(type(node))
        if kind is None:
            raise self.unlisted(node)
        self.only(node, "this")
        return Aggregate(kind, self._column(node.this))

    def _column(self, node: exp.Expr) -> ColumnRef:
        if isinstance(node, exp.Paren):
            self.only(node, "this")
            return self._column(node.this)
        if not isinstance(node, exp.Column):
            raise self.refuse(node, "an aggregate takes one column", "aggregate-argument")
        column = self._scalars.read(node)
        assert isinstance(column, ColumnRef)
        return column
