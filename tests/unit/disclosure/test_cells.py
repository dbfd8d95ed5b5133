"""Which cells leave a node, and at what precision."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.disclosure.cells import RawAggregate, RawCell, RawFigures, disclose
from dataspace.disclosure.rounding import round_count
from dataspace.query.partials import State
from dataspace.query.product import Disclosure

EXACT = Disclosure(min_subjects=5, round_to=1)
ROUNDED = Disclosure(min_subjects=11, round_to=5)


def cell(subjects: int, *aggregates: RawAggregate, key: str = "F") -> RawCell:
    return RawCell((key,), subjects, aggregates or (RawAggregate(count=subjects),))


def whole(values: list[int]) -> RawAggregate:
    """What an engine computes over a column of whole numbers, one row a subject."""
    count, total = len(values), Decimal(sum(values))
    squares = sum(((Decimal(value) - total / count) ** 2 for value in values), Decimal(0))
    return RawAggregate(
        count=count,
        subjects=count,
        figures=RawFigures(
            sum=total,
            low=Decimal(min(values)),
            high=Decimal(max(values)),
            variance=squares / (count - 1),
            integral=True,
        ),
    )


@pytest.mark.parametrize("settings", [EXACT, ROUNDED])
def test_a_cell_of_nought_to_k_minus_one_subjects_leaves_no_trace(settings: Disclosure) -> None:
    least = settings.min_subjects
    shown = disclose([cell(least, key="shown")], settings)
    for subjects in range(least):
        small = cell(subjects, RawAggregate(count=10_000), key="small")
        assert disclose([small], settings) == ()
        assert disclose([cell(least, key="shown"), small], settings) == shown


def test_an_aggregate_with_too_few_subjects_behind_it_hides_the_whole_cell() -> None:
    enough = RawAggregate(count=40, subjects=11, figures=RawFigures(Decimal(80)))
    few = RawAggregate(count=40, subjects=10, figures=RawFigures(Decimal(80)))
    none = RawAggregate(count=0, subjects=0)
    assert len(disclose([cell(40, enough)], ROUNDED)) == 1
    assert disclose([cell(40, enough, few)], ROUNDED) == ()
    assert disclose([cell(40, none)], ROUNDED) == ()


def test_many_rows_of_few_subjects_are_few_subjects() -> None:
    assert disclose([cell(10, RawAggregate(count=1_000))], ROUNDED) == ()


def test_with_rounding_off_a_shown_cell_is_exact() -> None:
    figures = RawFigures(Decimal("12.3456789"), variance=Decimal("0.123456"))
    raw = RawAggregate(count=7, subjects=7, figures=figures)
    (shown,) = disclose([cell(7, raw)], EXACT)
    assert shown.states == (
        State(7, sum=Decimal("12.3456789"), variance=Decimal("0.123456")),
    )  # fmt: skip


def test_with_rounding_on_no_sum_leaves_but_a_mean_at_four_digits() -> None:
    figures = RawFigures(Decimal("1234.5678"), variance=Decimal("7.77777"))
    raw = RawAggregate(count=13, subjects=13, figures=figures)
    (shown,) = disclose([cell(13, raw)], ROUNDED)
    assert shown.states == (State(15, mean=Decimal("94.97"), variance=Decimal("7.778")),)


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.sampled_from([2, 5, 10]),
    st.integers(5, 12),
)
def test_no_count_of_a_shown_cell_is_exact(counts: list[int], base: int, least: int) -> None:
    settings = Disclosure(min_subjects=least, round_to=base)
    raw = [cell(count, RawAggregate(count=count * 3), key=str(count)) for count in counts]
    for shown in disclose(raw, settings):
        assert all(state.count % base == 0 and state.count > 0 for state in shown.states)


@given(st.lists(st.integers(0, 1), min_size=11, max_size=120))
def test_the_mean_of_noughts_and_ones_is_a_ratio_of_rounded_counts(values: list[int]) -> None:
    (shown,) = disclose([cell(len(values), whole(values))], ROUNDED)
    (state,) = shown.states
    ratios = {Decimal(ones) / state.count for ones in range(0, state.count + 1, 5)}
    assert state.mean is not None and state.variance is not None
    allowed = {ratio.quantize(Decimal("0.0001")) for ratio in ratios} | {Decimal("0.5")}
    assert state.mean.quantize(Decimal("0.0001")) in allowed


@given(st.lists(st.integers(0, 1), min_size=11, max_size=60))
def test_a_part_of_noughts_and_ones_below_the_minimum_is_not_told_from_none(
    values: list[int],
) -> None:
    ones, noughts = sum(values), len(values) - sum(values)
    (shown,) = disclose([cell(len(values), whole(values))], ROUNDED)
    mean = shown.states[0].mean
    if ones < 11 and noughts < 11:
        assert mean == Decimal("0.5")
    elif ones < 11:
        assert mean == 0
    elif noughts < 11:
        assert mean == 1


@given(st.lists(st.integers(-3, 9), min_size=11, max_size=40))
def test_the_sum_of_whole_numbers_does_not_give_the_count_back(values: list[int]) -> None:
    """For each other count published alike there is a sum that is published alike."""
    (shown,) = disclose([cell(len(values), whole([*values, 9]))], ROUNDED)
    (state,) = shown.states
    assert state.mean is not None
    for count in range(max(11, state.count - 2), state.count + 3):
        if round_count(count, 5) != state.count:
            continue
        near = int(state.mean * count)
        assert any(
            disclose([cell(count, _with_sum(total, count))], ROUNDED)[0].states[0].mean
            == state.mean
            for total in range(near - 2, near + 3)
        )


def _with_sum(total: int, count: int) -> RawAggregate:
    figures = RawFigures(Decimal(total), low=Decimal(-9), high=Decimal(9), integral=True)
    return RawAggregate(count, count, figures=figures)


def test_settings_under_which_a_shown_count_would_be_nought_cannot_exist() -> None:
    with pytest.raises(ValueError, match="round_to"):
        Disclosure(min_subjects=11, round_to=23)
    assert round_count(11, 22) == 22
