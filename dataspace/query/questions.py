"""SQL text to a question: of one region or of each for itself, or across regions.

A question across regions is read as every other, and then parted: each condition and each key
goes to the one side that it speaks of. What cannot be parted is refused at its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dataspace.errors import Malformed, Place
from dataspace.identity.names import REGIONS
from dataspace.query.overlap import COUNTS, INNER, LEFT, OverlapQuery, OverlapSide
from dataspace.query.parse import read_select
from dataspace.query.tree import (
    Aggregate,
    AggregateKind,
    ColumnRef,
    Operation,
    Query,
    Scalar,
    Source,
    columns_of,
)

COUNT_FORM = "a question across regions counts people: count(distinct {}.person)"


def parse_question(sql: str) -> Query | OverlapQuery:
    """Parse one SELECT. Raises `Malformed` with the place in the text.

    Names are unbound: see `bind.bind_query` and `overlap_bind.bind_overlap`.
    """
    query = read_select(sql)
    return _Parting(query).parted() if query.across_regions else query


def union_question(query: Query, regions: Sequence[str]) -> OverlapQuery:
    """`count(distinct person)` over `regions` with each human being counted once.

    `query` is unbound and names no region. Raises `Malformed` (`overlap-union`) for anything
    but `SELECT count(distinct person) FROM product [WHERE …]`, and for a single region.
    """
    source = query.sources[0]
    counted = {aggregate.kind for aggregate in query.aggregates}
    filtered = any(aggregate.where is not None for aggregate in query.aggregates)
    if query.keys:
        raise _no_union("takes no GROUP BY: ask once for each group, with WHERE", query)
    if len(query.sources) > 1 or source.region is not None:
        raise _no_union("is over one product, at all regions that offer it", query)
    if counted != {AggregateKind.COUNT_PERSONS} or filtered:
        raise _no_union("counts people alone: SELECT count(distinct person) FROM …", query)
    if len(regions) < 2:
        raise _no_union("needs two regions: only one offers the product", query)
    sides = tuple(
        OverlapSide(
            region, region, source.product, query.where, (), source.filter, source.columns,
            source.place,
        )
        for region in sorted(regions)
    )  # fmt: skip
    return OverlapQuery(
        sides, (INNER,) * (len(sides) - 1), query.aggregates, query.outputs, having=query.having,
        order=query.order, limit=query.limit, offset=query.offset, union=True,
    )  # fmt: skip


def _no_union(problem: str, query: Query) -> Malformed:
    place = query.sources[0].place
    return Malformed(f"a union of people {problem}", code="overlap-union", place=place)


@dataclass(frozen=True)
class _Parting:
    """One question whose sources are of several regions."""

    query: Query

    def parted(self) -> OverlapQuery:
        """The same question by sides."""
        query = self.query
        self._check_sources()
        for aggregate in query.aggregates:
            self._check_count(aggregate)
        sides, groups = self._grouped(tuple(map(_side, query.sources)))
        return OverlapQuery(
            sides=self._narrowed(sides),
            joins=tuple(LEFT if each.optional else INNER for each in query.sources[1:]),
            aggregates=query.aggregates,
            outputs=query.outputs,
            groups=groups,
            having=query.having,
            order=query.order,
            limit=query.limit,
            offset=query.offset,
        )

    def _check_sources(self) -> None:
        seen: set[str] = set()
        for source in self.query.sources:
            if source.region is None:
                problem = f"say which region's {source.product}, such as {REGIONS[0]}."
                raise Malformed(
                    f"joined across regions, {problem}{source.product}",
                    code="linkage",
                    place=source.place,
                )
            if source.region not in REGIONS:
                raise Malformed(
                    f"{source.region} is no region: there are {', '.join(REGIONS)}",
                    code="linkage",
                    place=source.place,
                )
            if source.region in seen:
                raise Malformed(
                    "a question across regions takes one product of each region",
                    code="linkage",
                    place=source.place,
                )
            seen.add(source.region)

    def _check_count(self, aggregate: Aggregate) -> None:
        first = self.query.sources[0]
        form = COUNT_FORM.format(first.alias)
        if aggregate.kind not in COUNTS:
            place = _place_of(aggregate.argument) or first.place
            raise Malformed(form, code="overlap-count", place=place)
        if aggregate.where is not None:
            raise Malformed(
                f"{form}, without FILTER; write the condition under WHERE, or GROUP BY it",
                code="overlap-count",
                place=_place_of(aggregate.where) or first.place,
            )

    def _grouped(
        self, sides: tuple[OverlapSide, ...]
    ) -> tuple[tuple[OverlapSide, ...], tuple[tuple[int, int], ...]]:
        keys: list[list[Scalar]] = [[] for _ in sides]
        groups = []
        for key in self.query.keys:
            at = self._side_of(key, "a group key")
            groups.append((at, len(keys[at])))
            keys[at].append(key)
        grouped = zip(sides, keys, strict=True)
        return tuple(replace(side, keys=tuple(own)) for side, own in grouped), tuple(groups)

    def _narrowed(self, sides: tuple[OverlapSide, ...]) -> tuple[OverlapSide, ...]:
        kept: list[Scalar | None] = [None for _ in sides]
        for condition in _conjuncts(self.query.where):
            at = self._side_of(condition, "a condition")
            if self.query.sources[at].optional:
                # In SQL it would drop whoever is not there, which is no LEFT JOIN any more.
                raise Malformed(
                    "under WHERE, the right side of a LEFT JOIN would be an inner one: write "
                    "JOIN, or WITH x AS (SELECT … WHERE …) and LEFT JOIN x",
                    code="overlap-left",
                    place=_place_of(condition),
                )
            before = kept[at]
            kept[at] = condition if before is None else Operation("and", (before, condition))
        return tuple(replace(side, where=where) for side, where in zip(sides, kept, strict=True))

    def _side_of(self, scalar: Scalar, what: str) -> int:
        """The one side that a scalar speaks of; a constant goes with the first."""
        aliases = [source.alias for source in self.query.sources]
        columns = sorted(columns_of(scalar), key=_order_of)
        for column in columns:
            if not column.table:
                raise Malformed(
                    f"say whose {column.name}, such as {aliases[0]}.{column.name}",
                    code="overlap-alias",
                    place=column.place,
                )
        tables = list(dict.fromkeys(column.table for column in columns)) or [aliases[0]]
        if len(tables) > 1:
            raise Malformed(
                f"{what} speaks of one side alone, and this one of {' and '.join(tables)}; "
                "no node sees both: join such conditions by AND",
                code="overlap-where",
                place=_place_of(scalar),
            )
        return aliases.index(tables[0])


def _side(source: Source) -> OverlapSide:
    assert source.region is not None  # checked before
    return OverlapSide(
        source.alias, source.region, source.product, filter=source.filter, columns=source.columns,
        place=source.place,
    )  # fmt: skip


def _conjuncts(scalar: Scalar | None) -> Iterator[Scalar]:
    match scalar:
        case None:
            return
        case Operation(name="and"):
            for part in scalar.arguments:
                yield from _conjuncts(part)
        case _:
            yield scalar


def _place_of(scalar: Scalar | None) -> Place | None:
    """Where a scalar begins, as far as it is known."""
    if isinstance(scalar, ColumnRef | Operation) and scalar.place is not None:
        return scalar.place
    if scalar is None:
        return None
    return next((each.place for each in sorted(columns_of(scalar), key=_order_of)), None)


def _order_of(column: ColumnRef) -> tuple[int, int, str]:
    place = column.place
    return (place.line, place.column, column.table) if place else (0, 0, column.table)
