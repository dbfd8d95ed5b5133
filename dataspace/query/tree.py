"""The frozen query tree: all that a node will ever run stems from it.

A tree has two levels. *Scalars* stand over the columns of one row and are rendered
for an engine. *Outcomes* stand over released cells (group keys and aggregates) and are
evaluated after combining, never by an engine. A query without a measure cannot exist.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum

from dataspace.errors import Malformed, Place
from dataspace.query.product import ColumnType

LiteralValue = bool | int | Decimal | str | datetime.date | datetime.datetime | None


_DIGITS = 38  # what a decimal holds
LevelKey = bool | int | float | str | Decimal | datetime.date


# --- scalars ---------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """A constant of the caller; reaches an engine as a parameter only."""

    value: LiteralValue


@dataclass(frozen=True)
class ColumnRef:
    """A column of a product. Once bound, `table` is `t0`, `t1`, … in the order of FROM, and
    type, levels and bounds are those of the catalogue."""

    name: str
    table: str = ""
    type: ColumnType | None = None
    levels: tuple[LevelKey, ...] | None = field(default=None, compare=False)
    bounds: tuple[float, float] | None = field(default=None, compare=False)
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
    """The aggregates that may be asked for. `aggregates.TABLE` says what each one is."""

    COUNT_ROWS = "count(*)"
    COUNT = "count"
    COUNT_PERSONS = "count(distinct person)"
    COUNT_DISTINCT = "count(distinct)"
    SUM = "sum"
    AVG = "avg"
    VAR_SAMP = "var_samp"
    STDDEV_SAMP = "stddev_samp"
    COVAR_SAMP = "covar_samp"
    CORR = "corr"
    REGR_SLOPE = "regr_slope"
    REGR_INTERCEPT = "regr_intercept"
    REGR_R2 = "regr_r2"
    QUANTILE = "quantile"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Line:
    """`scale` × `column` + `offset`; without a column the constant `offset`."""

    column: ColumnRef | None
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)

    @property
    def whole(self) -> bool:
        """Whether it yields whole numbers alone."""
        fixed = self.scale == int(self.scale) and self.offset == int(self.offset)
        return fixed and (self.column is None or self.column.type is ColumnType.INTEGER)

    @property
    def exact(self) -> bool:
        """Whether what it yields adds up without loss: no double in it, nor a third."""
        digits = max(len(each.as_tuple().digits) for each in (self.scale, self.offset))
        exact = {ColumnType.INTEGER, ColumnType.DECIMAL}
        return digits <= _DIGITS and (self.column is None or self.column.type in exact)


@dataclass(frozen=True)
class Part:
    """What an aggregate computes over the rows that meet `where`: one state at each node.

    `value` is None where rows or persons are counted; `other` is the second argument of
    covariance and its kin. A FILTER makes a part, and so does each branch of a CASE.
    """

    value: Line | None = None
    other: Line | None = None
    where: Scalar | None = None


@dataclass(frozen=True)
class Aggregate:
    """One aggregate as it was asked; once bound, `parts` says what is computed."""

    kind: AggregateKind
    argument: Scalar | None = None
    other: Scalar | None = None
    where: Scalar | None = None
    quantile: Decimal | None = None
    edges: tuple[Decimal, ...] = ()
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        bare = {AggregateKind.COUNT_ROWS, AggregateKind.COUNT_PERSONS}
        if (self.kind in bare) != (self.argument is None):
            raise Malformed(f"{self.kind.value} does not fit its argument", code="aggregate")


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
    """A product in FROM; `region` is None where every node that offers it answers.

    `optional` marks the right side of a LEFT JOIN; `filter` and `columns` come from a CTE:
    the rows it keeps, and what it calls its columns (None: all, by their own names).
    """

    product: str
    region: str | None
    alias: str
    optional: bool = False
    filter: Scalar | None = None
    columns: tuple[tuple[str, Scalar], ...] | None = None
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

    sources: tuple[Source, ...]
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
        if not self.sources:
            raise Malformed("name a product: SELECT … FROM product", code="no-source")

    @property
    def region(self) -> str | None:
        """The one region that is asked, or None for every region that offers the products."""
        return self.sources[0].region

    @property
    def across_regions(self) -> bool:
        """Whether its products are of several regions: then linkage answers it, or nobody."""
        return len({source.region for source in self.sources}) > 1

    @property
    def products(self) -> tuple[str, ...]:
        """The products asked, each once."""
        return tuple(dict.fromkeys(source.product for source in self.sources))

    def states(self) -> tuple[tuple[Aggregate, Part], ...]:
        """What every node computes in each cell, in order. Only of a bound query."""
        return tuple((each, part) for each in self.aggregates for part in each.parts)


def columns_of(scalar: Scalar) -> frozenset[ColumnRef]:
    """The columns that a scalar touches."""
    match scalar:
        case ColumnRef():
            return frozenset({scalar})
        case Operation():
            return frozenset().union(*map(columns_of, scalar.arguments))
        case CaseWhen():
            parts = [part for branch in scalar.branches for part in branch]
            return frozenset().union(*map(columns_of, [*parts, scalar.otherwise]))
        case Literal():
            return frozenset()


def columns_touched(query: Query) -> dict[str, frozenset[str]]:
    """Product to the names of its columns that a bound query touches, `region` left out."""
    scalars: list[Scalar] = [*query.keys, *([query.where] if query.where else [])]
    for _, part in query.states():
        lines = [line for line in (part.value, part.other) if line is not None]
        scalars += [line.column for line in lines if line.column is not None]
        scalars += [part.where] if part.where is not None else []
    touched: dict[str, set[str]] = {product: set() for product in query.products}
    for column in frozenset().union(*map(columns_of, scalars)):
        touched[query.sources[int(column.table[1:])].product].add(column.name)
    for source in query.sources:
        own = columns_of(source.filter) if source.filter is not None else frozenset()
        touched[source.product] |= {column.name for column in own}
    return {product: frozenset(names - {"region"}) for product, names in touched.items()}


def canonical(node: object) -> object:
    """A value's structure without places: equal at client, broker and node."""
    if isinstance(node, tuple):
        return tuple(map(canonical, node))
    if is_dataclass(node) and not isinstance(node, type):
        inner = [canonical(getattr(node, each.name)) for each in fields(node) if each.compare]
        return (type(node).__name__, *inner)
    return (type(node).__name__, str(node)) if node is not None else None
