"""Quantiles from releasable histograms, with a bound of the error. Pure.

A node splits the declared bounds in halves, and those again, as long as one half holds
enough subjects; a half that does not goes with the interval beside it. What it releases are
the counts of the intervals that it got to, each `span` of the finest ones from `position` on:

    [lo ─────────────────────── hi]
    [lo ─────── ·][· ────────── hi]
    [lo ─────── ·][· ── ][── hi   ]    here the last quarter's upper half held too few

The counts of all nodes bound the distribution from both sides, and so each quantile.
Equal bounds at every node are not needed. No value of a row is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal

from dataspace.query.partials import Label

LEVELS = 8  # 256 intervals at the finest
_CONTEXT = Context(prec=50)


def interval(bounds: tuple[float, float], label: Label) -> tuple[Decimal, Decimal]:
    """Where an interval begins and ends."""
    low, high = Decimal(repr(bounds[0])), Decimal(repr(bounds[1]))
    step = _CONTEXT.divide(_CONTEXT.subtract(high, low), Decimal(2**label.level))
    first, last = label.position, label.position + max(label.span, 1)
    return (
        _CONTEXT.add(low, _CONTEXT.multiply(step, Decimal(first))),
        _CONTEXT.add(low, _CONTEXT.multiply(step, Decimal(last))),
    )


def quantile_of(
    q: Decimal,
    bounds: tuple[float, float],
    histograms: Sequence[tuple[Sequence[Label], int]],
) -> tuple[Decimal, Decimal] | None:
    """The middle of where the q-quantile must lie, and half the width of it.

    `histograms` are labels and the base that their counts are rounded to. None for no rows.
    """
    leaves = [
        (*interval(bounds, label), label.count) for labels, _ in histograms for label in labels
    ]
    count = sum(each[2] for each in leaves)
    if count == 0:
        return None
    # Running totals are rounded, so that a node's may be off by half its base anywhere; so is
    # the number of rows that the place of the quantile is counted in.
    slack = sum(
        (Decimal(base) / 2 for labels, base in histograms if base > 1 and labels), Decimal(0)
    )
    fewest = _CONTEXT.multiply(q, max(Decimal(count - 1) - slack, Decimal(0)))
    most = _CONTEXT.multiply(q, Decimal(count - 1) + slack)
    first = fewest.to_integral_value("ROUND_FLOOR") + 1 - slack
    last = most.to_integral_value("ROUND_CEILING") + 1 + slack
    cuts = sorted({edge for low, high, _ in leaves for edge in (low, high)})
    low_end, high_end = cuts[0], cuts[-1]
    for cut in cuts:
        at_most = sum(n for low, _, n in leaves if low < cut)
        at_least = sum(n for _, high, n in leaves if high <= cut)
        if at_most < first:
            low_end = cut
        if at_least >= last:
            high_end = cut
            break
    half = _CONTEXT.divide(_CONTEXT.subtract(high_end, low_end), Decimal(2))
    return _CONTEXT.add(low_end, half), half
