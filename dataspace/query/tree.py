"""The frozen query tree: all that a node will ever run stems from it.

A tree has two levels. *Scalars* stand over the columns of one row and are rendered
for an engine. *Outcomes* stand over released cells (group keys and aggregates) and are
evaluated after combining, never by an engine. A query without a measure cannot exist.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from dataspace.errors import Malformed, Place
from dataspace.query.product import ColumnType

LiteralValue = bool | int | Decimal | str | datetime.date | datetime.datetime | None


# --- scalars ---------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """A constant of the caller; reaches an engine as a parameter only."""

    value: LiteralValue


@dataclass(frozen=True)
class ColumnRef:
    """A column of the product. `type` is known once bound."""

    name: str
    table: str = ""
    type: ColumnType | None = None
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Operation:
    """An operator or function of the closed list over its arguments."""

    name: str
    arguments: tuple[Scalar, ...]
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class CaseWhen:
    """`CASE WHEN … THEN … ELSE … END` with its branches in order."""

    branches: tuple[tuple[Scalar, Scalar], ...]
    otherwise: Scalar


Scalar = Literal | ColumnRef | Operation | CaseWhen


# --- aggregates ------------------------------------------------------------


class AggregateKind(StrEnum):
    """The aggregates that may be asked for."""

    COUNT_ROWS = "count(*)"
    COUNT = "count"
    COUNT_PERSONS = "count(distinct person)"
    SUM = "sum"
    AVG = "avg"
    VAR_SAMP = "var_samp"
    STDDEV_SAMP = "stddev_samp"

    @property
    def over_column(self) -> bool:
        """Whether it takes a column."""
        return self not in {AggregateKind.COUNT_ROWS, AggregateKind.COUNT_PERSONS}


@dataclass(frozen=True)
class Aggregate:
    """One aggregate over one column (or over rows, or over persons)."""

    kind: AggregateKind
    column: ColumnRef | None = None

    def __post_init__(self) -> None:
        if self.kind.over_column != (self.column is not None):
            raise Malformed(f"{self.kind.value} does not fit its argument", code="aggregate")

    @property
    def text(self) -> str:
        """Canonical text; equal at client, broker and node."""
        return f"{self.kind.value}({self.column.name})" if self.column else self.kind.value


# --- outcomes: over released cells -----------------------------------------


@dataclass(frozen=True)
class KeyRef:
    """The n-th group key."""

    index: int


@dataclass(frozen=True)
class AggregateRef:
    """The n-th aggregate."""

    index: int


@dataclass(frozen=True)
class OutcomeOperation:
    """An operator or function over outcomes."""

    name: str
    arguments: tuple[Outcome, ...]


@dataclass(frozen=True)
class OutcomeCase:
    """`CASE` over outcomes."""

    branches: tuple[tuple[Outcome, Outcome], ...]
    otherwise: Outcome


Outcome = Literal | KeyRef | AggregateRef | OutcomeOperation | OutcomeCase


# --- the query -------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A product in FROM; `region` is None where every node that offers it answers."""

    product: str
    region: str | None
    alias: str
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Output:
    """One column of the answer."""

    name: str
    value: Outcome


@dataclass(frozen=True)
class Order:
    """One key of ORDER BY, over released cells."""

    value: Outcome
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Query:
    """What was asked, whole. Frozen; equal queries are equal values."""

    source: Source
    where: Scalar | None
    keys: tuple[Scalar, ...]
    aggregates: tuple[Aggregate, ...]
    outputs: tuple[Output, ...]
    having: Outcome | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        # INVARIANT: no query without a measure: a bare list of groups tells who exists.
        if not self.aggregates:
            raise Malformed(
                "only aggregates may be asked for; add one, such as count(*)", code="no-aggregate"
            )
        if not self.outputs:
            raise Malformed("the query selects nothing", code="no-output")


def columns_of(scalar: Scalar) -> frozenset[str]:
    """Names of the columns that a scalar touches."""
    match scalar:
        case ColumnRef():
            return frozenset({scalar.name})
        case Operation():
            return frozenset().union(*map(columns_of, scalar.arguments))
        case CaseWhen():
            parts = [part for branch in scalar.branches for part in branch]
            return frozenset().union(*map(columns_of, [*parts, scalar.otherwise]))
        case Literal():
            return frozenset()


def columns_touched(query: Query) -> frozenset[str]:
    """Names of all the columns that a query touches, `region` and `person` left out."""
    scalars = [*query.keys, *([query.where] if query.where else [])]
    scalars += [aggregate.column for aggregate in query.aggregates if aggregate.column]
    return frozenset().union(*map(columns_of, scalars)) - {"region", "person"}
