"""Binding a parsed query to products: names, roles and types. Reads nothing, runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from dataspace.errors import Malformed, Place, Refused
from dataspace.query.linear import line_of, parts_of
from dataspace.query.outcome_types import check_digits, check_outcomes
from dataspace.query.product import Column, ColumnType, Offer, Role
from dataspace.query.room import MAX_BRANCHES, Room
from dataspace.query.tree import (
    Aggregate,
    AggregateKind,
    CaseWhen,
    ColumnRef,
    Line,
    Literal,
    Operation,
    Part,
    Query,
    Scalar,
    Source,
)
from dataspace.query.types import (
    ALIKE,
    ARITHMETIC,
    COMPARING,
    DATE_PARTS,
    LOGIC,
    ROUNDING,
    family,
    family_of,
    is_time,
    type_of,
)

_RANGE = {"<", "<=", ">", ">="}
_REGION = Column(type=ColumnType.VARCHAR, role=Role.DIMENSION)
_SINGLE = {AggregateKind.COUNT_DISTINCT, AggregateKind.QUANTILE, AggregateKind.HISTOGRAM}


def bind_query(query: Query, *offers: Offer) -> Query:
    """The same query with every column typed and every aggregate split into parts.

    `offers` are those of the query's products. Raises `Malformed` for an unknown column or
    one used against its role or type, and `Refused` for a column that its owner withholds
    (rule `column-withheld`) or a quantile without bounds (`bounds-needed`).
    """
    binder = _Binder(query.sources, {offer.product: offer for offer in offers})
    bound = replace(
        query,
        sources=tuple(
            replace(source, filter=source.filter and binder.own_condition(index, source.filter))
            for index, source in enumerate(query.sources)
        ),
        where=query.where and binder.condition("WHERE", query.where),
        keys=tuple(binder.key(key) for key in query.keys),
        aggregates=tuple(binder.aggregate(aggregate) for aggregate in query.aggregates),
    )
    check_outcomes(bound, [family_of(key) for key in bound.keys])
    return bound


@dataclass(frozen=True)
class _Binder:
    sources: Sequence[Source]
    offers: Mapping[str, Offer]
    room: Room = field(default_factory=Room)

    def condition(self, clause: str, scalar: Scalar) -> Scalar:
        return self._condition(clause, self._written_out(scalar))

    def _condition(self, clause: str, unfolded: Scalar) -> Scalar:
        bound = self._bind(unfolded)
        if type_of(bound) not in {ColumnType.BOOLEAN, None}:
            raise Malformed(f"{clause} takes a condition", code="type")
        return bound

    def own_condition(self, index: int, scalar: Scalar) -> Scalar:
        """The WHERE of a CTE: its columns are the product's own."""
        own = replace(self.sources[index], columns=None)
        return _Binder([own], self.offers, self.room).condition("WHERE", scalar)

    def key(self, scalar: Scalar) -> Scalar:
        bound = self._bind(self._written_out(scalar))
        if isinstance(bound, Literal):
            raise Malformed("a constant is no group key", code="group-key")
        if isinstance(bound, ColumnRef) and self._role(bound) is Role.MEASURE:
            raise Malformed(
                f"{bound.name} is a measure: group by a range of it, such as {bound.name} >= 40",
                code="role",
                place=bound.place,
            )
        return bound

    def aggregate(self, aggregate: Aggregate) -> Aggregate:
        """The aggregate with its parts."""
        where = aggregate.where and self.condition("FILTER", aggregate.where)
        if aggregate.argument is None:
            return replace(aggregate, where=where, parts=(Part(where=where),))
        argument = self._argument(aggregate.argument)
        parts = self._parts(aggregate, argument, where)
        if aggregate.other is not None:
            other = self._line(aggregate, line_of(self._argument(aggregate.other)))
            if isinstance(argument, CaseWhen):
                raise Malformed(
                    f"{aggregate.kind.value} takes no CASE; use FILTER", code="aggregate-argument"
                )
            parts = tuple(replace(part, other=other) for part in parts)
        return replace(aggregate, argument=argument, where=where, parts=parts)

    def _parts(
        self, aggregate: Aggregate, argument: Scalar, where: Scalar | None
    ) -> tuple[Part, ...]:
        kind = aggregate.kind
        if kind is AggregateKind.COUNT:
            # What is counted may be of any type; only whether it is there matters.
            argument = _countable(argument)
        if kind is AggregateKind.COUNT_DISTINCT:
            return (Part(Line(self._dimension(argument)), where=where),)
        parts = parts_of(argument, where)
        self.room.take(*(part.where for part in parts if part.where is not None))
        if kind in _SINGLE and (len(parts) != 1 or parts[0].value is None):
            raise Malformed(f"{kind.value} takes one column; use FILTER", code="aggregate-argument")
        for part in parts:
            if part.value is not None:
                self._line(aggregate, part.value)
        if kind is AggregateKind.QUANTILE:
            self._check_bounds(parts[0].value)
        return parts

    def _dimension(self, argument: Scalar) -> ColumnRef:
        if not isinstance(argument, ColumnRef) or self._role(argument) is not Role.DIMENSION:
            raise Malformed("count(distinct …) takes person or a dimension", code="count-distinct")
        return argument

    def _line(self, aggregate: Aggregate, line: Line) -> Line:
        column = line.column
        counting = aggregate.kind is AggregateKind.COUNT
        if column is None and aggregate.kind in _SINGLE:
            raise Malformed(f"{aggregate.kind.value} takes a column", code="aggregate-argument")
        if column is not None and not counting and not (column.type and column.type.numeric):
            raise Malformed(
                f"{aggregate.kind.value} takes a number, and {column.name} is a {column.type}",
                code="type",
                place=column.place,
            )
        return line

    def _check_bounds(self, line: Line | None) -> None:
        if line is not None and line.column is not None and line.column.bounds is None:
            raise Refused(
                f"median and quantile need bounds of {line.column.name} in the catalogue, and "
                "its owner declares none; ask for avg, or for a histogram with edges",
                code="bounds-needed",
                rule="bounds-needed",
                basis="product definition of the data owner",
            )

    def _argument(self, scalar: Scalar) -> Scalar:
        """An aggregate's argument: values are held against lines, conditions against roles."""
        unfolded = self._written_out(scalar)
        if not isinstance(unfolded, CaseWhen):
            return self._resolved(unfolded)
        if len(unfolded.branches) > MAX_BRANCHES:
            raise Malformed(
                f"a CASE within an aggregate has at most {MAX_BRANCHES} branches", code="too-hard"
            )
        branches = tuple(
            (self._condition("CASE WHEN", condition), self._resolved(value))
            for condition, value in unfolded.branches
        )
        return CaseWhen(branches, self._resolved(unfolded.otherwise))

    def _written_out(self, scalar: Scalar) -> Scalar:
        """Names of CTEs replaced, once, within what every later reader can walk through."""
        unfolded = self._unfolded(scalar)
        self.room.take(unfolded)
        return unfolded

    def _unfolded(self, scalar: Scalar) -> Scalar:
        """Names of CTEs replaced by what they stand for."""
        match scalar:
            case ColumnRef():
                return self._named(scalar)
            case Literal():
                return scalar
            case CaseWhen():
                branches = tuple(
                    (self._unfolded(condition), self._unfolded(value))
                    for condition, value in scalar.branches
                )
                return CaseWhen(branches, self._unfolded(scalar.otherwise))
            case Operation():
                return replace(scalar, arguments=tuple(map(self._unfolded, scalar.arguments)))

    def _named(self, ref: ColumnRef) -> Scalar:
        """The column with its table found, or the expression that a CTE calls so."""
        index = self._table(ref)
        source = self.sources[index]
        if source.columns is None or ref.name == "region":
            return replace(ref, table=f"t{index}")
        renamed = dict(source.columns)
        if ref.name not in renamed:
            raise Malformed(
                f"{source.alias} has no column {ref.name}", code="unknown-column", place=ref.place
            )
        self.room.take(renamed[ref.name])
        return _placed(renamed[ref.name], f"t{index}", ref.place)

    def _table(self, ref: ColumnRef) -> int:
        if len(self.sources) == 1:
            return 0
        if not ref.table:
            owners = [
                index for index, source in enumerate(self.sources) if self._has(source, ref.name)
            ]
            if ref.name == "region" or len(owners) == 1:
                return owners[0] if owners else 0
            if len(owners) > 1:
                raise Malformed(
                    f"{ref.name} is in several products; write which, such as "
                    f"{self.sources[owners[0]].alias}.{ref.name}",
                    code="ambiguous",
                    place=ref.place,
                )
            self._unknown(ref, self.sources[0])
        return [source.alias for source in self.sources].index(ref.table)

    def _has(self, source: Source, name: str) -> bool:
        if name in {"region", "person"}:
            return True
        if source.columns is not None:
            return name in dict(source.columns)
        return name in self.offers[source.product].columns

    def _resolved(self, scalar: Scalar) -> Scalar:
        """Columns typed, without judging where they stand."""
        match scalar:
            case ColumnRef():
                return self._resolve(scalar)
            case Literal():
                return scalar
            case CaseWhen():
                raise Malformed("a CASE within an argument; let CASE be the whole of it",
                                code="aggregate-argument")  # fmt: skip
            case Operation():
                return replace(scalar, arguments=tuple(map(self._resolved, scalar.arguments)))

    def _bind(self, scalar: Scalar) -> Scalar:
        match scalar:
            case ColumnRef():
                return self._resolve(scalar)
            case Literal():
                return scalar
            case CaseWhen():
                branches = tuple((self._bind(c), self._bind(v)) for c, v in scalar.branches)
                bound_case = CaseWhen(branches, self._bind(scalar.otherwise))
                self._check_case(bound_case)
                return bound_case
            case Operation():
                arguments = tuple(map(self._bind, scalar.arguments))
                self._check(scalar.name, arguments, scalar.place)
                return replace(scalar, arguments=arguments)

    def _resolve(self, ref: ColumnRef) -> ColumnRef:
        column = self._column(ref)
        if column.role is Role.WITHHELD:
            raise Refused(
                f"{ref.name} is withheld by the owner of {self._source(ref).product}"
                + (f" (at {ref.place})" if ref.place else ""),
                code="withheld",
                rule="column-withheld",
                basis="product definition of the data owner",
            )
        levels = None if column.levels is None else tuple(map(column.typed, column.levels))
        return replace(ref, type=column.type, levels=levels, bounds=column.bounds)

    def _source(self, ref: ColumnRef) -> Source:
        return self.sources[int(ref.table[1:])]

    def _column(self, ref: ColumnRef) -> Column:
        if ref.name == "region":
            return _REGION
        if ref.name == "person":
            raise Malformed(
                "person may only stand in count(distinct person) and in joins",
                code="subject-column",
                place=ref.place,
            )
        source = self._source(ref)
        column = self.offers[source.product].columns.get(ref.name)
        return column if column is not None else self._unknown(ref, source)

    def _unknown(self, ref: ColumnRef, source: Source) -> NoReturn:
        raise Malformed(
            f"{source.product} has no column {ref.name}; see `gba catalog`",
            code="unknown-column",
            place=ref.place,
        )

    def _role(self, ref: ColumnRef) -> Role:
        return self._column(ref).role

    def _forbid_measures(self, scalars: Sequence[Scalar]) -> None:
        for scalar in scalars:
            if isinstance(scalar, ColumnRef) and self._role(scalar) is Role.MEASURE:
                raise Malformed(
                    f"{scalar.name} is a measure: it may be aggregated, or compared with "
                    "<, <=, >, >= or BETWEEN and a constant",
                    code="role",
                    place=scalar.place,
                )

    def _check_case(self, case: CaseWhen) -> None:
        values = [value for _, value in case.branches] + [case.otherwise]
        conditions = [condition for condition, _ in case.branches]
        self._forbid_measures([*conditions, *values])
        if any(type_of(each) not in {ColumnType.BOOLEAN, None} for each in conditions):
            raise Malformed("CASE WHEN takes conditions", code="type")
        if len({family_of(value) for value in values} - {None}) > 1:
            raise Malformed("CASE yields values of one type", code="type")

    def _check(self, name: str, arguments: tuple[Scalar, ...], place: Place | None) -> None:
        # INVARIANT: a measure meets constants in ranges, and nothing else. Equality, IN and
        # arithmetic on a measure would let a caller walk to a single row.
        constants = all(isinstance(argument, Literal) for argument in arguments[1:])
        ranged = (name in _RANGE or name == "between") and (
            constants or (name in _RANGE and isinstance(arguments[0], Literal))
        )
        if not ranged and name != "is null":
            self._forbid_measures(arguments)
        _check_types(name, arguments, place)
        if name == "like":
            self._check_like(arguments[0], place)
        if name == "round":
            check_digits(arguments[1:])

    def _check_like(self, subject: Scalar, place: Place | None) -> None:
        if not isinstance(subject, ColumnRef) or not self._column(subject).text_search:
            raise Malformed(
                "LIKE is for columns marked text_search in the catalogue", code="like", place=place
            )


def _countable(argument: Scalar) -> Scalar:
    """The same, with each constant that is there written as 1."""
    if isinstance(argument, CaseWhen):
        branches = tuple((c, _countable(v)) for c, v in argument.branches)
        return CaseWhen(branches, _countable(argument.otherwise))
    if isinstance(argument, Literal) and argument.value is not None:
        return Literal(1)
    return argument


def _check_types(name: str, arguments: tuple[Scalar, ...], place: Place | None) -> None:
    types = [kind for kind in map(type_of, arguments) if kind is not None]
    if name in LOGIC and any(kind is not ColumnType.BOOLEAN for kind in types):
        raise Malformed(f"{name.upper()} takes conditions", code="type", place=place)
    if name in ARITHMETIC | ROUNDING and not all(kind.numeric for kind in types):
        raise Malformed(f"{name} takes numbers", code="type", place=place)
    dated = (
        types if name in DATE_PARTS else types[1:] if name in {"date_trunc", "date_diff"} else []
    )
    if not all(map(is_time, dated)):
        raise Malformed(f"{name}() takes a date", code="type", place=place)
    if name in COMPARING | ALIKE and len({family(kind) for kind in types}) > 1:
        raise Malformed(
            f"{types[0].value} and {types[-1].value} cannot be compared", code="type", place=place
        )


def _placed(scalar: Scalar, table: str, place: Place | None) -> Scalar:
    """What a CTE's name stands for, with its columns of that table."""
    match scalar:
        case ColumnRef():
            return replace(scalar, table=table, place=place)
        case Literal():
            return scalar
        case CaseWhen():
            branches = tuple(
                (_placed(c, table, place), _placed(v, table, place)) for c, v in scalar.branches
            )
            return CaseWhen(branches, _placed(scalar.otherwise, table, place))
        case Operation():
            inner = tuple(_placed(each, table, place) for each in scalar.arguments)
            return replace(scalar, arguments=inner, place=place)
