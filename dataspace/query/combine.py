"""Combining shares into an answer. The broker and the client run this same code.

Nothing here sees a row: it adds, merges and orders what nodes have already released. How
each aggregate combines stands in `aggregates`.
"""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import rfc8785

from dataspace.errors import Unverified
from dataspace.query.aggregates import TABLE, Contribution
from dataspace.query.evaluate import CONTEXT, Row, compare, evaluate, family
from dataspace.query.exactness import is_exact
from dataspace.query.partials import Cell, Figure, Share, State, identity_of
from dataspace.query.tree import (
    Aggregate,
    AggregateKind,
    AggregateRef,
    ColumnRef,
    Order,
    Part,
    Query,
    Scalar,
    canonical,
)

SIGNIFICANT_DIGITS = 12
JsonValue = bool | int | float | Decimal | str | list[int | None] | None

_LABELLED_SUM = (
    "count(distinct person) is the sum of the regions' counts: a person known in two regions "
    "counts twice"
)


@dataclass(frozen=True)
class Answer:
    """The combined answer. `rows` × `columns`; `shown_by[i]` names the regions behind row i.

    Sums of decimals are decimals, with all their digits; other broken figures have twelve.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[JsonValue, ...], ...]
    shown_by: tuple[tuple[str, ...], ...]
    hidden_cells: int | None
    notes: tuple[str, ...] = ()
    error_bounds: tuple[dict[str, float], ...] | None = None  # by row and column; None: exact

    def digest(self) -> bytes:
        """SHA-256 over the RFC 8785 form: equal answers have equal digests."""
        document: dict[str, Any] = {
            "columns": list(self.columns),
            "rows": [[_safe(value) for value in row] for row in self.rows],
            "shown_by": [list(regions) for regions in self.shown_by],
            "hidden_cells": self.hidden_cells,
            "error_bounds": None if self.error_bounds is None else list(self.error_bounds),
        }
        return hashlib.sha256(rfc8785.dumps(document)).digest()


@dataclass(frozen=True)
class _Shown:
    """Who shows a cell, and what its counts are rounded to."""

    region: str
    round_to: int


@dataclass(frozen=True)
class CombinedCell:
    """One cell of the whole answer: its row, who shows it, and how far off each aggregate is."""

    row: Row
    regions: tuple[str, ...]
    errors: tuple[Decimal | None, ...]


def combine(query: Query, shares: Sequence[Share], audience: Sequence[str]) -> Answer:
    """Combine releasable shares of one bound query.

    `audience` is the set of regions asked, shares or not: it closes the levels of `region`.
    Raises `Unverified` where a share answers another query.
    """
    if len({share.region for share in shares}) != len(shares):
        raise Unverified("a region answers twice", code="partial-region")
    for share in shares:
        if share.region not in audience:
            raise Unverified(f"{share.region} was not asked", code="partial-region")
        check_fits(query, share)
    combined = _merge(query, sorted(shares, key=lambda share: share.region))
    hidden = _hidden_cells(query, combined, audience)
    return answer_of(query, combined, hidden, _notes(query, shares))


def answer_of(
    query: Query, combined: list[CombinedCell], hidden: int | None, notes: tuple[str, ...]
) -> Answer:
    """HAVING, ORDER BY, LIMIT and outputs of a bound query over its released cells."""
    if query.having is not None:
        combined = [c for c in combined if evaluate(query.having, c.row) is True]
    combined = _ordered(query, combined)
    stop = None if query.limit is None else query.offset + query.limit
    combined = combined[query.offset : stop]
    exact = [is_exact(query, output.value) for output in query.outputs]
    return Answer(
        columns=tuple(output.name for output in query.outputs),
        rows=tuple(
            tuple(
                to_json(evaluate(output.value, c.row), exact=each)
                for output, each in zip(query.outputs, exact, strict=True)
            )
            for c in combined
        ),
        shown_by=tuple(c.regions for c in combined),
        hidden_cells=hidden,
        error_bounds=_error_bounds(query, combined),
        notes=notes,
    )


def key_names(query: Query) -> tuple[str, ...]:
    """Names of the group keys of a bound query; equal at client, broker and node."""
    return tuple(map(_name, query.keys))


def state_names(query: Query) -> tuple[str, ...]:
    """Names of the states of a bound query, in order."""
    # Without its parts, which are named one by one: each holds the conditions before it.
    return tuple(
        f"{each.kind.value}:{_name((replace(each, parts=()), part))}"
        for each, part in query.states()
    )


def _name(node: object) -> str:
    return hashlib.sha256(repr(canonical(node)).encode()).hexdigest()[:16]


def check_fits(query: Query, share: Share) -> None:
    """Raise `Unverified` where a share is not one of this bound query."""
    if share.aggregates != state_names(query) or share.key_names != key_names(query):
        raise Unverified(
            f"the partial of {share.region} answers another query", code="partial-query"
        )
    for cell in share.cells:
        for (aggregate, part), state in zip(query.states(), cell.states, strict=True):
            _check_whole(share.region, aggregate, part, state)


def _check_whole(region: str, aggregate: Aggregate, part: Part, state: State) -> None:
    """INVARIANT: a figure that is missing never counts as nought."""
    pieces = TABLE[aggregate.kind].pieces
    several = state.count > 1
    first = part.value is not None and part.value.column is not None
    second = part.other is not None and part.other.column is not None
    missing = {
        "sum": first and state.sum is None and state.mean is None,
        "other_sum": second and state.other_sum is None and state.other_mean is None,
        "variance": first and several and state.variance is None,
        "other_variance": second and several and state.other_variance is None,
        "covariance": first and second and several and state.covariance is None,
    }
    bins = len(aggregate.edges)
    histogram = aggregate.kind is AggregateKind.HISTOGRAM
    beyond = histogram and any(label.position > bins for label in state.labels)
    if beyond or (state.count and any(missing[name] for name in pieces & missing.keys())):
        raise Unverified(f"the partial of {region} lacks a figure", code="partial-state")


def _merge(query: Query, shares: Sequence[Share]) -> list[CombinedCell]:
    groups: dict[tuple[Any, ...], list[tuple[_Shown, Cell]]] = {}
    for share in shares:
        for cell in share.cells:
            identity = identity_of(cell.keys)
            groups.setdefault(identity, []).append((_Shown(share.region, share.round_to), cell))
    return [_combined(query, members) for members in groups.values()]


def _combined(query: Query, members: Sequence[tuple[_Shown, Cell]]) -> CombinedCell:
    by_state = zip(*(cell.states for _, cell in members), strict=True)
    found: dict[int, list[Contribution]] = {}
    owners = [index for index, each in enumerate(query.aggregates) for _ in each.parts]
    for owner, (_, part), states in zip(owners, query.states(), by_state, strict=True):
        found.setdefault(owner, []).extend(
            Contribution(part, state, shown.round_to)
            for (shown, _), state in zip(members, states, strict=True)
        )
    figures = [
        TABLE[aggregate.kind].combine(aggregate, found[index])
        for index, aggregate in enumerate(query.aggregates)
    ]
    return CombinedCell(
        Row(members[0][1].keys, tuple(each.value for each in figures)),
        tuple(shown.region for shown, _ in members),
        tuple(each.error for each in figures),
    )


def _error_bounds(
    query: Query, combined: Sequence[CombinedCell]
) -> tuple[dict[str, float], ...] | None:
    """For each row the columns that are not exact, and how far off they may be."""
    inexact = {
        output.name: output.value.index
        for output in query.outputs
        if isinstance(output.value, AggregateRef)
        and query.aggregates[output.value.index].kind is AggregateKind.QUANTILE
    }
    if not inexact:
        return None
    return tuple(
        {
            name: float(f"{error:.{SIGNIFICANT_DIGITS - 1}e}")
            for name, index in inexact.items()
            if (error := each.errors[index]) is not None
        }
        for each in combined
    )


def _hidden_cells(
    query: Query, combined: Sequence[CombinedCell], audience: Sequence[str]
) -> int | None:
    declared = 1
    levels: list[frozenset[Any]] = []
    for key in query.keys:
        own = _levels(key, audience)
        if own is None:
            return None
        levels.append(own)
        declared *= len(own)
    shown = sum(
        all(key in own for key, own in zip(c.row.keys, levels, strict=True)) for c in combined
    )
    return declared - shown


def _levels(key: Scalar, audience: Sequence[str]) -> frozenset[Any] | None:
    if not isinstance(key, ColumnRef):
        return None
    if key.name == "region":
        return frozenset(audience)
    return None if key.levels is None else frozenset(key.levels)


def _ordered(query: Query, combined: list[CombinedCell]) -> list[CombinedCell]:
    def by_keys(left: CombinedCell, right: CombinedCell) -> int:
        pairs = zip(left.row.keys, right.row.keys, strict=True)
        return next((c for a, b in pairs if (c := _compare(a, b, nulls_first=False))), 0)

    def by_order(left: CombinedCell, right: CombinedCell) -> int:
        for order in query.order:
            decided = _directed(order, evaluate(order.value, left.row), right)
            if decided:
                return decided
        return by_keys(left, right)

    return sorted(combined, key=cmp_to_key(by_order))


def _directed(order: Order, left: Figure, other: CombinedCell) -> int:
    right = evaluate(order.value, other.row)
    if left is None or right is None:
        return _compare(left, right, nulls_first=order.nulls_first)
    decided = _compare(left, right, nulls_first=False)
    return -decided if order.descending else decided


def _compare(left: Any, right: Any, *, nulls_first: bool) -> int:
    if left is None or right is None:
        if left is right:
            return 0
        return (-1 if nulls_first else 1) * (1 if left is None else -1)
    if family(left) != family(right):
        left, right = family(left), family(right)
    if compare("=", left, right):
        return 0
    return 1 if compare(">", left, right) else -1


def _notes(query: Query, shares: Sequence[Share]) -> tuple[str, ...]:
    by_region = any(isinstance(key, ColumnRef) and key.name == "region" for key in query.keys)
    persons = any(a.kind is AggregateKind.COUNT_PERSONS for a in query.aggregates)
    return (_LABELLED_SUM,) if persons and len(shares) > 1 and not by_region else ()


def to_json(value: Figure, *, exact: bool = False) -> JsonValue:
    """A figure as JSON has it: numbers are numbers, with 12 significant digits where broken,
    or as decimals with all digits where they are exact."""
    if isinstance(value, Decimal) and exact:
        return Decimal(f"{value.normalize(CONTEXT):f}") or Decimal(0)
    if isinstance(value, Decimal):
        number = float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")
        # JSON knows no infinity, and no nought with a sign.
        return None if math.isinf(number) else number or 0.0
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _safe(value: JsonValue) -> JsonValue:
    """RFC 8785 knows no decimal, and no whole number above 2^53: those stand as text."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    return value
