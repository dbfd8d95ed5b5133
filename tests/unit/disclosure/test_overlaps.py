"""What is shown of overlaps, over tables of counts as a broker makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.disclosure.overlaps import release_overlaps
from dataspace.disclosure.settings import strictest
from dataspace.errors import Unverified
from dataspace.query.overlap_cells import (
    OverlapCell,
    OverlapShape,
    OverlapTable,
    candidate_cells,
    parts_of,
)
from dataspace.query.product import Disclosure

DEFAULT = Disclosure()
EXACT = Disclosure(round_to=1)
TWO = ("guangzhou", "macao")
THREE = ("guangzhou", "hongkong", "macao")
NO_KEYS: frozenset[int] = frozenset()


def table(people: Mapping[Any, int], *more: str) -> OverlapTable:
    """Of people by letters, "-" where they are not; everybody has one code a region.

    `more` are codes that a region brought and nobody in the table has, such as `1x`.
    """
    cells = {
        tuple(b"" if code == "-" else code.encode() for code in codes): count
        for codes, count in people.items()
        if count
    }
    margins: dict[tuple[bytes, ...], int] = {}
    for codes, count in cells.items():
        for part in parts_of(codes):
            margins[part] = margins.get(part, 0) + count
    brought: list[dict[bytes, int]] = [{} for _ in next(iter(people))]
    for codes, count in cells.items():
        for own, code in zip(brought, codes, strict=True):
            if code:
                own[code] = own.get(code, 0) + count
    for each in more:
        brought[int(each[0])][each[1:].encode()] = 1
    return OverlapTable(
        tuple(OverlapCell(*each) for each in cells.items()),
        tuple(OverlapCell(*each) for each in margins.items()),
        tuple(brought),
    )


def shape(regions: tuple[str, ...], required: set[int], keyed: set[int]) -> OverlapShape:
    return OverlapShape(regions, frozenset(required), frozenset(keyed))


def told(counted: OverlapTable, of: OverlapShape, settings: Disclosure = DEFAULT) -> dict[str, int]:
    return {
        "".join(code.decode() or "-" for code in cell.codes): cell.people
        for cell in release_overlaps(counted, of, settings)
    }


INNER = shape(TWO, {0, 1}, set())
LEFT = shape(TWO, {0}, {1})


def two(both: int, left: int = 100, right: int = 100) -> OverlapTable:
    """One group at each of two regions: so many at both, and at one of them alone."""
    return table({("a", "b"): both, ("a", "-"): left - both, ("-", "b"): right})


def test_0_to_10_people_in_common_look_alike() -> None:
    for both in range(11):
        assert told(two(both), INNER) == {}


def test_0_to_10_people_left_out_look_alike() -> None:
    for both in range(90, 101):
        assert told(two(both), INNER) == {"ab": 100}
    assert told(two(89), INNER) == {"ab": 90}


def test_an_overlap_is_all_of_the_smaller_group_where_both_are_near() -> None:
    near = table({("a", "b"): 95, ("a", "-"): 8, ("-", "b"): 3})
    assert told(near, INNER, EXACT) == {"ab": 98}


def test_with_three_regions_people_missing_at_one_of_them_alone_are_no_few() -> None:
    # 300 are known in two regions, of whom 4 are not known in the third.
    known = {("a", "b", "c"): 296, ("a", "b", "-"): 4, ("a", "-", "c"): 100, ("-", "b", "-"): 500,
             ("-", "b", "c"): 100}  # fmt: skip
    assert told(table(known), shape(THREE, {0, 1, 2}, set()), EXACT) == {"abc": 300}


def test_who_is_in_two_regions_of_three_counts_where_two_are_asked() -> None:
    known = {("a", "b", "c"): 200, ("a", "b", "-"): 100, ("a", "-", "-"): 90}
    assert told(table(known), shape(THREE, {0, 1}, set()), EXACT) == {"ab-": 300}


def test_a_left_join_shows_who_is_there_and_who_is_not() -> None:
    assert told(two(40), LEFT) == {"ab": 40, "a-": 60}
    for few in range(11):
        assert told(two(few), LEFT) == {"a-": 100}
        assert told(two(100 - few), LEFT) == {"ab": 100}


def test_a_side_that_is_neither_needed_nor_told_apart_changes_nothing() -> None:
    for both in (0, 3, 50, 97, 100):
        assert told(two(both), shape(TWO, {0}, set())) == {"a-": 100}


@pytest.mark.parametrize("few", range(11))
def test_one_hidden_cell_of_a_line_hides_the_next_smallest_with_it(few: int) -> None:
    people = {
        ("F", "x"): 300, ("F", "y"): 200, ("M", "x"): 250, ("M", "y"): few,
        ("F", "-"): 400, ("M", "-"): 400, ("-", "x"): 100, ("-", "y"): 100,
    }  # fmt: skip
    grouped = shape(TWO, {0, 1}, {0, 1})
    # (M, y) would be had from all men and from all of y, if others told those.
    assert told(table(people), grouped) == {"Fx": 300} or few == -1
    assert told(table(people), grouped, DEFAULT.model_copy(update={"secondary": False})) == {
        "Fx": 300, "Fy": 200, "Mx": 250,
    }  # fmt: skip


def test_lines_with_enough_hidden_people_lose_nothing_more() -> None:
    people = {
        **{("F", each): 300 for each in "xy"},
        **{("F", each): 7 for each in "uv"},
        ("F", "-"): 500,
    }
    assert told(table(people), shape(TWO, {0, 1}, {1})) == {"Fx": 300, "Fy": 300}


def test_equally_small_cells_are_hidden_together() -> None:
    """Codes are new in each round: a choice by code would show all of them in the end."""
    people = {("F", "x"): 90, ("F", "y"): 90, ("F", "z"): 120, ("F", "u"): 3, ("F", "-"): 500}
    assert told(table(people), shape(TWO, {0, 1}, {1})) == {"Fz": 120}


def test_a_code_that_nobody_has_is_hidden_as_one_of_a_few() -> None:
    people = {("F", "x"): 90, ("F", "y"): 120, ("F", "-"): 500}
    grouped = shape(TWO, {0, 1}, {1})
    assert told(table(people), grouped) == {"Fx": 90, "Fy": 120}
    assert told(table(people, "1z"), grouped) == {"Fy": 120}


UNION = OverlapShape(TWO, frozenset({0, 1}), NO_KEYS, union=True)


@pytest.mark.parametrize("both", range(11))
def test_a_union_of_hardly_anybody_in_common_is_the_sum(both: int) -> None:
    assert told(two(both, 100, 200 - both), UNION) == {"--": 300}


def test_a_union_that_adds_a_few_people_adds_none() -> None:
    for few in range(11):
        assert told(table({("a", "b"): 60, ("a", "-"): 40, ("-", "b"): few}), UNION) == {"--": 100}
    assert told(table({("a", "b"): 60, ("a", "-"): 40, ("-", "b"): 11}), UNION) == {"--": 110}


def test_a_union_of_fewer_than_eleven_is_hidden() -> None:
    assert told(table({("a", "-"): 5, ("-", "b"): 5}), UNION) == {}


def test_the_strictest_product_decides() -> None:
    both = strictest([DEFAULT, Disclosure(min_subjects=50, round_to=10, secondary=False)])
    assert (both.min_subjects, both.round_to, both.secondary) == (50, 10, True)
    assert told(two(49), INNER, both) == {}
    assert told(two(50), INNER, both) == {"ab": 50}


_COUNT = st.one_of(st.integers(0, 30), st.integers(0, 400))


@st.composite
def tables(draw: st.DrawFn) -> dict[tuple[str, ...], int]:
    """Two regions with up to four codes each, people apart or in common."""
    left = "FMX"[: draw(st.integers(1, 3))]
    right = "uvwx"[: draw(st.integers(1, 4))]
    pairs = [(a, b) for a in (*left, "-") for b in (*right, "-") if (a, b) != ("-", "-")]
    people: dict[tuple[str, ...], int] = {pair: draw(_COUNT) for pair in pairs}
    return people if any(people.values()) else {("F", "u"): 1}


@settings(max_examples=300, deadline=None)
@given(people=tables(), optional=st.booleans())
def test_no_answer_lets_a_few_people_be_had_by_subtraction(
    people: dict[tuple[str, ...], int], optional: bool
) -> None:
    counted = table(people)
    of = shape(TWO, {0} if optional else {0, 1}, {0, 1})
    shown = {cell.codes: cell.people for cell in release_overlaps(counted, of, EXACT)}
    candidates = {cell.codes: cell.people for cell in candidate_cells(counted, of)}
    assert all(count >= 11 for count in shown.values())
    for codes, told_people in shown.items():
        # Held against the least that a smaller question tells, nobody or eleven are left out.
        left_out = [counted.margin[part] - told_people for part in parts_of(codes)]
        assert min(left_out) == 0 or min(left_out) >= 11
    for place in (0, 1):
        size = len(counted.brought[place]) + (place == 1 and optional)
        for codes in shown:
            line = [each for each in candidates if each[1 - place] == codes[1 - place]]
            seen = [each for each in line if each in shown]
            hidden = sum(candidates[each] for each in line if each not in shown)
            beside = (*codes[:place], b"", *codes[place + 1 :])
            everybody = counted.margin.get(beside, 10**9)
            # A cell that is told as all of a group leaves nobody of it to be subtracted.
            whole = any(everybody - candidates[each] < 11 for each in seen)
            assert len(seen) == size or hidden >= 11 or whole


_TWO_CELLS: dict[str, Any] = {
    "cells": (OverlapCell((b"a", b"b"), 20), OverlapCell((b"a", b""), 5)),
    "margins": (OverlapCell((b"a", b""), 25), OverlapCell((b"", b"b"), 20)),
    "brought": ({b"a": 30}, {b"b": 20}),
}


def test_counts_that_can_be_are_read() -> None:
    assert OverlapTable(**_TWO_CELLS).margin == {(b"a", b""): 25, (b"", b"b"): 20}


@pytest.mark.parametrize(
    "wrong",
    [
        {"cells": (OverlapCell((b"a", b"c"), 20),)},  # nobody brought c
        {"cells": (OverlapCell((b"b", b"a"), 20),)},
        {"cells": (OverlapCell((b"", b""), 20),)},
        {"cells": (OverlapCell((b"a",), 20),)},
        {"cells": (OverlapCell((b"a", b"b"), 21),)},  # more than were brought
        {"cells": (OverlapCell((b"a", b"b"), 0), OverlapCell((b"a", b""), 5))},
        {"cells": (OverlapCell((b"a", b"b"), 10), OverlapCell((b"a", b"b"), 10))},
        {"margins": (OverlapCell((b"a", b""), 25),)},  # one is kept back
        {"margins": (OverlapCell((b"a", b""), 26), OverlapCell((b"", b"b"), 20))},  # too large
        {"margins": (OverlapCell((b"a", b""), 19), OverlapCell((b"", b"b"), 20))},  # too small
        {"margins": (OverlapCell((b"a", b""), 25),) * 2 + (OverlapCell((b"", b"b"), 20),)},
        {"margins": (OverlapCell((b"a", b"b"), 20),)},
        {"cells": ()},
    ],
)
def test_counts_that_cannot_be_of_what_was_brought_end_the_round(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unverified) as refused:
        OverlapTable(**(_TWO_CELLS | wrong))
    assert refused.value.code == "overlap-counts"
