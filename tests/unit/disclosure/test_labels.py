"""Intervals of quantiles: they cover the bounds once, and each holds enough people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dataspace.disclosure.labels import RawLabel, release_labels
from dataspace.query.partials import Label
from dataspace.query.product import Disclosure
from dataspace.query.quantiles import LEVELS, quantile_of
from dataspace.query.tree import AggregateKind

FINEST = 2**LEVELS
LEAST = 5
PLAIN = Disclosure(min_subjects=LEAST, round_to=1)
# One place for each person: where among the finest intervals their value lies.
PLACES = st.lists(
    st.integers(0, FINEST - 1) | st.integers(0, 3) | st.just(FINEST - 1), max_size=120
)


def _shown(places: Sequence[int]) -> tuple[Label, ...]:
    raw = [
        RawLabel(None, level, position, count, count)
        for level in range(LEVELS + 1)
        for position, count in Counter(place >> (LEVELS - level) for place in places).items()
    ]
    return release_labels(AggregateKind.QUANTILE, raw, len(places), PLAIN)


@given(PLACES)
def test_intervals_cover_the_bounds_once_and_each_holds_enough_people(places: list[int]) -> None:
    labels = _shown(places)
    ends = [0, *(each.position + each.span for each in labels)]
    assert [each.position for each in labels] == ends[:-1]
    assert ends[-1] == (FINEST if places else 0)
    inside = [
        sum(each.position <= place < each.position + each.span for place in places)
        for each in labels
    ]
    assert [each.count for each in labels] == inside
    assert len(labels) <= 1 or min(inside) >= LEAST


@given(PLACES, st.integers(0, FINEST - 1), st.integers(1, LEAST - 1))
def test_an_empty_stretch_looks_like_one_with_a_few_people(
    places: list[int], place: int, few: int
) -> None:
    half = place // 2**7
    others = [each for each in places if each // 2**7 != half] + [(1 - half) * 2**7] * LEAST
    cuts = [(each.position, each.span) for each in _shown(others)]
    assert cuts == [(each.position, each.span) for each in _shown(others + [place] * few)]


def test_a_skewed_column_has_a_narrow_median() -> None:
    # All but three of 3,000 people lie in the lowest of the bounds' 64 parts.
    labels = _shown([number % 4 for number in range(2_997)] + [40, 200, 255])
    found = quantile_of(Decimal("0.5"), (0.0, 256.0), [(labels, 1)])
    assert found is not None
    middle, off = found
    assert abs(middle - Decimal("1.5")) <= 1
    assert off <= 1
