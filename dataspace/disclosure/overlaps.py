"""Which overlaps between regions may be shown, and at what precision. Pure.

Every node of a round runs this over the same counts and the same settings, the strictest of
all products involved, and comes to the same cells: what one hid and another showed would be
shown. k is `min_subjects`.

1. A cell of 0 to k-1 people is not there at all.
2. Where a cell comes within k-1 people of all those whom a smaller question counts, it shows
   as all of them: 0 to k-1 people who are in one region and *not* in the other look alike.
   In a union, 0 to k-1 people in common, or added by regions, look alike; a region that brings
   0 to k-1 is told as one that brings nobody.
3. What is hidden in a line (all codes of one region beside the same codes of the others) must
   be k people or more, or the line's smallest shown cells are hidden with it.
4. Counts are rounded.

Leaves differencing over several questions open: nodes cannot see who matched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from dataspace.disclosure.rounding import round_count
from dataspace.query.overlap_cells import (
    ABSENT,
    Codes,
    OverlapCell,
    OverlapShape,
    OverlapTable,
    candidate_cells,
    parts_of,
)
from dataspace.query.product import Disclosure


def release_overlaps(
    table: OverlapTable, shape: OverlapShape, settings: Disclosure
) -> tuple[OverlapCell, ...]:
    """The cells that may be shown, rounded, by codes. `settings` are `settings.strictest`."""
    candidates = candidate_cells(table, shape)
    if shape.union:
        people = _whole_union(range(len(shape.regions)), table, settings)
        rounded = round_count(people, settings.round_to)
        return tuple(OverlapCell(each.codes, rounded) for each in candidates if people)
    # INVARIANT: 0 to k-1 people leave no trace.
    shown = {each.codes: each.people for each in candidates if _enough(each.people, settings)}
    if settings.secondary:
        _hide_beside(shown, candidates, table, shape, settings)
    return tuple(
        OverlapCell(codes, round_count(_whole(codes, people, table, shape, settings),
                                       settings.round_to))
        for codes, people in sorted(shown.items())
    )  # fmt: skip


def _enough(people: int, settings: Disclosure) -> bool:
    return people >= settings.min_subjects


def _whole(
    codes: Codes, people: int, table: OverlapTable, shape: OverlapShape, settings: Disclosure
) -> int:
    """A cell's people, or all whom a smaller question counts where hardly anybody is left out.

    SECURITY: how many of a group are known elsewhere, held against the group's own size, tells
    how many are not; one person who is not would be singled out as one who is.
    """
    kept = {place for place in shape.kept if codes[place] != ABSENT}
    smaller = [
        part for part in parts_of(codes)
        if part != codes or kept != shape.kept  # who is absent is part of what is asked
    ]  # fmt: skip
    if not smaller:
        return people
    nearest = min(smaller, key=lambda part: (table.margin[part], part))
    if _enough(table.margin[nearest] - people, settings):
        return people
    # That smaller question, asked alone, is told in the same way.
    inner = OverlapShape(shape.regions, _present(nearest), _present(nearest))
    return _whole(nearest, table.margin[nearest], table, inner, settings)


def _present(codes: Codes) -> frozenset[int]:
    return frozenset(place for place, code in enumerate(codes) if code != ABSENT)


def _whole_union(places: Sequence[int], table: OverlapTable, settings: Disclosure) -> int:
    """All human beings, or as many as there were if small parts were none; 0 shows nothing."""
    alone = {place: _at_any(table, [place]) for place in places}
    # SECURITY: one who asks for few people of a region beside all of another would see them
    # added to a number that is known.
    large = [place for place in places if _enough(alone[place], settings)]
    if len(large) < len(alone):
        return _whole_union(large, table, settings)
    people, each_alone = _at_any(table, large), sum(alone.values())
    if not _enough(each_alone - people, settings):
        return each_alone  # 0 to k-1 are in common
    near = [
        some
        for size in range(1, len(large))
        for some in combinations(large, size)
        if not _enough(people - _at_any(table, some), settings)
    ]
    if not near:
        return people
    # Those regions, asked alone, are told in the same way.
    fewest = min(near, key=lambda some: (_at_any(table, some), some))
    return _whole_union(fewest, table, settings)


def _at_any(table: OverlapTable, places: Sequence[int]) -> int:
    return sum(
        cell.people for cell in table.cells if any(cell.codes[at] != ABSENT for at in places)
    )


def _hide_beside(
    shown: dict[Codes, int],
    candidates: Sequence[OverlapCell],
    table: OverlapTable,
    shape: OverlapShape,
    settings: Disclosure,
) -> None:
    """Hide cells beside hidden ones until no line gives few people away, in place."""
    sizes = {
        place: len(table.brought[place]) + (place not in shape.required) for place in shape.keyed
    }
    lines = _lines(candidates, shape)
    changed = True
    while changed:
        changed = False
        for place, beside, cells in lines:
            hidden = sum(people for codes, people in cells.items() if codes not in shown)
            rest = {codes: people for codes, people in cells.items() if codes in shown}
            # A code that nobody in the line has is a hidden cell of nobody.
            if any(_is_all(people, beside, table, settings) for people in rest.values()):
                continue  # one cell is told as everybody: nobody is left to be subtracted
            if rest and len(rest) < sizes[place] and not _enough(hidden, settings):
                # All of the smallest: codes are new in each round, and a choice among equals
                # would show another one each time.
                least = min(rest.values())
                for codes in [codes for codes, people in rest.items() if people == least]:
                    del shown[codes]
                changed = True


def _lines(
    candidates: Sequence[OverlapCell], shape: OverlapShape
) -> list[tuple[int, Codes, Mapping[Codes, int]]]:
    """The cells that differ in one region's code alone, for each keyed region: its place, the
    codes of the others, and people by codes."""
    lines: dict[tuple[int, Codes], dict[Codes, int]] = {}
    for place in sorted(shape.keyed):
        for cell in candidates:
            beside = (*cell.codes[:place], ABSENT, *cell.codes[place + 1 :])
            lines.setdefault((place, beside), {})[cell.codes] = cell.people
    return [(place, beside, cells) for (place, beside), cells in lines.items()]


def _is_all(people: int, of: Codes, table: OverlapTable, settings: Disclosure) -> bool:
    """Whether a cell comes so near to a margin that it is told as all of it."""
    return of in table.margin and not _enough(table.margin[of] - people, settings)
