"""Which cells of a grouped answer may be shown, and at what precision.

Takes raw cells and the product's settings, returns releasable ones. Runs at the node,
before signing. Secondary suppression, dominance, differencing and noise are not here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dataspace.disclosure.labels import RawLabel, release_labels
from dataspace.disclosure.rounding import (
    coarse_integer_mean,
    coarse_integer_variance,
    round_count,
    significant,
)
from dataspace.query.partials import Cell, KeyValue, State
from dataspace.query.product import Disclosure
from dataspace.query.tree import AggregateKind


@dataclass(frozen=True)
class RawFigures:
    """Sum, extremes and sample variance of one argument; `integral` where all are whole."""

    sum: Decimal
    low: Decimal | None = None
    high: Decimal | None = None
    variance: Decimal | None = None
    integral: bool = False


@dataclass(frozen=True)
class RawAggregate:
    """What an engine computed for one state in one cell. Never leaves the node.

    `subjects` distinct persons behind it (None: the cell's own); `outside` those of the
    cell's persons that a FILTER or a CASE branch leaves out (None: there is none); `rest`
    those to whom a CASE of several branches gives no value.
    """

    count: int
    subjects: int | None = None
    outside: int | None = None
    rest: int | None = None
    figures: RawFigures | None = None
    other: RawFigures | None = None
    covariance: Decimal | None = None
    labels: tuple[RawLabel, ...] = ()
    kind: AggregateKind = AggregateKind.COUNT_ROWS


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
    # INVARIANT: every FILTER and every branch of a CASE is a cell of its own, and so is what
    # it leaves out: else the difference of two figures would show a few.
    behind = [cell.subjects]
    for raw in cell.aggregates:
        behind += [each for each in (raw.subjects, raw.outside, raw.rest) if each is not None]
    return min(behind) >= settings.min_subjects


def _release(raw: RawAggregate, settings: Disclosure) -> State:
    count = round_count(raw.count, settings.round_to)
    labels = release_labels(raw.kind, raw.labels, raw.subjects, settings)
    if raw.figures is None:
        return State(count, labels=labels)
    if settings.round_to == 1:
        return _exact(raw)
    mean, variance = _rounded(raw.figures, raw.count, count, settings)
    if raw.other is None:
        return State(count, mean=mean, variance=variance)
    other_mean, other_variance = _rounded(raw.other, raw.count, count, settings)
    covariance = None if raw.covariance is None else significant(raw.covariance)
    if covariance is not None and 0 in {variance, other_variance}:
        # INVARIANT: what shows no spread shows none beside another column either. The one
        # person with a rare flag would have their value of the other column told by it.
        covariance = Decimal(0)
    return State(
        count, mean=mean, variance=variance, other_mean=other_mean,
        other_variance=other_variance, covariance=covariance,
    )  # fmt: skip


def _exact(raw: RawAggregate) -> State:
    figures, other = raw.figures, raw.other
    return State(
        raw.count,
        sum=figures.sum if figures else None,
        variance=figures.variance if figures else None,
        other_sum=other.sum if other else None,
        other_variance=other.variance if other else None,
        covariance=raw.covariance,
    )


def _rounded(
    raw: RawFigures, exact_count: int, count: int, settings: Disclosure
) -> tuple[Decimal, Decimal | None]:
    """Mean and variance at the precision that a rounded count allows."""
    if raw.integral and raw.low is not None and raw.high is not None:
        if raw.high - raw.low <= 1:
            return _binary(raw, exact_count, count, settings)
        mean = coarse_integer_mean(int(raw.sum), exact_count, settings.round_to)
        spread = raw.variance and coarse_integer_variance(
            raw.variance, exact_count, settings.round_to
        )
        return mean, spread
    variance = None if raw.variance is None else significant(raw.variance)
    return significant(raw.sum / exact_count), variance


def _binary(
    raw: RawFigures, exact_count: int, count: int, settings: Disclosure
) -> tuple[Decimal, Decimal | None]:
    """A 0/1 column is a count of ones: its mean is a ratio of rounded counts. So is a 1/2
    column one of twos, and whatever else holds two neighbouring whole numbers."""
    low = Decimal(0) if raw.low is None or raw.high == 1 else raw.low
    exact = int(raw.sum - low * exact_count)
    ones, noughts = _part(exact, settings), _part(exact_count - exact, settings)
    if ones == noughts == 0:
        share = Decimal("0.5")  # both parts are small: no more may be told
    else:
        share = Decimal(0 if ones == 0 else count if noughts == 0 else min(ones, count)) / count
    variance = None
    if raw.variance is not None:
        variance = significant(share * (1 - share) * count / max(count - 1, 1))
    return significant(low + share), variance


def _part(count: int, settings: Disclosure) -> int:
    """A part below the minimum shows as none."""
    return 0 if count < settings.min_subjects else round_count(count, settings.round_to)
