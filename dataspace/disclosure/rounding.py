"""Rounding of counts and figures by rule. Decimal in, decimal out; no state."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

FIGURE_DIGITS = 4


def round_count(count: int, base: int) -> int:
    """The nearest multiple of `base`, halves up."""
    return (2 * count + base) // (2 * base) * base


def significant(value: Decimal, digits: int = FIGURE_DIGITS) -> Decimal:
    """`value` at so many significant digits, halves away from zero."""
    if value == 0:
        return Decimal(0)
    return Context(prec=digits, rounding=ROUND_HALF_UP).plus(value)


def coarse_integer_mean(total: int, count: int, base: int) -> Decimal:
    """The mean of whole numbers, coarsened until every count fits it.

    A fine mean beside a rounded count gives the exact count back: few counts n make
    mean × n a whole number. Multiples of a unit of at least 1/n hide it: between two of
    them lies a whole sum for each of the counts that round to the published one. The unit
    depends on published figures alone, so that the choice of it tells nothing either.
    """
    mean = Context(prec=50).divide(Decimal(total), Decimal(count))
    return _to_unit(mean, _unit(Decimal(1) / fewest(count, base)))


def coarse_integer_variance(variance: Decimal, count: int, base: int) -> Decimal:
    """The sample variance of whole numbers, coarsened for the same reason.

    For each count n and sum, variances lie 2/(n − 1) apart (a sum of squares is odd where
    the sum is), so that the unit is no less than that. Whole units are told apart and shown
    by their middle: rounding to the nearest would leave half a unit alone beside 0.
    """
    unit = _unit(Decimal(2) / max(fewest(count, base) - 1, 1))
    if variance and Decimal(1).scaleb(variance.adjusted() + 1 - FIGURE_DIGITS) >= unit:
        return significant(variance)
    units = int(variance / unit)
    return units * unit + unit / 2 if units else Decimal(0)


def fewest(count: int, base: int) -> int:
    """The least count, but for 0, that is published as `count` is."""
    return max(1, round_count(count, base) - base // 2)


def _unit(least: Decimal) -> Decimal:
    """The smallest of 1, 2, 5, 10, … times a power of ten that is at least so much."""
    power = Decimal(1).scaleb(least.adjusted())
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least)


def _to_unit(value: Decimal, unit: Decimal) -> Decimal:
    """The nearest multiple, halves away from zero, at no more than `FIGURE_DIGITS` digits."""
    digits = Decimal(1).scaleb(value.adjusted() + 1 - FIGURE_DIGITS) if value else unit
    step = max(unit, digits)
    context = Context(prec=60, rounding=ROUND_HALF_UP)
    times = context.divide(value, step).quantize(Decimal(1), context=context)
    return context.multiply(times, step).normalize(context)
