"""FROM, JOIN and WITH to sources. A CTE is written into the query where it is used.

Joins are on `person` alone: inside a node they bring together what belongs to one subject.
A plain CTE chooses and renames columns of one product and keeps some rows; it aggregates
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from dataspace.query.scalars import ScalarReader
from dataspace.query.syntax import SyntaxReader
from dataspace.query.tree import ColumnRef, Scalar, Source

MAX_SOURCES = 4


@dataclass(frozen=True)
class _Plain:
    """What a CTE stands for."""

    product: str
    region: str | None
    filter: Scalar | None
    columns: tuple[tuple[str, Scalar], ...] | None


class SourceReader(SyntaxReader):
    """Reads everything of a SELECT that says where rows come from."""

    def read(self, select: exp.Select) -> tuple[Source, ...]:
        """The sources in order. Raises `Malformed` at the place."""
        origin = select.args.get("from_")
        if origin is None:
            raise self.refuse(select, "name a product: SELECT … FROM product", "no-source")
        self.only(origin, "this")
        plain = self._ctes(select.args.get("with_"))
        sources = [self._source(origin.this, plain)]
        for join in select.args.get("joins") or []:
            sources.append(self._join(join, sources, plain))
        if len(sources) > MAX_SOURCES:
            raise self.refuse(origin, f"at most {MAX_SOURCES} products are joined", "join")
        return tuple(sources)

    def _source(self, table: exp.Expr, plain: dict[str, _Plain]) -> Source:
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise self.refuse(table, "FROM takes the name of a product", "source")
        self.only(table, "this", "db", "alias")
        name = self.identifier(table.this)
        region = self.identifier(table.args["db"]) if table.args.get("db") else None
        alias = name
        if table.args.get("alias"):
            self.only(table.args["alias"], "this")
            alias = self.identifier(table.args["alias"].this)
        if region is None and name in plain:
            found = plain[name]
            return Source(
                found.product, found.region, alias, filter=found.filter, columns=found.columns,
                place=self.place(table),
            )  # fmt: skip
        return Source(name, region, alias, place=self.place(table))

    def _join(self, join: exp.Expr, sources: list[Source], plain: dict[str, _Plain]) -> Source:
        self.only(join, "this", "side", "kind", "on", "using")
        side, kind = str(join.args.get("side") or ""), str(join.args.get("kind") or "")
        if side not in {"", "LEFT"} or kind not in {"", "INNER", "OUTER"}:
            raise self.refuse(join, "joins are inner or left", "join")
        source = self._source(join.this, plain)
        if source.alias in {each.alias for each in sources}:
            raise self.refuse(join, f"{source.alias} stands twice; give it an alias", "join")
        if not self._on_person(join, source.alias, {each.alias for each in sources}):
            raise self.refuse(
                join, "products are joined on person alone: ON a.person = b.person", "join"
            )
        self._check_across(join, source, sources)
        return replace(source, optional=side == "LEFT")

    def _check_across(self, join: exp.Expr, source: Source, sources: list[Source]) -> None:
        """Across regions whoever is absent on the left is nobody to join to."""
        absent = {each.alias for each in sources if each.optional and each.region != source.region}
        named = {node.table for node in join.find_all(exp.Column)}
        if named & absent:
            raise self.refuse(
                join, "after a LEFT JOIN across regions, join on the first side's person", "join"
            )

    def _on_person(self, join: exp.Expr, alias: str, earlier: set[str]) -> bool:
        using, condition = join.args.get("using"), join.args.get("on")
        if using:
            return condition is None and [self.identifier(each) for each in using] == ["person"]
        while isinstance(condition, exp.Paren):
            condition = condition.this
        if not isinstance(condition, exp.EQ):
            return False
        self.only(condition, "this", "expression")
        sides = [condition.this, condition.expression]
        if not all(isinstance(each, exp.Column) and each.args.get("table") for each in sides):
            return False
        for each in sides:
            self.only(each, "this", "table")
        names = {self.identifier(each.this) for each in sides}
        left, right = (self.identifier(each.args["table"]) for each in sides)
        return names == {"person"} and alias in {left, right} and bool({left, right} & earlier)

    def _ctes(self, clause: exp.Expr | None) -> dict[str, _Plain]:
        if clause is None:
            return {}
        self.only(clause, "expressions")
        plain: dict[str, _Plain] = {}
        for each in clause.expressions:
            self.only(each, "this", "alias")
            self.only(each.args["alias"], "this")
            name = self.identifier(each.args["alias"].this)
            if name in plain:
                raise self.refuse(each, f"WITH names {name} twice", "cte")
            plain[name] = self._plain(each.this)
        return plain

    def _plain(self, select: exp.Expr) -> _Plain:
        if not isinstance(select, exp.Select):
            raise self.refuse(select, "a CTE is a SELECT", "cte")
        self.only(select, "expressions", "from_", "where")
        origin = select.args.get("from_")
        if origin is None:
            raise self.refuse(select, "a CTE reads a product", "cte")
        self.only(origin, "this")
        source = self._source(origin.this, {})
        scalars = ScalarReader(self.sql, (source.alias,))
        where = select.args.get("where")
        if where is not None:
            self.only(where, "this")
        return _Plain(
            source.product,
            source.region,
            scalars.read(where.this) if where is not None else None,
            self._columns(select, scalars),
        )

    def _columns(
        self, select: exp.Select, scalars: ScalarReader
    ) -> tuple[tuple[str, Scalar], ...] | None:
        if any(isinstance(each, exp.Star) for each in select.expressions):
            if len(select.expressions) > 1:
                raise self.refuse(select, "a CTE takes * or a list of columns", "cte")
            self.only(select.expressions[0])
            return None
        columns: dict[str, Scalar] = {}
        for node in select.expressions:
            if isinstance(node, exp.Alias):
                self.only(node, "this", "alias")
                name, value = self.identifier(node.args["alias"]), scalars.read(node.this)
            elif isinstance(node, exp.Column):
                name, value = self.identifier(node.this), scalars.read(node)
            else:
                raise self.refuse(node, "give it a name: … AS name", "cte")
            if name in columns or (name == "person") != _is_person(value):
                raise self.refuse(node, f"a CTE cannot call this {name}", "cte")
            columns[name] = value
        return tuple(columns.items())


def _is_person(scalar: Scalar) -> bool:
    return isinstance(scalar, ColumnRef) and scalar.name == "person"
