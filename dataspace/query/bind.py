"""Binding a parsed query to a product: names, roles and types. Reads nothing, runs nothing."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from decimal import Decimal

from dataspace.errors import Malformed, Place, Refused
from dataspace.query.outcome_types import check_digits, check_outcomes
from dataspace.query.product import Column, ColumnType, Offer, Role
from dataspace.query.tree import (
    Aggregate,
    AggregateKind,
    CaseWhen,
    ColumnRef,
    Literal,
    Operation,
    Query,
    Scalar,
)

_RANGE = {"<", "<=", ">", ">="}
_COMPARE = {"=", "<>", *_RANGE}
_ARITHMETIC = {"+", "-", "*", "/", "//", "%"}
_LOGIC = {"and", "or", "not"}
_DATE_PARTS = {"year", "month", "quarter", "day"}
_ROUNDING = {"abs", "floor", "ceil", "round", "neg"}

_NUMERIC = ColumnType.DOUBLE
_REGION = Column(type=ColumnType.VARCHAR, role=Role.DIMENSION)


def bind_query(query: Query, offer: Offer) -> Query:
    """The same query with every column typed.

    Raises `Malformed` for an unknown column or one used against its role or type, and
    `Refused` (rule `column-withheld`) for a column that its owner withholds.
    """
    binder = _Binder(query, offer)
    where = query.where and binder.condition(query.where)
    keys = tuple(binder.key(key) for key in query.keys)
    aggregates = tuple(binder.aggregate(aggregate) for aggregate in query.aggregates)
    bound = replace(query, where=where, keys=keys, aggregates=aggregates)
    check_outcomes(bound, [_family_of(key) for key in keys])
    return bound


def type_of(scalar: Scalar) -> ColumnType | None:
    """The type of a bound scalar; None for NULL."""
    match scalar:
        case ColumnRef():
            return scalar.type
        case Literal():
            return _literal_type(scalar)
        case CaseWhen():
            values = [value for _, value in scalar.branches]
            return next(filter(None, map(type_of, [*values, scalar.otherwise])), None)
        case Operation():
            if scalar.name in _DATE_PARTS:
                return ColumnType.INTEGER
            if scalar.name in _ARITHMETIC | _ROUNDING:
                return _NUMERIC
            if scalar.name in {"coalesce", "nullif"}:
                return next(filter(None, map(type_of, scalar.arguments)), None)
            return ColumnType.BOOLEAN


def _literal_type(literal: Literal) -> ColumnType | None:
    match literal.value:
        case bool():
            return ColumnType.BOOLEAN
        case int():
            return ColumnType.INTEGER
        case Decimal():
            return ColumnType.DECIMAL
        case str():
            return ColumnType.VARCHAR
        case datetime.datetime():
            return ColumnType.TIMESTAMP
        case datetime.date():
            return ColumnType.DATE
        case None:
            return None


@dataclass(frozen=True)
class _Binder:
    query: Query
    offer: Offer

    def condition(self, scalar: Scalar) -> Scalar:
        bound = self._bind(scalar)
        if type_of(bound) not in {ColumnType.BOOLEAN, None}:
            raise Malformed("WHERE takes a condition", code="type")
        return bound

    def key(self, scalar: Scalar) -> Scalar:
        bound = self._bind(scalar)
        if isinstance(bound, Literal):
            raise Malformed("a constant is no group key", code="group-key")
        if isinstance(bound, ColumnRef) and self._column(bound).role is Role.MEASURE:
            raise Malformed(
                f"{bound.name} is a measure: group by a range of it, such as {bound.name} >= 40",
                code="role",
                place=bound.place,
            )
        return bound

    def aggregate(self, aggregate: Aggregate) -> Aggregate:
        if aggregate.column is None:
            return aggregate
        column = self._resolve(aggregate.column)
        needs_number = aggregate.kind is not AggregateKind.COUNT
        if needs_number and not (column.type and column.type.numeric):
            raise Malformed(
                f"{aggregate.kind.value} takes a number, and {column.name} is a {column.type}",
                code="type",
                place=column.place,
            )
        return replace(aggregate, column=column)

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
                f"{ref.name} is withheld by the owner of {self.offer.product}"
                + (f" (at {ref.place})" if ref.place else ""),
                code="withheld",
                rule="column-withheld",
                basis="product definition of the data owner",
            )
        return replace(ref, type=column.type, table="")

    def _column(self, ref: ColumnRef) -> Column:
        source = self.query.source
        if ref.table not in {"", source.alias}:
            raise Malformed(f"{ref.table} is not in FROM", code="unknown-table", place=ref.place)
        if ref.name == "region":
            return _REGION
        if ref.name == "person":
            raise Malformed(
                "person may only stand in count(distinct person)",
                code="subject-column",
                place=ref.place,
            )
        column = self.offer.columns.get(ref.name)
        if column is None:
            raise Malformed(
                f"{self.offer.product} has no column {ref.name}; see `gba catalog`",
                code="unknown-column",
                place=ref.place,
            )
        return column

    def _is_measure(self, scalar: Scalar) -> bool:
        return isinstance(scalar, ColumnRef) and self._column(scalar).role is Role.MEASURE

    def _forbid_measures(self, scalars: list[Scalar]) -> None:
        for scalar in scalars:
            if isinstance(scalar, ColumnRef) and self._is_measure(scalar):
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
        if len({_family_of(value) for value in values} - {None}) > 1:
            raise Malformed("CASE yields values of one type", code="type")

    def _check(self, name: str, arguments: tuple[Scalar, ...], place: Place | None) -> None:
        # INVARIANT: a measure meets constants in ranges, and nothing else. Equality, IN and
        # arithmetic on a measure would let a caller walk to a single row.
        constants = all(isinstance(argument, Literal) for argument in arguments[1:])
        ranged = (name in _RANGE or name == "between") and (
            constants or (name in _RANGE and isinstance(arguments[0], Literal))
        )
        if not ranged and name != "is null":
            self._forbid_measures(list(arguments))
        self._check_types(name, arguments, place)
        if name == "like":
            self._check_like(arguments[0], place)
        if name == "round":
            check_digits(arguments[1:])

    def _check_like(self, subject: Scalar, place: Place | None) -> None:
        if not isinstance(subject, ColumnRef) or not self._column(subject).text_search:
            raise Malformed(
                "LIKE is for columns marked text_search in the catalogue", code="like", place=place
            )

    def _check_types(self, name: str, arguments: tuple[Scalar, ...], place: Place | None) -> None:
        types = [kind for kind in map(type_of, arguments) if kind is not None]
        if name in _LOGIC and any(kind is not ColumnType.BOOLEAN for kind in types):
            raise Malformed(f"{name.upper()} takes conditions", code="type", place=place)
        if name in _ARITHMETIC | _ROUNDING and not all(kind.numeric for kind in types):
            raise Malformed(f"{name} takes numbers", code="type", place=place)
        if name in _DATE_PARTS and not set(types) <= {ColumnType.DATE, ColumnType.TIMESTAMP}:
            raise Malformed(f"{name}() takes a date", code="type", place=place)
        comparing = name in _COMPARE | {"between", "in", "coalesce", "nullif"}
        if comparing and len({_family(kind) for kind in types}) > 1:
            raise Malformed(
                f"{types[0].value} and {types[-1].value} cannot be compared",
                code="type",
                place=place,
            )


def _family_of(scalar: Scalar) -> str | None:
    kind = type_of(scalar)
    return None if kind is None else _family(kind)


def _family(kind: ColumnType) -> str:
    if kind.numeric:
        return "number"
    if kind in {ColumnType.DATE, ColumnType.TIMESTAMP}:
        return "time"
    return "text" if kind is ColumnType.VARCHAR else kind.value
