"""Syntax nodes to scalars: the expressions that stand over the columns of one row."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeGuard

from sqlglot import exp

from dataspace.errors import Malformed
from dataspace.query.syntax import SyntaxReader
from dataspace.query.tree import CaseWhen, ColumnRef, Literal, LiteralValue, Operation, Scalar

MAX_STRING = 500
MAX_DIGITS = 38
MAX_EXPONENT = 300
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,4})?|[0-9]+\.")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?"
)

BINARY: dict[type[exp.Expr], str] = {
    exp.And: "and",
    exp.Or: "or",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
}
UNARY: dict[type[exp.Expr], str] = {exp.Not: "not", exp.Neg: "neg"}
FUNCTIONS: dict[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
    exp.Abs: ("abs", ("this",)),
    exp.Floor: ("floor", ("this",)),
    exp.Ceil: ("ceil", ("this",)),
    exp.Round: ("round", ("this", "decimals")),
    exp.Year: ("year", ("this",)),
    exp.Month: ("month", ("this",)),
    exp.Quarter: ("quarter", ("this",)),
    exp.Day: ("day", ("this",)),
    exp.Week: ("week", ("this",)),
    exp.DayOfWeek: ("dayofweek", ("this",)),
    exp.Nullif: ("nullif", ("this", "expression")),
}
UNITS = ("year", "quarter", "month", "week", "day")
_DATES: dict[exp.DType, Callable[[str], datetime.date]] = {
    exp.DType.DATE: datetime.date.fromisoformat,
    exp.DType.TIMESTAMP: datetime.datetime.fromisoformat,
    exp.DType.TIMESTAMPNTZ: datetime.datetime.fromisoformat,
}
# What the DuckDB dialect adds by itself and means nothing to us.
_NOISE: dict[type[exp.Expr], set[str]] = {
    exp.Div: {"typed", "safe"},
    exp.Coalesce: {"is_nvl", "is_null"},
    exp.In: set(),
}


def is_number(value: LiteralValue) -> TypeGuard[int | Decimal]:
    """Whether a literal is a number; to Python alone, true is one."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def negative(value: int | Decimal) -> Literal:
    """Not `-value`: that would round to the context's 28 digits."""
    return Literal(value.copy_negate() if isinstance(value, Decimal) else -value)


class ScalarReader(SyntaxReader):
    """Reads scalars; every branch checks that it has read the whole node."""

    def __init__(self, sql: str, aliases: tuple[str, ...]) -> None:
        super().__init__(sql)
        self._aliases = aliases

    def read(self, node: exp.Expr | None) -> Scalar:
        """One scalar. Raises `Malformed` at its place, or where there is none."""
        if node is None:
            raise Malformed("an argument is missing", code="syntax")
        if type(node) in BINARY:
            self.only(node, "this", "expression", *_NOISE.get(type(node), ()))
            return self._operation(node, BINARY[type(node)], [node.this, node.expression])
        if type(node) in UNARY:
            self.only(node, "this")
            return self._negated(node)
        if type(node) in FUNCTIONS:
            name, arguments = FUNCTIONS[type(node)]
            self.only(node, *arguments)
            return self._operation(
                node, name, [node.args[a] for a in arguments if node.args.get(a) is not None]
            )
        reader = self._readers().get(type(node))
        if reader is None:
            raise self.unlisted(node)
        return reader(node)

    def _readers(self) -> dict[type[exp.Expr], Callable[..., Scalar]]:
        return {
            exp.Column: self._column,
            exp.Literal: self.literal,
            exp.Boolean: lambda node: Literal(bool(node.this)),
            exp.Null: lambda _: Literal(None),
            exp.Paren: self._paren,
            exp.Between: self._between,
            exp.In: self._in,
            exp.Like: self._like,
            exp.Is: self._is,
            exp.Case: self._case,
            exp.Cast: self._date,
            exp.Coalesce: self._coalesce,
            exp.TimestampTrunc: self._truncated,
            exp.DateTrunc: self._truncated,
            exp.Extract: self._extracted,
            exp.DateDiff: self._difference,
        }

    def _operation(self, node: exp.Expr, name: str, parts: list[exp.Expr]) -> Operation:
        return Operation(name, tuple(map(self.read, parts)), self.place(node))

    def _negated(self, node: exp.Expr) -> Scalar:
        inner = self.read(node.this)
        if isinstance(node, exp.Neg) and isinstance(inner, Literal) and is_number(inner.value):
            return negative(inner.value)
        return Operation(UNARY[type(node)], (inner,), self.place(node))

    def _column(self, node: exp.Column) -> ColumnRef:
        self.only(node, "this", "table")
        table = self.identifier(node.args["table"]) if node.args.get("table") else ""
        if table and table not in self._aliases:
            raise self.refuse(node, f"{table} is not in FROM", "unknown-table")
        # With one table `p.region` and `region` are one and the same key.
        table = table if len(self._aliases) > 1 else ""
        return ColumnRef(self.identifier(node.this), table, place=self.place(node))

    def literal(self, node: exp.Literal) -> Literal:
        """A number or a string, of bounded size."""
        text = str(node.this)
        if node.is_string:
            if len(text) > MAX_STRING:
                raise self.refuse(node, f"a text of over {MAX_STRING} characters", "literal")
            return Literal(text)
        if len(text) > MAX_DIGITS:
            raise self.refuse(node, f"a number of over {MAX_DIGITS} digits", "literal")
        if not _NUMBER.fullmatch(text):
            raise self.refuse(node, "not a plain number", "literal")
        number = Decimal(text)
        if abs(number.adjusted()) > MAX_EXPONENT:
            raise self.refuse(node, "a number out of range", "literal")
        return Literal(int(text) if text.isdigit() else number)

    def _paren(self, node: exp.Paren) -> Scalar:
        self.only(node, "this")
        return self.read(node.this)

    def _between(self, node: exp.Between) -> Operation:
        self.only(node, "this", "low", "high")
        return self._operation(node, "between", [node.this, node.args["low"], node.args["high"]])

    def _in(self, node: exp.In) -> Operation:
        self.only(node, "this", "expressions")
        members = [self.read(member) for member in node.expressions]
        if not members or not all(isinstance(member, Literal) for member in members):
            raise self.refuse(node, "IN takes a list of constants", "in-list")
        return Operation("in", (self.read(node.this), *members), self.place(node))

    def _like(self, node: exp.Like) -> Operation:
        self.only(node, "this", "expression", "negate")
        if not isinstance(node.expression, exp.Literal) or not node.expression.is_string:
            raise self.refuse(node, "LIKE takes a constant pattern", "like")
        like = self._operation(node, "like", [node.this, node.expression])
        return Operation("not", (like,), like.place) if node.args.get("negate") else like

    def _is(self, node: exp.Is) -> Operation:
        self.only(node, "this", "expression")
        if not isinstance(node.expression, exp.Null):
            raise self.refuse(node, "IS is for NULL alone", "is")
        return self._operation(node, "is null", [node.this])

    def _case(self, node: exp.Case) -> CaseWhen:
        self.only(node, "this", "ifs", "default")
        operand = self.read(node.this) if node.this is not None else None
        branches = []
        for branch in node.args["ifs"]:
            self.only(branch, "this", "true")
            condition = self.read(branch.this)
            if operand is not None:  # CASE x WHEN 1 THEN … is CASE WHEN x = 1 THEN …
                condition = Operation("=", (operand, condition), self.place(branch))
            branches.append((condition, self.read(branch.args["true"])))
        default = node.args.get("default")
        return CaseWhen(tuple(branches), self.read(default) if default else Literal(None))

    def _coalesce(self, node: exp.Coalesce) -> Operation:
        self.only(node, "this", "expressions", *_NOISE[exp.Coalesce])
        return self._operation(node, "coalesce", [node.this, *node.expressions])

    def _date(self, node: exp.Cast) -> Literal:
        """`DATE '2020-01-31'` and `TIMESTAMP '…'`: constants only; no other cast exists."""
        self.only(node, "this", "to")
        self.only(node.to, "this")
        read = _DATES.get(node.to.this)
        if read is None or not isinstance(node.this, exp.Literal) or not node.this.is_string:
            raise self.refuse(
                node, "CAST is not in the language, save for constant dates", "unlisted"
            )
        text = str(node.this.this)
        try:
            if not _MOMENT.fullmatch(text):
                raise ValueError
            return Literal(read(text))
        except ValueError:
            raise self.refuse(
                node, "not a date; write DATE '2020-01-31' or TIMESTAMP '2020-01-31 09:30:00'",
                "date",
            ) from None  # fmt: skip

    def _unit(self, node: exp.Expr, unit: exp.Expr | None) -> str:
        name = str(unit.this).lower() if unit is not None else ""
        if name not in UNITS:
            raise self.refuse(node, f"a unit is one of {', '.join(UNITS)}", "unit")
        return name

    def _truncated(self, node: exp.Expr) -> Operation:
        self.only(node, "this", "unit", "input_type_preserved")
        unit = Literal(self._unit(node, node.args.get("unit")))
        return Operation("date_trunc", (unit, self.read(node.this)), self.place(node))

    def _extracted(self, node: exp.Extract) -> Operation:
        self.only(node, "this", "expression")
        return self._operation(node, self._unit(node, node.this), [node.expression])

    def _difference(self, node: exp.DateDiff) -> Operation:
        self.only(node, "this", "expression", "unit", "date_part_boundary")
        unit = Literal(self._unit(node, node.args.get("unit")))
        start, end = self.read(node.expression), self.read(node.this)
        return Operation("date_diff", (unit, start, end), self.place(node))
