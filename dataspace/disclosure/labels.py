"""Which labels of a state may be shown: levels, intervals of a quantile, bins. Pure.

A label with fewer subjects than the minimum is not shown. Intervals are split only where
both halves have enough, so that every row stays in an interval that may be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataspace.disclosure.rounding import round_count
from dataspace.query.partials import KeyValue, Label
from dataspace.query.product import Disclosure
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
        shown = _finest({(each.level, each.position): each for each in raw}, settings)
    elif kind is AggregateKind.HISTOGRAM:
        shown = _without_gap(raw, subjects, settings)
    else:
        shown = [each for each in raw if each.subjects >= settings.min_subjects]
    if kind is AggregateKind.QUANTILE:
        return _running(shown, settings)
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


def _running(leaves: Sequence[RawLabel], settings: Disclosure) -> tuple[Label, ...]:
    """Intervals from low to high, whose running totals are rounded.

    Each count is then off by as much as a rounded one or more, while the error of the
    distribution does not grow with the number of intervals.
    """
    labels, total, told = [], 0, 0
    for each in leaves:
        total += each.count
        rounded = round_count(total, settings.round_to)
        labels.append(Label(None, each.level, each.position, rounded - told))
        told = rounded
    return tuple(labels)


def _finest(tree: dict[tuple[int, int], RawLabel], settings: Disclosure) -> list[RawLabel]:
    """The finest intervals that can be reached by splitting into halves with enough each."""

    def split(level: int, position: int) -> list[RawLabel]:
        halves = [(level + 1, 2 * position), (level + 1, 2 * position + 1)]
        found = [tree[half] for half in halves if half in tree]
        if len(found) == 2 and min(each.subjects for each in found) >= settings.min_subjects:
            return split(*halves[0]) + split(*halves[1])
        return [tree[level, position]]

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
