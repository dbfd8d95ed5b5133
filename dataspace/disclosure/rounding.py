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
    """The mean of whole numbers, coarsened until at least two counts fit it.

    A fine mean beside a rounded count gives the exact count back: few counts n make
    mean × n a whole number. Digits are dropped until two of the counts that round to
    the same published count are possible.
    """
    mean = Context(prec=50).divide(Decimal(total), Decimal(count))
    published = round_count(count, base)
    candidates = [n for n in range(max(1, published - base), published + base + 1)
                  if round_count(n, base) == published]  # fmt: skip
    for digits in range(FIGURE_DIGITS, 0, -1):
        figure = significant(mean, digits)
        half = _half_unit(figure, digits)
        if sum(_whole_sum_fits(figure, half, n) for n in candidates) > 1:
            return figure
    return Decimal(0) if abs(mean) < 1 else significant(mean, 1)


def _half_unit(figure: Decimal, digits: int) -> Decimal:
    if figure == 0:
        return Decimal(0)
    return Decimal(5).scaleb(figure.adjusted() - digits)


def _whole_sum_fits(figure: Decimal, half: Decimal, count: int) -> bool:
    low, high = (figure - half) * count, (figure + half) * count
    return high.to_integral_value("ROUND_FLOOR") >= low.to_integral_value("ROUND_CEILING")
