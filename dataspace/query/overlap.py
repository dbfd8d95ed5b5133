"""A question across regions: who is the same human being here and there. Values alone.

Each side is one product at one region, narrowed and grouped by its own columns; no condition
and no key speaks of two sides, so that a node needs nothing but its own side. What is counted
is human beings, for each combination of the sides' groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dataspace.errors import Malformed, Place
from dataspace.identity.names import REGIONS
from dataspace.query.tree import (
    Aggregate,
    AggregateKind,
    AggregateRef,
    Order,
    Outcome,
    Output,
    Query,
    Scalar,
    Source,
    columns_touched,
)

INNER, LEFT = "inner", "left"
COUNTS = frozenset({AggregateKind.COUNT_PERSONS, AggregateKind.COUNT_ROWS})


@dataclass(frozen=True)
class OverlapSide:
    """One product at one region: the rows that `where` keeps, grouped by `keys`.

    `filter` and `columns` are those of a CTE, until the side is bound.
    """

    alias: str
    region: str
    product: str
    where: Scalar | None = None
    keys: tuple[Scalar, ...] = ()
    filter: Scalar | None = None
    columns: tuple[tuple[str, Scalar], ...] | None = None
    place: Place | None = field(default=None, compare=False)

    def selection(self) -> Query:
        """The plain question about this side alone, which is bound as every other."""
        return Query(
            sources=(
                Source(
                    self.product,
                    self.region,
                    self.alias,
                    filter=self.filter,
                    columns=self.columns,
                    place=self.place,
                ),
            ),
            where=self.where,
            keys=self.keys,
            aggregates=(Aggregate(AggregateKind.COUNT_PERSONS),),
            outputs=(Output("people", AggregateRef(0)),),
        )

    def columns_touched(self) -> frozenset[str]:
        """Names of the product's columns that the question names. Only of a bound side."""
        return columns_touched(self.selection())[self.product]


@dataclass(frozen=True)
class OverlapQuery:
    """What was asked across regions, whole. Raises `Malformed` (`linkage`) where it cannot be.

    `joins[i]` is how side i + 1 is joined: `inner` or `left`. `groups[n]` says where the n-th
    group key is: (side, index among its keys). Whichever side's persons are counted, they are the
    same human beings: those of the first, which is never absent. `union` counts whoever is at
    any side instead.
    """

    sides: tuple[OverlapSide, ...]
    joins: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    outputs: tuple[Output, ...]
    groups: tuple[tuple[int, int], ...] = ()
    having: Outcome | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    union: bool = False

    def __post_init__(self) -> None:
        places = [(at, key) for at, side in enumerate(self.sides) for key in range(len(side.keys))]
        whole = (
            2 <= len(self.sides) <= len(REGIONS)
            and len(self.joins) == len(self.sides) - 1
            and set(self.joins) <= {INNER, LEFT}
            and sorted(self.groups) == places
            and self.aggregates
            and all(_counts_people(each) for each in self.aggregates)
            and self.outputs
            and not (self.union and (self.groups or self.counts_rows or LEFT in self.joins))
        )
        if not whole or not set(self.all_regions) <= set(REGIONS):
            raise Malformed("this cannot be a question across regions", code="linkage")
        if len(set(self.all_regions)) != len(self.sides):
            raise Malformed(
                "a question across regions takes one product of each region", code="linkage"
            )

    @property
    def all_regions(self) -> tuple[str, ...]:
        """The sides' regions, in the order of FROM."""
        return tuple(side.region for side in self.sides)

    @property
    def regions(self) -> tuple[str, ...]:
        """The same, sorted: in the order of a round."""
        return tuple(sorted(self.all_regions))

    @property
    def optional(self) -> frozenset[int]:
        """The sides at which a human being may be absent."""
        return frozenset(at for at, join in enumerate(self.joins, start=1) if join == LEFT)

    @property
    def counts_rows(self) -> bool:
        """Whether `count(*)` is asked: then each side has one row a person, or it is malformed."""
        return any(each.kind is AggregateKind.COUNT_ROWS for each in self.aggregates)

    @property
    def products(self) -> tuple[str, ...]:
        """The products asked, each once."""
        return tuple(dict.fromkeys(side.product for side in self.sides))

    def side(self, region: str) -> OverlapSide:
        """A region's side. Raises `KeyError` where it has none."""
        return {side.region: side for side in self.sides}[region]

    @property
    def may_pad(self) -> bool:
        """Whether dummies stay out of its counts: whoever is nowhere else counts in the others."""
        return not self.union and LEFT not in self.joins

    @property
    def group_keys(self) -> tuple[Scalar, ...]:
        """The group keys, in the order of GROUP BY."""
        return tuple(self.sides[side].keys[index] for side, index in self.groups)

    def outcomes(self) -> Query:
        """Outputs, HAVING, ORDER BY and LIMIT as those of a plain question: what is computed
        from released cells."""
        return Query(
            sources=tuple(Source(each.product, each.region, each.alias) for each in self.sides),
            where=None,
            keys=self.group_keys,
            aggregates=self.aggregates,
            outputs=self.outputs,
            having=self.having,
            order=self.order,
            limit=self.limit,
            offset=self.offset,
        )


def _counts_people(aggregate: Aggregate) -> bool:
    return aggregate.kind in COUNTS and aggregate.where is None
