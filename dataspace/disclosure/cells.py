"""Which cells of a grouped answer may be shown, and at what precision.

Takes raw cells and the product's settings, returns releasable ones. Runs at the node,
before signing. Secondary suppression, dominance, differencing and noise are not here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dataspace.disclosure.rounding import (
    coarse_integer_mean,
    coarse_integer_variance,
    round_count,
    significant,
)
from dataspace.query.partials import Cell, KeyValue, State
from dataspace.query.product import Disclosure


@dataclass(frozen=True)
class RawAggregate:
    """What an engine computed for one aggregate in one cell. Never leaves the node.

    `subjects` distinct persons behind it (None: the cell's own); `low` and `high` the
    extremes, which tell a 0/1 column; `integral` whether the column holds whole numbers.
    """

    count: int
    subjects: int | None = None
    sum: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    variance: Decimal | None = None
    integral: bool = False


@dataclass(frozen=True)
class RawCell:
    """One group as the engine saw it. Never leaves the node."""

    keys: tuple[KeyValue, ...]
    subjects: int
    aggregates: tuple[RawAggregate, ...]


def disclose(cells: Sequence[RawCell], settings: Disclosure) -> tuple[Cell, ...]:
    """The cells that may be shown, rounded; the others are not there at all.

    INVARIANT: a cell with 0 to `min_subjects` − 1 subjects leaves no trace, so that no
    answer tells whether somebody exists.
    """
    return tuple(
        Cell(cell.keys, tuple(_release(raw, settings) for raw in cell.aggregates))
        for cell in cells
        if _enough(cell, settings)
    )


def _enough(cell: RawCell, settings: Disclosure) -> bool:
    behind = [cell.subjects]
    behind += [raw.subjects for raw in cell.aggregates if raw.subjects is not None]
    return min(behind) >= settings.min_subjects


def _release(raw: RawAggregate, settings: Disclosure) -> State:
    if settings.round_to == 1:
        return State(raw.count, sum=raw.sum, variance=raw.variance)
    count = round_count(raw.count, settings.round_to)
    if raw.sum is None:
        return State(count)
    if raw.integral and raw.low is not None and raw.high is not None:
        if raw.low >= 0 and raw.high <= 1:
            return _binary(raw, count, settings)
        mean = coarse_integer_mean(int(raw.sum), raw.count, settings.round_to)
        spread = raw.variance and coarse_integer_variance(
            raw.variance, raw.count, settings.round_to
        )
        return State(count, mean=mean, variance=spread)
    mean = significant(raw.sum / raw.count)
    variance = None if raw.variance is None else significant(raw.variance)
    return State(count, mean=mean, variance=variance)


def _binary(raw: RawAggregate, count: int, settings: Disclosure) -> State:
    """A 0/1 column is a count of ones: its mean is a ratio of rounded counts."""
    exact = int(raw.sum or 0)
    ones, noughts = _part(exact, settings), _part(raw.count - exact, settings)
    if ones == noughts == 0:
        share = Decimal("0.5")  # both parts are small: no more may be told
    else:
        share = Decimal(0 if ones == 0 else count if noughts == 0 else min(ones, count)) / count
    variance = None
    if raw.variance is not None:
        variance = significant(share * (1 - share) * count / max(count - 1, 1))
    return State(count, mean=significant(share), variance=variance)


def _part(count: int, settings: Disclosure) -> int:
    """A part below the minimum shows as none."""
    return 0 if count < settings.min_subjects else round_count(count, settings.round_to)
