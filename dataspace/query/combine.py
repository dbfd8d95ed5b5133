"""Combining shares into an answer. The broker and the client run this same code.

Nothing here sees a row: it adds, merges and orders what nodes have already released.
Variances merge by the formula of Chan, Golub and LeVeque (1979) in 50-digit decimals,
so that the order of nodes never shows.
"""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import rfc8785

from dataspace.errors import Unverified
from dataspace.query.evaluate import CONTEXT, Figure, Row, compare, evaluate, family
from dataspace.query.partials import Cell, Share, State, identity_of
from dataspace.query.product import Offer
from dataspace.query.tree import Aggregate, AggregateKind, ColumnRef, Order, Query, Scalar

SIGNIFICANT_DIGITS = 12
JsonValue = bool | int | float | str | None

_LABELLED_SUM = (
    "count(distinct person) is the sum of the regions' counts: a person known in two regions "
    "counts twice"
)


@dataclass(frozen=True)
class Answer:
    """The combined answer. `rows` × `columns`; `shown_by[i]` names the regions behind row i."""

    columns: tuple[str, ...]
    rows: tuple[tuple[JsonValue, ...], ...]
    shown_by: tuple[tuple[str, ...], ...]
    hidden_cells: int | None
    notes: tuple[str, ...] = ()

    def digest(self) -> bytes:
        """SHA-256 over the RFC 8785 form: equal answers have equal digests."""
        document: dict[str, Any] = {
            "columns": list(self.columns),
            "rows": [[_safe(value) for value in row] for row in self.rows],
            "shown_by": [list(regions) for regions in self.shown_by],
            "hidden_cells": self.hidden_cells,
        }
        return hashlib.sha256(rfc8785.dumps(document)).digest()


@dataclass(frozen=True)
class _Combined:
    row: Row
    regions: tuple[str, ...]


def combine(query: Query, offer: Offer, shares: Sequence[Share], audience: Sequence[str]) -> Answer:
    """Combine releasable shares of one bound query.

    `audience` is the set of regions asked, shares or not: it closes the levels of `region`.
    Raises `Unverified` where a share answers another query.
    """
    if len({share.region for share in shares}) != len(shares):
        raise Unverified("a region answers twice", code="partial-region")
    for share in shares:
        if share.region not in audience:
            raise Unverified(f"{share.region} was not asked", code="partial-region")
        _check_fits(query, share)
    combined = _merge(query, sorted(shares, key=lambda share: share.region))
    hidden = _hidden_cells(query, offer, combined, audience)
    if query.having is not None:
        combined = [c for c in combined if evaluate(query.having, c.row) is True]
    combined = _ordered(query, combined)
    stop = None if query.limit is None else query.offset + query.limit
    combined = combined[query.offset : stop]
    return Answer(
        columns=tuple(output.name for output in query.outputs),
        rows=tuple(
            tuple(to_json(evaluate(output.value, c.row)) for output in query.outputs)
            for c in combined
        ),
        shown_by=tuple(c.regions for c in combined),
        hidden_cells=hidden,
        notes=_notes(query, shares),
    )


def key_names(query: Query) -> tuple[str, ...]:
    """Canonical texts of the group keys; equal at client, broker and node."""
    return tuple(hashlib.sha256(repr(key).encode()).hexdigest()[:16] for key in _bare(query))


def aggregate_names(query: Query) -> tuple[str, ...]:
    """Canonical texts of the aggregates."""
    return tuple(aggregate.text for aggregate in query.aggregates)


def _bare(query: Query) -> list[Any]:
    return [_without_places(key) for key in query.keys]


def _without_places(node: Any) -> Any:
    if isinstance(node, ColumnRef):
        return ("column", node.name)
    if isinstance(node, tuple):
        return tuple(map(_without_places, node))
    if hasattr(node, "arguments"):
        return (node.name, _without_places(node.arguments))
    if hasattr(node, "branches"):
        return ("case", _without_places(node.branches), _without_places(node.otherwise))
    return node


def _check_fits(query: Query, share: Share) -> None:
    if share.aggregates != aggregate_names(query) or share.key_names != key_names(query):
        raise Unverified(
            f"the partial of {share.region} answers another query", code="partial-query"
        )
    for cell in share.cells:
        for aggregate, state in zip(query.aggregates, cell.states, strict=True):
            _check_whole(share.region, aggregate.kind, state)


def _check_whole(region: str, kind: AggregateKind, state: State) -> None:
    """INVARIANT: a figure that is missing never counts as nought."""
    figures = kind not in {
        AggregateKind.COUNT_ROWS, AggregateKind.COUNT, AggregateKind.COUNT_PERSONS,
    }  # fmt: skip
    spread = kind in {AggregateKind.VAR_SAMP, AggregateKind.STDDEV_SAMP}
    missing = state.sum is None and state.mean is None
    missing |= spread and state.count > 1 and state.variance is None
    if figures and state.count and missing:
        raise Unverified(f"the partial of {region} lacks a figure", code="partial-state")


def _merge(query: Query, shares: Sequence[Share]) -> list[_Combined]:
    groups: dict[tuple[Any, ...], list[tuple[str, Cell]]] = {}
    for share in shares:
        for cell in share.cells:
            identity = identity_of(cell.keys)
            groups.setdefault(identity, []).append((share.region, cell))
    combined = []
    for members in groups.values():
        values = tuple(
            _aggregate(aggregate, [cell.states[index] for _, cell in members])
            for index, aggregate in enumerate(query.aggregates)
        )
        regions = tuple(region for region, _ in members)
        combined.append(_Combined(Row(members[0][1].keys, values), regions))
    return combined


def _aggregate(aggregate: Aggregate, states: Sequence[State]) -> Figure:
    count = sum(state.count for state in states)
    kind = aggregate.kind
    if kind in {AggregateKind.COUNT_ROWS, AggregateKind.COUNT, AggregateKind.COUNT_PERSONS}:
        return count
    if count == 0:
        return None
    total = Decimal(0)
    for state in states:
        total = CONTEXT.add(total, state.total)
    if kind is AggregateKind.SUM:
        whole = aggregate.column is not None and aggregate.column.type == "integer"
        return int(total) if whole and total == total.to_integral_value() else total
    mean = CONTEXT.divide(total, Decimal(count))
    if kind is AggregateKind.AVG:
        return mean
    return _spread(kind, states, count, mean)


def _spread(
    kind: AggregateKind, states: Sequence[State], count: int, mean: Decimal
) -> Decimal | None:
    if count < 2:
        return None
    squares = Decimal(0)
    for state in states:
        if state.count == 0:
            continue
        own = CONTEXT.multiply(state.variance or Decimal(0), Decimal(state.count - 1))
        distance = CONTEXT.subtract(CONTEXT.divide(state.total, Decimal(state.count)), mean)
        between = CONTEXT.multiply(CONTEXT.multiply(distance, distance), Decimal(state.count))
        squares = CONTEXT.add(squares, CONTEXT.add(own, between))
    variance = CONTEXT.divide(squares, Decimal(count - 1))
    return variance if kind is AggregateKind.VAR_SAMP else CONTEXT.sqrt(variance)


def _hidden_cells(
    query: Query, offer: Offer, combined: Sequence[_Combined], audience: Sequence[str]
) -> int | None:
    declared = 1
    levels: list[frozenset[Any]] = []
    for key in query.keys:
        own = _levels(key, offer, audience)
        if own is None:
            return None
        levels.append(own)
        declared *= len(own)
    shown = sum(
        all(key in own for key, own in zip(c.row.keys, levels, strict=True)) for c in combined
    )
    return declared - shown


def _levels(key: Scalar, offer: Offer, audience: Sequence[str]) -> frozenset[Any] | None:
    if not isinstance(key, ColumnRef):
        return None
    if key.name == "region":
        return frozenset(audience)
    column = offer.columns[key.name]
    return None if column.levels is None else frozenset(map(column.typed, column.levels))


def _ordered(query: Query, combined: list[_Combined]) -> list[_Combined]:
    def by_keys(left: _Combined, right: _Combined) -> int:
        pairs = zip(left.row.keys, right.row.keys, strict=True)
        return next((c for a, b in pairs if (c := _compare(a, b, nulls_first=False))), 0)

    def by_order(left: _Combined, right: _Combined) -> int:
        for order in query.order:
            decided = _directed(order, evaluate(order.value, left.row), right)
            if decided:
                return decided
        return by_keys(left, right)

    return sorted(combined, key=cmp_to_key(by_order))


def _directed(order: Order, left: Figure, other: _Combined) -> int:
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


def to_json(value: Figure) -> JsonValue:
    """A figure as JSON has it: numbers are numbers, with 12 significant digits where broken."""
    if isinstance(value, Decimal):
        number = float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")
        # JSON knows no infinity, and no nought with a sign.
        return None if math.isinf(number) else number or 0.0
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return value


def _safe(value: JsonValue) -> JsonValue:
    """RFC 8785 knows no whole number above 2^53: those stand as text in the digest."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    return value
