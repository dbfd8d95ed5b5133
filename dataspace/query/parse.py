"""SQL text to query tree: a strict visitor over sqlglot's syntax tree.

The grammar is closed twice: a node class that is not in a table here is refused, and so
is a known node that carries an argument which the visitor does not read. Nothing here
knows the catalogue (see `bind`), and no text of the caller survives except as literal
values and as identifiers of one plain form.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError

from dataspace.errors import Malformed, Place
from dataspace.query.outcomes import OutcomeReader
from dataspace.query.scalars import ScalarReader
from dataspace.query.syntax import SyntaxReader
from dataspace.query.tree import Literal, Order, Output, Query, Scalar, Source

T = TypeVar("T")

MAX_LENGTH = 8_000
MAX_TOKENS = 2_000
MAX_DEPTH = 40

# SECURITY: sqlglot warns about what it cannot parse by quoting it; queries stay out of logs.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def parse_query(sql: str) -> Query:
    """Parse one SELECT. Raises `Malformed` with the place in the text.

    Column references are unbound: names are checked against a product by `bind`.
    """
    _check_bounds(sql)
    try:
        return _SelectReader(sql).read(_one_statement(sql))
    except RecursionError:
        raise Malformed("the query is nested too deeply", code="too-deep") from None


def _check_bounds(sql: str) -> None:
    if len(sql) > MAX_LENGTH:
        raise Malformed(f"the query is longer than {MAX_LENGTH} characters", code="too-long")
    depth = deepest = 0
    for character in sql:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise Malformed(f"the query nests deeper than {MAX_DEPTH} brackets", code="too-deep")
    if any(ord(c) < 32 and c not in "\t\r\n" for c in sql):
        raise Malformed("the query holds control characters", code="control-character")


def _one_statement(sql: str) -> exp.Expr:
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
        if len(tokens) > MAX_TOKENS:
            raise Malformed(f"the query has more than {MAX_TOKENS} words", code="too-long")
        statements = [s for s in sqlglot.parse(sql, read="duckdb") if s is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line, column = first.get("line"), first.get("col")
        place = Place(int(line), int(column)) if line and column else None
        raise Malformed("this is not SQL that can be read", code="syntax", place=place) from None
    except TokenError:
        raise Malformed("a quote or comment is not closed", code="syntax") from None
    except (SqlglotError, ValueError, IndexError, AttributeError, TypeError):
        raise Malformed("this is not SQL that can be read", code="syntax") from None
    if len(statements) != 1:
        raise Malformed("ask with exactly one SELECT statement", code="one-statement")
    return statements[0]


class _SelectReader(SyntaxReader):
    """Reads one SELECT into a `Query`."""

    def read(self, select: exp.Expr) -> Query:
        if not isinstance(select, exp.Select):
            raise self.refuse(select, "only a SELECT may be asked", "not-select")
        self.only(
            select, "expressions", "from_", "where", "group", "having", "order", "limit", "offset"
        )
        scalars = ScalarReader(self.sql)
        where = self._optional(select, "where", lambda node: scalars.read(node.this))
        keys = self._keys(select, scalars)
        outcomes = OutcomeReader(self.sql, scalars, keys)
        outputs = self._outputs(select, outcomes)
        outcomes.allow_aliases({output.name: output.value for output in outputs})
        having = self._optional(select, "having", lambda node: outcomes.read(node.this))
        order = self._order(select, outcomes, outputs)
        return Query(
            source=self._source(select),
            where=where,
            keys=keys,
            aggregates=tuple(outcomes.aggregates),
            outputs=outputs,
            having=having,
            order=order,
            limit=self._count(select, "limit"),
            offset=self._count(select, "offset") or 0,
        )

    def _optional(self, select: exp.Select, clause: str, read: Callable[[exp.Expr], T]) -> T | None:
        node = select.args.get(clause)
        if node is None:
            return None
        self.only(node, "this")
        return read(node)

    def _source(self, select: exp.Select) -> Source:
        origin = select.args.get("from_")
        if origin is None:
            raise self.refuse(select, "name a product: SELECT … FROM product", "no-source")
        self.only(origin, "this")
        table = origin.this
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise self.refuse(table, "FROM takes the name of a product", "source")
        self.only(table, "this", "db", "alias")
        name = self.identifier(table.this)
        region = self.identifier(table.args["db"]) if table.args.get("db") else None
        alias = name
        if table.args.get("alias"):
            self.only(table.args["alias"], "this")
            alias = self.identifier(table.args["alias"].this)
        return Source(name, region, alias, self.place(table))

    def _keys(self, select: exp.Select, scalars: ScalarReader) -> tuple[Scalar, ...]:
        group = select.args.get("group")
        if group is None:
            return ()
        self.only(group, "expressions")
        nodes = [self._key_node(select, node) for node in group.expressions]
        keys = tuple(scalars.read(node) for node in nodes)
        if len(set(keys)) != len(keys):
            raise self.refuse(group, "a group key stands twice", "group-key")
        return keys

    def _key_node(self, select: exp.Select, node: exp.Expr) -> exp.Expr:
        """A key may be written as an expression, as an output's place or as its alias."""
        if isinstance(node, exp.Literal) and not node.is_string:
            index = int(node.this) if str(node.this).isdigit() else 0
            if not 1 <= index <= len(select.expressions):
                raise self.refuse(node, "GROUP BY names an output that is not there", "group-key")
            return _unaliased(select.expressions[index - 1])
        if isinstance(node, exp.Column) and not node.args.get("table"):
            for output in select.expressions:
                if isinstance(output, exp.Alias) and output.alias.lower() == node.name.lower():
                    return _unaliased(output)
        return node

    def _outputs(self, select: exp.Select, outcomes: OutcomeReader) -> tuple[Output, ...]:
        outputs: list[Output] = []
        for node in select.expressions:
            value = outcomes.read(_unaliased(node))
            name = self._output_name(node)
            if name in {output.name for output in outputs}:
                raise self.refuse(node, "two outputs have one name; use AS", "output-name")
            outputs.append(Output(name, value))
        return tuple(outputs)

    def _output_name(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Alias):
            self.only(node, "this", "alias")
            return self.identifier(node.args["alias"])
        if isinstance(node, exp.Column):
            return self.identifier(node.this)
        return node.sql(dialect="duckdb", comments=False).lower()[:120]

    def _order(
        self, select: exp.Select, outcomes: OutcomeReader, outputs: tuple[Output, ...]
    ) -> tuple[Order, ...]:
        clause = select.args.get("order")
        if clause is None:
            return ()
        self.only(clause, "expressions")
        return tuple(self._order_key(node, outcomes, outputs) for node in clause.expressions)

    def _order_key(
        self, node: exp.Expr, outcomes: OutcomeReader, outputs: tuple[Output, ...]
    ) -> Order:
        if not isinstance(node, exp.Ordered):
            raise self.refuse(node, "ORDER BY takes outputs", "order")
        self.only(node, "this", "desc", "nulls_first")
        descending, nulls_first = bool(node.args.get("desc")), bool(node.args.get("nulls_first"))
        value = outcomes.read(node.this)
        if isinstance(value, Literal):
            index = value.value
            if not isinstance(index, int) or not 1 <= index <= len(outputs):
                raise self.refuse(node, "ORDER BY names an output that is not there", "order")
            value = outputs[index - 1].value
        return Order(value, descending, nulls_first)

    def _count(self, select: exp.Select, clause: str) -> int | None:
        node = select.args.get(clause)
        if node is None:
            return None
        self.only(node, "expression")
        number = node.expression
        if not isinstance(number, exp.Literal) or number.is_string or not number.this.isdigit():
            raise self.refuse(node, f"{clause.upper()} takes a whole number", clause)
        return min(int(number.this), 2**53)


def _unaliased(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Alias) else node
