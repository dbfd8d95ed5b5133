"""Rounding: nothing that is published gives an exact count back."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.disclosure.rounding import (
    FIGURE_DIGITS,
    coarse_integer_mean,
    coarse_integer_variance,
    round_count,
    significant,
)


@given(st.integers(0, 10**9), st.integers(2, 100))
def test_with_a_base_no_count_leaves_that_is_not_a_multiple_of_it(count: int, base: int) -> None:
    rounded = round_count(count, base)
    assert rounded % base == 0
    assert abs(rounded - count) * 2 <= base


@pytest.mark.parametrize(
    ("count", "base", "rounded"),
    [(0, 5, 0), (2, 5, 0), (3, 5, 5), (7, 5, 5), (8, 5, 10), (5, 10, 10), (4, 10, 0), (11, 1, 11)],
)
def test_counts_go_to_the_nearest_multiple_halves_up(count: int, base: int, rounded: int) -> None:
    assert round_count(count, base) == rounded


@pytest.mark.parametrize(
    ("value", "shown"),
    [("123.449", "123.4"), ("123.45", "123.5"), ("-123.45", "-123.5"), ("0", "0"),
     ("99999", "1.000E+5"), ("0.00012344999", "0.0001234")],
)  # fmt: skip
def test_figures_keep_four_digits_halves_away_from_zero(value: str, shown: str) -> None:
    assert significant(Decimal(value)) == Decimal(shown)


@given(st.integers(-(10**6), 10**6), st.integers(5, 5_000), st.integers(2, 20))
def test_a_coarse_mean_stays_near_the_mean(total: int, count: int, base: int) -> None:
    mean = Decimal(total) / count
    # Half of the unit: 1-2-5 steps are at most 2.5 times what one count needs.
    fewest = max(1, round_count(count, base) - base // 2)
    allowed = max(Decimal("1.25") / fewest, abs(mean) * Decimal(10) ** (1 - FIGURE_DIGITS))
    assert abs(coarse_integer_mean(total, count, base) - mean) <= allowed


@pytest.mark.parametrize("base", [2, 3, 5, 10])
def test_an_attacker_who_tries_every_sum_finds_no_exact_count(base: int) -> None:
    """Every count that is published as the same one yields every published mean."""
    for published in range(base, 60, base):
        counts = [n for n in range(1, 80) if round_count(n, base) == published]
        behind: dict[Decimal, set[int]] = defaultdict(set)
        for count in counts:
            # Means between -2 and 6; beyond, the pattern repeats with each whole number.
            for total in range(-2 * count, 6 * count + 1):
                behind[coarse_integer_mean(total, count, base)].add(count)
        inner = [figure for figure in behind if -1 <= figure <= 5]
        assert inner
        assert all(behind[figure] == set(counts) for figure in inner)


def test_an_attacker_with_mean_and_variance_finds_no_exact_count() -> None:
    """All samples of 8 to 12 whole numbers from 0 to 4: each published pair has two counts.

    Left out are spreads at the widest that such numbers can have, all of them 0 or 4.
    """
    behind: dict[tuple[Decimal, Decimal], set[int]] = defaultdict(set)
    for count in range(8, 13):
        for total, squares in _sums(count):
            variance = (Decimal(squares) - Decimal(total) ** 2 / count) / (count - 1)
            pair = coarse_integer_mean(total, count, 5), coarse_integer_variance(variance, count, 5)
            behind[pair].add(count)
    inner = [counts for (mean, spread), counts in behind.items() if spread <= mean * (4 - mean)]
    assert len(inner) > 50
    assert min(map(len, inner)) >= 2


def _sums(count: int) -> set[tuple[int, int]]:
    sums = {(0, 0)}
    for _ in range(count):
        sums = {(total + x, squares + x * x) for total, squares in sums for x in range(5)}
    return sums
