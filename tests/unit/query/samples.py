"""Two products with columns of every type and role, the same in every test."""

from __future__ import annotations

from dataspace.query.bind import bind_query
from dataspace.query.parse import parse_query
from dataspace.query.product import Column, ColumnType, Disclosure, Offer, Role, Title
from dataspace.query.tree import Query

WHERE = "select count(*) from trial where "

_DIMENSION, _MEASURE = Role.DIMENSION, Role.MEASURE

COLUMNS = {
    "sex": Column(type=ColumnType.VARCHAR, role=_DIMENSION, levels=("F", "M")),
    "arm": Column(type=ColumnType.INTEGER, role=_DIMENSION, levels=(0, 1, 2, 3)),
    "ward": Column(type=ColumnType.VARCHAR, role=_DIMENSION, text_search=True),
    "smoker": Column(type=ColumnType.BOOLEAN, role=_DIMENSION),
    "since": Column(type=ColumnType.DATE, role=_DIMENSION),
    "seen": Column(type=ColumnType.TIMESTAMP, role=_DIMENSION),
    "dose": Column(type=ColumnType.DECIMAL, role=_DIMENSION),
    "level": Column(type=ColumnType.DOUBLE, role=_DIMENSION),
    "age": Column(type=ColumnType.INTEGER, role=_MEASURE),
    "weight": Column(type=ColumnType.DOUBLE, role=_MEASURE),
    "cost": Column(type=ColumnType.DECIMAL, role=_MEASURE),
    "height": Column(type=ColumnType.DOUBLE, role=_MEASURE, bounds=(0, 250)),
    "note": Column(type=ColumnType.VARCHAR, role=Role.WITHHELD),
}
VISITS = {
    "kind": Column(type=ColumnType.VARCHAR, role=_DIMENSION, levels=("in", "out")),
    "arm": Column(type=ColumnType.INTEGER, role=_DIMENSION),
    "begun": Column(type=ColumnType.TIMESTAMP, role=_DIMENSION),
    "stay": Column(type=ColumnType.INTEGER, role=_MEASURE, bounds=(0, 60)),
    "fee": Column(type=ColumnType.DECIMAL, role=_MEASURE),
    "remark": Column(type=ColumnType.VARCHAR, role=Role.WITHHELD),
}


def offer(disclosure: Disclosure | None = None) -> Offer:
    """The product `trial`."""
    return Offer(
        product="trial",
        title=Title(en="Trial"),
        columns=COLUMNS,
        disclosure=disclosure or Disclosure(),
    )


def visits(disclosure: Disclosure | None = None) -> Offer:
    """The product `visits`, whose rows are of the same persons."""
    return Offer(
        product="visits",
        title=Title(en="Visits"),
        columns=VISITS,
        disclosure=disclosure or Disclosure(),
    )


def bound(sql: str, *to: Offer) -> Query:
    """Parse and bind."""
    return bind_query(parse_query(sql), *(to or (offer(), visits())))
