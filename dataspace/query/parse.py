"""SQL text to query tree: a strict visitor over sqlglot's syntax tree.

The grammar is closed twice: a node class that is not in a table here is refused, and so
is a known node that carries an argument which the visitor does not read. Nothing here
knows the catalogue (see `bind`), and no text of the caller survives except as literal
values and as identifiers of one plain form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from sqlglot import exp

from dataspace.errors import Malformed
from dataspace.query.outcomes import OutcomeReader
from dataspace.query.scalars import ScalarReader
from dataspace.query.sources import SourceReader
from dataspace.query.statement import read_statement
from dataspace.query.syntax import SyntaxReader
from dataspace.query.tree import Literal, Order, Outcome, Output, Query, Scalar

T = TypeVar("T")

MAX_COUNT = 2**53
_WHOLE = re.compile(r"[0-9]{1,38}")


def parse_query(sql: str) -> Query:
    """Parse one SELECT. Raises `Malformed` with the place in the text.

    Column references are unbound: names are checked against a product by `bind`. A join
    across regions is malformed here (`linkage`): `questions.parse_question` reads that too.
    """
    query = read_select(sql)
    if query.across_regions:
        raise Malformed(
            "a join across regions means the same human being, and is answered by linkage, not "
            "here; join products of one region, or leave the regions out",
            code="linkage",
            place=query.sources[0].place,
        )
    return query


def read_select(sql: str) -> Query:
    """One SELECT as it stands, whatever regions its products are of. Raises `Malformed`."""
    try:
        return _SelectReader(sql).read(read_statement(sql))
    except RecursionError:
        raise Malformed("the query is nested too deeply", code="too-deep") from None


class _SelectReader(SyntaxReader):
    """Reads one SELECT into a `Query`."""

    def read(self, select: exp.Expr) -> Query:
        if not isinstance(select, exp.Select):
            raise self.refuse(select, "only a SELECT may be asked", "not-select")
        self.only(
            select, "with_", "expressions", "from_", "joins", "where", "group", "having", "order",
            "limit", "offset",
        )  # fmt: skip
        sources = SourceReader(self.sql).read(select)
        scalars = ScalarReader(self.sql, tuple(source.alias for source in sources))
        where = self._optional(select, "where", lambda node: scalars.read(node.this))
        keys = self._keys(select, scalars)
        optional = frozenset(source.alias for source in sources if source.optional)
        outcomes = OutcomeReader(self.sql, scalars, keys, optional)
        outputs = self._outputs(select, outcomes)
        outcomes.allow_aliases({output.name: output.value for output in outputs})
        having = self._optional(select, "having", lambda node: outcomes.read(node.this))
        order = self._order(select, outcomes, outputs)
        return Query(
            sources=sources,
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
        """A key may be written as an expression, as an output's place or as its alias.

        A column goes before an alias of the same name, as in DuckDB: an alias counts only
        where what it stands for neither aggregates nor reads a column of that name.
        """
        if isinstance(node, exp.Literal) and not node.is_string:
            index = _whole(node)
            if not 1 <= index <= len(select.expressions):
                raise self.refuse(node, "GROUP BY names an output that is not there", "group-key")
            return _unaliased(select.expressions[index - 1])
        if isinstance(node, exp.Column) and not node.args.get("table"):
            for output in select.expressions:
                named = isinstance(output, exp.Alias) and _same_name(output.alias, node.name)
                if named and not _shadowed(_unaliased(output), node.name):
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
        return Order(self._order_value(node.this, outcomes, outputs), descending, nulls_first)

    def _order_value(
        self, node: exp.Expr, outcomes: OutcomeReader, outputs: tuple[Output, ...]
    ) -> Outcome:
        """An output's place or alias, or an expression; an alias goes first, as in DuckDB."""
        if isinstance(node, exp.Column) and not node.args.get("table"):
            for output in outputs:
                if _same_name(output.name, node.name):
                    return output.value
        value = outcomes.read(node)
        if not isinstance(value, Literal):
            return value
        index = _whole(node)
        if not 1 <= index <= len(outputs):
            raise self.refuse(node, "ORDER BY names an output that is not there", "order")
        return outputs[index - 1].value

    def _count(self, select: exp.Select, clause: str) -> int | None:
        node = select.args.get(clause)
        if node is None:
            return None
        self.only(node, "expression")
        number = node.expression
        if not isinstance(number, exp.Literal) or number.is_string or _whole(number) < 0:
            raise self.refuse(node, f"{clause.upper()} takes a whole number", clause)
        return min(_whole(number), MAX_COUNT)


def _unaliased(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Alias) else node


def _whole(node: exp.Expr) -> int:
    """The whole number that a literal writes; -1 where it writes another thing."""
    text = str(node.this)
    plain = isinstance(node, exp.Literal) and not node.is_string
    return int(text) if plain and _WHOLE.fullmatch(text) else -1


def _same_name(left: str, right: str) -> bool:
    return left.lower() == right.lower()


def _shadowed(node: exp.Expr, name: str) -> bool:
    if node.find(exp.AggFunc) is not None:
        return True
    whole = isinstance(node, exp.Column)
    return not whole and any(_same_name(each.name, name) for each in node.find_all(exp.Column))
