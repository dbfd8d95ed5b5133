"""Which labels of a state may be shown: levels, intervals of a quantile, bins. Pure.

A label with fewer subjects than the minimum is not shown. A half with too few goes with the
interval beside it, so that every row stays in an interval that may be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataspace.disclosure.rounding import round_count
from dataspace.query.partials import KeyValue, Label
from dataspace.query.product import Disclosure
from dataspace.query.quantiles import LEVELS
from dataspace.query.tree import AggregateKind


@dataclass(frozen=True)
class RawLabel:
    """A label as the engine saw it. Never leaves the node."""

    value: KeyValue
    level: int
    position: int
    count: int
    subjects: int


def release_labels(
    kind: AggregateKind, raw: Sequence[RawLabel], subjects: int | None, settings: Disclosure
) -> tuple[Label, ...]:
    """The labels that may be shown, with rounded counts, in a fixed order.

    `subjects` distinct persons are behind them all.
    """
    if kind is AggregateKind.QUANTILE:
        tree = {(each.level, each.position): each for each in raw}
        return _running(_finest(tree, settings), settings)
    if kind is AggregateKind.HISTOGRAM:
        shown = _without_gap(raw, subjects, settings)
    else:
        shown = [each for each in raw if each.subjects >= settings.min_subjects]
    ordered = sorted(shown, key=lambda each: (each.position, repr(each.value)))
    counted = kind is not AggregateKind.COUNT_DISTINCT
    return tuple(
        Label(
            each.value,
            each.level,
            each.position,
            round_count(each.count, settings.round_to) if counted else 0,
        )
        for each in ordered
    )


@dataclass(frozen=True)
class _Stretch:
    """Neighbouring intervals that are shown as one, from `start` to `end` of the finest."""

    start: int
    end: int
    count: int


def _running(stretches: Sequence[_Stretch], settings: Disclosure) -> tuple[Label, ...]:
    """Intervals from low to high, whose running totals are rounded.

    Each count is then off by as much as a rounded one or more, while the error of the
    distribution does not grow with the number of intervals.
    """
    labels, total, told = [], 0, 0
    for each in stretches:
        total += each.count
        rounded = round_count(total, settings.round_to)
        span = each.end - each.start
        labels.append(Label(None, LEVELS, each.start, rounded - told, span))
        told = rounded
    return tuple(labels)


def _finest(tree: dict[tuple[int, int], RawLabel], settings: Disclosure) -> list[_Stretch]:
    """The finest intervals, each with enough subjects, that splitting into halves comes to.

    Where one half alone has enough it is split further, and what borders on the other half
    takes that in, rows and all: one to k-1 subjects in it, or none, look the same.
    """

    def enough(half: RawLabel | None) -> bool:
        return half is not None and half.subjects >= settings.min_subjects

    def split(level: int, position: int) -> list[_Stretch]:
        low, high = tree.get((level + 1, 2 * position)), tree.get((level + 1, 2 * position + 1))
        if not (enough(low) or enough(high)):
            width = 2 ** (LEVELS - level)
            start = position * width
            return [_Stretch(start, start + width, tree[level, position].count)]
        width = 2 ** (LEVELS - level - 1)
        lows = split(level + 1, 2 * position) if enough(low) else []
        highs = split(level + 1, 2 * position + 1) if enough(high) else []
        if not highs:
            last, more = lows[-1], high.count if high else 0
            lows[-1] = _Stretch(last.start, last.end + width, last.count + more)
        elif not lows:
            first, more = highs[0], low.count if low else 0
            highs[0] = _Stretch(first.start - width, first.end, first.count + more)
        return lows + highs

    return split(0, 0) if (0, 0) in tree else []


def _without_gap(
    raw: Sequence[RawLabel], subjects: int | None, settings: Disclosure
) -> list[RawLabel]:
    """What is hidden could be had together by subtraction: the smallest shown bin hides with
    it, unless the hidden ones hold enough subjects between them."""
    shown = [each for each in raw if each.subjects >= settings.min_subjects]
    hidden = [each.subjects for each in raw if each.subjects < settings.min_subjects]
    # Only where nobody is in two bins do the bins' subjects add up.
    apart = sum(each.subjects for each in raw) == subjects
    few = not apart or sum(hidden) < settings.min_subjects
    if hidden and shown and few:
        shown.remove(min(shown, key=lambda each: (each.count, each.position)))
    return shown
