"""Syntax nodes to outcomes: what is computed from released cells after combining."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

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

_ONE: dict[type[exp.Expr], AggregateKind] = {
    exp.Sum: AggregateKind.SUM,
    exp.Avg: AggregateKind.AVG,
    exp.StddevSamp: AggregateKind.STDDEV_SAMP,
    exp.Stddev: AggregateKind.STDDEV_SAMP,
    exp.Variance: AggregateKind.VAR_SAMP,
}
_TWO: dict[type[exp.Expr], AggregateKind] = {
    exp.CovarSamp: AggregateKind.COVAR_SAMP,
    exp.Corr: AggregateKind.CORR,
    exp.RegrSlope: AggregateKind.REGR_SLOPE,
    exp.RegrIntercept: AggregateKind.REGR_INTERCEPT,
    exp.RegrR2: AggregateKind.REGR_R2,
}
_QUANTILES: dict[type[exp.Expr], str] = {
    exp.Quantile: "quantile",
    exp.PercentileCont: "expression",
}
_ROW_FUNCTIONS = {"year", "month", "quarter", "day", "week", "dayofweek"}
MAX_EDGES = 64
HALF = Decimal("0.5")


class OutcomeReader(SyntaxReader):
    """Reads outputs, HAVING and ORDER BY; collects the aggregates it meets."""

    def __init__(
        self,
        sql: str,
        scalars: ScalarReader,
        keys: tuple[Scalar, ...],
        optional: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(sql)
        self._optional = optional
        self.aggregates: list[Aggregate] = []
        self._scalars = scalars
        self._keys = keys
        self._aliases: Mapping[str, Outcome] = {}

    def allow_aliases(self, aliases: Mapping[str, Outcome]) -> None:
        """HAVING and ORDER BY may name outputs."""
        self._aliases = aliases

    def read(self, node: exp.Expr) -> Outcome:
        """One outcome. Raises `Malformed` at its place."""
        if _is_aggregate(node):
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
        self.only(node, "this", "ifs", "default")
        operand = self.read(node.this) if node.this is not None else None
        branches = []
        for branch in node.args["ifs"]:
            self.only(branch, "this", "true")
            condition = self.read(branch.this)
            if operand is not None:
                condition = OutcomeOperation("=", (operand, condition))
            branches.append((condition, self.read(branch.args["true"])))
        default = node.args.get("default")
        return OutcomeCase(tuple(branches), self.read(default) if default else Literal(None))

    def _aggregate(self, node: exp.Expr) -> AggregateRef:
        where = None
        if isinstance(node, exp.Filter):
            self.only(node, "this", "expression")
            self.only(node.expression, "this")
            where = self._scalars.read(node.expression.this)
            node = node.this
        aggregate = self._read_aggregate(node, where)
        if aggregate not in self.aggregates:
            self.aggregates.append(aggregate)
        return AggregateRef(self.aggregates.index(aggregate))

    def _read_aggregate(self, node: exp.Expr, where: Scalar | None) -> Aggregate:
        if isinstance(node, exp.Count):
            return self._count(node, where)
        if type(node) in _ONE:
            self.only(node, "this")
            return Aggregate(_ONE[type(node)], self._argument(node.this), where=where)
        if type(node) in _TWO:
            self.only(node, "this", "expression")
            other = self._argument(node.expression)
            return Aggregate(_TWO[type(node)], self._argument(node.this), other, where)
        if isinstance(node, exp.Median):
            self.only(node, "this")
            return self._quantile(node, HALF, where)
        if type(node) in _QUANTILES:
            self.only(node, "this", _QUANTILES[type(node)])
            return self._quantile(
                node, self._share(node, node.args.get(_QUANTILES[type(node)])), where
            )
        if _is_histogram(node):
            return self._histogram(node, where)
        raise self.unlisted(node)

    def _quantile(self, node: exp.Expr, q: Decimal, where: Scalar | None) -> Aggregate:
        argument = self._argument(node.this)
        return Aggregate(AggregateKind.QUANTILE, argument, where=where, quantile=q)

    def _share(self, node: exp.Expr, given: exp.Expr | None) -> Decimal:
        share = self._scalars.read(given)
        value = share.value if isinstance(share, Literal) else None
        if not is_number(value) or not 0 <= Decimal(str(value)) <= 1:
            raise self.refuse(node, "a quantile is a constant from 0 to 1", "quantile")
        return Decimal(str(value))

    def _histogram(self, node: exp.Expr, where: Scalar | None) -> Aggregate:
        arguments = node.expressions
        if len(arguments) != 2 or not isinstance(arguments[1], exp.Array):
            raise self.refuse(node, "write histogram(x, [edge, edge, …])", "histogram")
        self.only(arguments[1], "expressions", "bracket_notation", "value_constructor")
        constants = [self._scalars.read(each) for each in arguments[1].expressions]
        edges = [each.value for each in constants if isinstance(each, Literal)]
        numbers = [Decimal(str(edge)) for edge in edges if is_number(edge)]
        if len(numbers) != len(constants) or numbers != sorted(set(numbers)):
            raise self.refuse(node, "edges are rising constants", "histogram")
        if not 1 <= len(numbers) <= MAX_EDGES:
            raise self.refuse(node, f"a histogram has 1 to {MAX_EDGES} edges", "histogram")
        argument = self._argument(arguments[0])
        return Aggregate(AggregateKind.HISTOGRAM, argument, where=where, edges=tuple(numbers))

    def _count(self, node: exp.Count, where: Scalar | None) -> Aggregate:
        self.only(node, "this", "big_int")
        argument = node.this
        if argument is None or isinstance(argument, exp.Star):
            if argument is not None:
                self.only(argument)
            return Aggregate(AggregateKind.COUNT_ROWS, where=where)
        if not isinstance(argument, exp.Distinct):
            return Aggregate(AggregateKind.COUNT, self._argument(argument), where=where)
        self.only(argument, "expressions")
        if len(argument.expressions) != 1:
            raise self.refuse(node, "count(distinct …) takes one column", "count-distinct")
        column = self._scalars.read(argument.expressions[0])
        if isinstance(column, ColumnRef) and column.name == "person":
            if column.table in self._optional:
                raise self.refuse(
                    node, "count the persons of the left side; for those who are on both, JOIN",
                    "subject-column",
                )  # fmt: skip
            return Aggregate(AggregateKind.COUNT_PERSONS, where=where)
        return Aggregate(AggregateKind.COUNT_DISTINCT, column, where=where)

    def _argument(self, node: exp.Expr) -> Scalar:
        if isinstance(node, exp.Distinct):
            raise self.refuse(node, "DISTINCT is for count alone", "aggregate-argument")
        argument = self._scalars.read(node)
        if isinstance(argument, ColumnRef) and argument.name == "person":
            raise self.refuse(node, "write count(distinct person)", "subject-column")
        return argument


def _is_histogram(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).lower() == "histogram"


def _is_aggregate(node: exp.Expr) -> bool:
    return isinstance(node, exp.AggFunc | exp.Filter) or _is_histogram(node)
