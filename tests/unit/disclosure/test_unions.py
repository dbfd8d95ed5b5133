"""What is shown of unions: who adds hardly anybody adds nobody."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.disclosure.overlaps import release_overlaps
from dataspace.query.overlap_cells import OverlapShape
from dataspace.query.product import Disclosure
from tests.unit.disclosure.test_overlaps import THREE, TWO, table

EXACT = Disclosure(round_to=1)
_PEOPLE = st.one_of(st.integers(0, 30), st.integers(0, 400))


def told(people: Mapping[str, int], rules: Disclosure = EXACT) -> int | None:
    """A union's number, None where it is hidden."""
    regions = TWO if len(next(iter(people))) == 2 else THREE
    union = OverlapShape(regions, frozenset(range(len(regions))), frozenset(), union=True)
    cells = release_overlaps(table(people), union, rules)
    return cells[0].people if cells else None


@pytest.mark.parametrize("few", range(11))
@pytest.mark.parametrize("known", range(11))
def test_a_few_people_of_one_region_do_not_show_beside_all_of_another(few: int, known: int) -> None:
    both = min(few, known)
    people = {"-b": 102 - both, "ab": both, "a-": few - both}
    assert told(people) == 102
    assert told(people, Disclosure()) == 100


@settings(max_examples=300, deadline=None)
@given(
    people=st.fixed_dictionaries({"-bc": _PEOPLE, "-b-": _PEOPLE, "--c": _PEOPLE}),
    few=st.lists(st.sampled_from(["a--", "ab-", "a-c", "abc"]), max_size=10),
)
def test_a_region_that_brings_a_few_people_is_told_as_one_that_brings_none(
    people: dict[str, int], few: list[str]
) -> None:
    """Whoever they are, also among those of the other regions."""
    without = {**people, "-b-": people["-b-"] + 1}  # a table has somebody
    brought = dict(without)
    for codes in few:
        others = "-" + codes[1:]
        if others != "---":
            if not brought[others]:
                continue
            brought[others] -= 1
        brought[codes] = brought.get(codes, 0) + 1
    assert told(brought) == told(without)


def test_a_union_of_small_regions_alone_shows_nothing() -> None:
    assert told({"a--": 10, "-b-": 10, "--c": 10}) is None


def test_what_regions_asked_alone_would_be_told_is_told_of_them_here() -> None:
    apart = {"a--": 95, "ab-": 5, "-b-": 195}
    assert told({**apart, "a-c": 12, "--c": 3}) == told({"a-": 107, "ab": 5, "-b": 195})
