"""Every aggregate as a pair: the pieces that a node computes, and how contributions combine.

Means and variances merge by the formulas of Chan, Golub and LeVeque (1979), covariances by
their extension (Pébay 2008), all in 50-digit decimals and over all contributions at once,
so that the order of nodes never shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from dataspace.query.partials import Figure, State, identity_of
from dataspace.query.product import ColumnType
from dataspace.query.quantiles import quantile_of
from dataspace.query.tree import Aggregate, AggregateKind, Line, Part

CONTEXT = Context(prec=50)
_DOUBLE = Decimal("4e-16")  # two roundings of a double, and a little


@dataclass(frozen=True)
class Contribution:
    """One state with the part it is of: from one region, or one branch of a CASE."""

    part: Part
    state: State
    round_to: int


@dataclass(frozen=True)
class Combined:
    """A combined figure; `error` bounds how far off it may be, None where it is exact."""

    value: Figure
    error: Decimal | None = None


@dataclass(frozen=True)
class Rule:
    """`pieces` beyond the count that a state needs, and what contributions combine to."""

    pieces: frozenset[str]
    combine: Callable[[Aggregate, Sequence[Contribution]], Combined]


@dataclass(frozen=True)
class _Moments:
    """Count, means, squares about the means, and products about them."""

    count: int
    mean: Decimal
    squares: Decimal
    other_mean: Decimal
    other_squares: Decimal
    products: Decimal
    noise: Decimal = Decimal(0)  # squares that come of a double's rounding alone
    other_noise: Decimal = Decimal(0)


def _count(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    return Combined(sum(each.state.count for each in contributions))


def _sum(aggregate: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    if _nothing(contributions):
        return Combined(None)
    total = _total(contributions)
    whole = all(part.value is not None and part.value.whole for part in aggregate.parts)
    return Combined(int(total) if whole and total == total.to_integral_value() else total)


def _avg(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    if _nothing(contributions):
        return Combined(None)
    count = sum(each.state.count for each in contributions)
    return Combined(CONTEXT.divide(_total(contributions), Decimal(count)))


def _var_samp(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    moments = _merge(contributions)
    if moments.count < 2:
        return Combined(None)
    return Combined(CONTEXT.divide(moments.squares, Decimal(moments.count - 1)))


def _stddev_samp(aggregate: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    variance = _var_samp(aggregate, contributions).value
    return Combined(CONTEXT.sqrt(variance) if isinstance(variance, Decimal) else None)


def _covar_samp(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    moments = _merge(contributions)
    if moments.count < 2:
        return Combined(None)
    return Combined(CONTEXT.divide(moments.products, Decimal(moments.count - 1)))


def _corr(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    moments = _merge(contributions)
    spread = CONTEXT.sqrt(CONTEXT.multiply(moments.squares, moments.other_squares))
    if moments.count < 2 or spread == 0:
        return Combined(None)
    # Rounded states may lead a little past one.
    figure = CONTEXT.divide(moments.products, spread)
    return Combined(max(Decimal(-1), min(Decimal(1), figure)))


def _slope(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    return Combined(_slope_of(_merge(contributions)))


def _intercept(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    moments = _merge(contributions)
    slope = _slope_of(moments)
    if slope is None:
        return Combined(None)
    shift = CONTEXT.multiply(slope, moments.other_mean)
    return Combined(CONTEXT.subtract(moments.mean, shift))


def _r2(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    moments = _merge(contributions)
    if moments.count < 2 or moments.other_squares == 0:
        return Combined(None)
    if moments.squares == 0:
        return Combined(Decimal(1))
    spread = CONTEXT.multiply(moments.squares, moments.other_squares)
    figure = CONTEXT.divide(CONTEXT.multiply(moments.products, moments.products), spread)
    return Combined(min(Decimal(1), figure))


def _count_distinct(_: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    labels = {identity_of((label.value,)) for each in contributions for label in each.state.labels}
    return Combined(len(labels))


def _histogram(aggregate: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    counts: list[int | None] = [None] * (len(aggregate.edges) + 1)
    for each in contributions:
        for label in each.state.labels:
            counts[label.position] = (counts[label.position] or 0) + label.count
    return Combined(tuple(counts))


def _quantile(aggregate: Aggregate, contributions: Sequence[Contribution]) -> Combined:
    line = aggregate.parts[0].value
    if line is None or line.column is None or line.column.bounds is None:
        raise ValueError("a quantile without bounds")
    q = Decimal("0.5") if aggregate.quantile is None else aggregate.quantile
    found = quantile_of(
        # What is least on a falling line is the largest of the column.
        1 - q if line.scale < 0 else q,
        line.column.bounds,
        [(each.state.labels, each.round_to) for each in contributions],
    )
    if found is None:
        return Combined(None)
    value, error = found
    return Combined(_at(line, value), CONTEXT.multiply(abs(line.scale), error))


_ONE = frozenset({"sum"})
_TWO = frozenset({"sum", "variance"})
_PAIR = frozenset({"sum", "variance", "other_sum", "other_variance", "covariance"})
_NONE: frozenset[str] = frozenset()
_LABELS = frozenset({"labels"})

TABLE: dict[AggregateKind, Rule] = {
    AggregateKind.COUNT_ROWS: Rule(_NONE, _count),
    AggregateKind.COUNT: Rule(_NONE, _count),
    AggregateKind.COUNT_PERSONS: Rule(_NONE, _count),
    AggregateKind.COUNT_DISTINCT: Rule(_LABELS, _count_distinct),
    AggregateKind.SUM: Rule(_ONE, _sum),
    AggregateKind.AVG: Rule(_ONE, _avg),
    AggregateKind.VAR_SAMP: Rule(_TWO, _var_samp),
    AggregateKind.STDDEV_SAMP: Rule(_TWO, _stddev_samp),
    AggregateKind.COVAR_SAMP: Rule(_PAIR, _covar_samp),
    AggregateKind.CORR: Rule(_PAIR, _corr),
    AggregateKind.REGR_SLOPE: Rule(_PAIR, _slope),
    AggregateKind.REGR_INTERCEPT: Rule(_PAIR, _intercept),
    AggregateKind.REGR_R2: Rule(_PAIR, _r2),
    AggregateKind.QUANTILE: Rule(_LABELS, _quantile),
    AggregateKind.HISTOGRAM: Rule(_LABELS, _histogram),
}


def _nothing(contributions: Sequence[Contribution]) -> bool:
    return all(each.state.count == 0 for each in contributions)


def _at(line: Line, value: Decimal) -> Decimal:
    return CONTEXT.add(CONTEXT.multiply(line.scale, value), line.offset)


def _line_total(line: Line, count: int, total: Decimal) -> Decimal:
    """The sum of scale × x + offset over `count` rows whose x add up to `total`."""
    return CONTEXT.add(
        CONTEXT.multiply(line.scale, total), CONTEXT.multiply(line.offset, Decimal(count))
    )


def _total(contributions: Sequence[Contribution]) -> Decimal:
    total = Decimal(0)
    for each in contributions:
        if each.part.value is not None:
            own = _line_total(each.part.value, each.state.count, each.state.total)
            total = CONTEXT.add(total, own)
    return total


def _own_moments(each: Contribution) -> _Moments:
    """One contribution's moments, scaled and shifted as its part says."""
    state, value = each.state, each.part.value or Line(None)
    other = each.part.other or Line(None)
    count = Decimal(state.count)
    freedom = Decimal(max(state.count - 1, 0))

    def about(scale: Decimal, by: Decimal, figure: Decimal | None) -> Decimal:
        product = CONTEXT.multiply(CONTEXT.multiply(scale, by), figure or Decimal(0))
        return CONTEXT.multiply(product, freedom)

    return _Moments(
        state.count,
        CONTEXT.divide(_line_total(value, state.count, state.total), count),
        about(value.scale, value.scale, state.variance),
        CONTEXT.divide(_line_total(other, state.count, state.other_total), count),
        about(other.scale, other.scale, state.other_variance),
        about(value.scale, other.scale, state.covariance),
        _noise(value, state.count, state.total),
        _noise(other, state.count, state.other_total),
    )


def _noise(line: Line, count: int, total: Decimal) -> Decimal:
    """The squares that doubles of one value have about each other's means.

    A mean of doubles is off by some 1e-16 of itself: without this, a column that holds one
    value at every node would have a spread, and with it a slope.
    """
    if line.column is None or line.column.type is not ColumnType.DOUBLE:
        return Decimal(0)
    off = CONTEXT.multiply(CONTEXT.multiply(line.scale, total), _DOUBLE)
    return CONTEXT.divide(CONTEXT.multiply(off, off), Decimal(count))


def _merge(contributions: Sequence[Contribution]) -> _Moments:
    own = [_own_moments(each) for each in contributions if each.state.count > 0]
    count = sum(each.count for each in own)
    if count == 0:
        nought = Decimal(0)
        return _Moments(0, nought, nought, nought, nought, nought)

    def mean(of: Callable[[_Moments], Decimal]) -> Decimal:
        total = Decimal(0)
        for each in own:
            total = CONTEXT.add(total, CONTEXT.multiply(of(each), Decimal(each.count)))
        return CONTEXT.divide(total, Decimal(count))

    first, second = mean(lambda each: each.mean), mean(lambda each: each.other_mean)
    squares = other_squares = products = Decimal(0)
    for each in own:
        weight = Decimal(each.count)
        left = CONTEXT.subtract(each.mean, first)
        right = CONTEXT.subtract(each.other_mean, second)
        squares = CONTEXT.add(squares, _around(each.squares, weight, left, left))
        other_squares = CONTEXT.add(
            other_squares, _around(each.other_squares, weight, right, right)
        )
        products = CONTEXT.add(products, _around(each.products, weight, left, right))
    squares = _above(squares, [each.noise for each in own])
    other_squares = _above(other_squares, [each.other_noise for each in own])
    return _Moments(count, first, squares, second, other_squares, products)


def _above(squares: Decimal, noise: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for each in noise:
        total = CONTEXT.add(total, each)
    return squares if squares > total else Decimal(0)


def _slope_of(moments: _Moments) -> Decimal | None:
    if moments.count < 2 or moments.other_squares == 0:
        return None
    return CONTEXT.divide(moments.products, moments.other_squares)


def _around(own: Decimal, weight: Decimal, left: Decimal, right: Decimal) -> Decimal:
    """Squares (or products) about a common mean: one's own, and the distance's."""
    between = CONTEXT.multiply(weight, CONTEXT.multiply(left, right))
    return CONTEXT.add(own, between)
