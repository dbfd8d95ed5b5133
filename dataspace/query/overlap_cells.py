"""Overlaps under codes: what a broker counts, and which cells a question makes of it. Pure.

Codes stand in the order of a round's regions (sorted); `ABSENT` (no bytes) in a cell says that
whoever is counted is not of that region, in a margin that the region was not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from dataspace.errors import Unverified
from dataspace.query.overlap import OverlapQuery

ABSENT = b""

Codes = tuple[bytes, ...]  # one a region


@dataclass(frozen=True)
class OverlapCell:
    """So many human beings have these codes."""

    codes: Codes
    people: int


@dataclass(frozen=True)
class OverlapShape:
    """Which combinations a question tells apart. Places are those of its sorted regions.

    `required`: who is not there is not counted. `keyed`: the side's groups are told apart.
    A side that is neither (LEFT JOIN, and no key of it) changes nothing.
    """

    regions: tuple[str, ...]
    required: frozenset[int]
    keyed: frozenset[int]
    union: bool = False

    @classmethod
    def of(cls, query: OverlapQuery) -> OverlapShape:
        """Of a question, bound or not."""
        places = {region: place for place, region in enumerate(query.regions)}
        sides = [(places[side.region], side) for side in query.sides]
        return cls(
            query.regions,
            frozenset(place for at, (place, _) in enumerate(sides) if at not in query.optional),
            frozenset(place for place, side in sides if side.keys),
            query.union,
        )

    @property
    def kept(self) -> frozenset[int]:
        """The places whose code a cell may have."""
        return self.required | self.keyed


@dataclass(frozen=True)
class OverlapTable:
    """What the broker counted in one round: everybody by combination, and margins.

    `brought` are the codes and sizes of each region's batches, as the joins fixed them. Raises
    `Unverified` (`overlap-counts`) for counts that cannot be of them.
    """

    cells: tuple[OverlapCell, ...]
    margins: tuple[OverlapCell, ...]
    brought: tuple[Mapping[bytes, int], ...]

    def __post_init__(self) -> None:
        for cell in (*self.cells, *self.margins):
            self._check(cell)
        most: dict[Codes, int] = {}
        total: dict[Codes, int] = {}
        for cell in self.cells:
            for codes in parts_of(cell.codes):
                most[codes] = max(most.get(codes, 0), cell.people)
                total[codes] = total.get(codes, 0) + cell.people
        margins = self.margin
        whole = (
            len(margins) == len(self.margins)
            and len({cell.codes for cell in self.cells}) == len(self.cells)
            and margins.keys() == most.keys()
            and all(most[each] <= margins[each] <= total[each] for each in margins)
        )
        if not whole:
            raise _impossible()

    def _check(self, cell: OverlapCell) -> None:
        fits = len(cell.codes) == len(self.brought) and cell.people > 0 and any(cell.codes)
        if not fits:
            raise _impossible()
        for code, own in zip(cell.codes, self.brought, strict=True):
            if code != ABSENT and cell.people > own.get(code, 0):
                raise _impossible()

    @cached_property
    def margin(self) -> dict[Codes, int]:
        """People by the codes of some regions."""
        return {each.codes: each.people for each in self.margins}


def parts_of(codes: Codes) -> Iterator[Codes]:
    """What is left of codes when those of one region or more are not asked."""
    present = [place for place, code in enumerate(codes) if code != ABSENT]
    for size in range(1, min(len(present), len(codes) - 1) + 1):
        for some in combinations(present, size):
            yield tuple(code if at in some else ABSENT for at, code in enumerate(codes))


def candidate_cells(table: OverlapTable, shape: OverlapShape) -> tuple[OverlapCell, ...]:
    """The cells of a question's answer, before disclosure control; never leave a node.

    A union has one, without codes. Where a side is dropped, whoever is and is not there count
    together: it has one code, so that nobody counts twice.
    """
    if shape.union:
        nobody = (ABSENT,) * len(shape.regions)
        return (OverlapCell(nobody, sum(cell.people for cell in table.cells)),)
    people: dict[Codes, int] = {}
    for cell in table.cells:
        if all(cell.codes[place] != ABSENT for place in shape.required):
            codes = tuple(
                code if at in shape.kept else ABSENT for at, code in enumerate(cell.codes)
            )
            people[codes] = people.get(codes, 0) + cell.people
    return tuple(OverlapCell(codes, people[codes]) for codes in sorted(people))


@dataclass(frozen=True)
class OverlapShare:
    """One node's share: released cells under codes, and what they were made of.

    `unused` are match lists that recognised nobody, since chance would have done so too often.
    """

    region: str
    request_sha256: bytes
    transcript: bytes
    cells: tuple[OverlapCell, ...]
    min_subjects: int
    round_to: int
    unused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        codes = [cell.codes for cell in self.cells]
        rounded = self.round_to >= 1 and all(
            cell.people > 0 and cell.people % self.round_to == 0 for cell in self.cells
        )
        if len(set(codes)) != len(codes) or not rounded:
            raise Unverified(
                f"the overlap of {self.region} is not of a form that it can have",
                code="partial-shape",
            )


def combine_overlap(query: OverlapQuery, shares: Sequence[OverlapShare]) -> tuple[OverlapCell, ...]:
    """The cells that all participants release, by codes. Broker and client run this alike.

    Raises `Unverified`, naming the region, where one is missing, is of another round, or says
    another count than the others.
    """
    by_region = {share.region: share for share in shares}
    if len(by_region) != len(shares) or tuple(sorted(by_region)) != query.regions:
        raise Unverified("not exactly the regions asked have a share", code="partial-region")
    first, *others = (by_region[region] for region in query.regions)
    for share in others:
        _check_alike(first, share)
    shape = OverlapShape.of(query)
    for cell in first.cells:
        _check_asked(first.region, cell, shape)
    counts = [{cell.codes: cell.people for cell in share.cells} for share in others]
    shown = [cell for cell in first.cells if all(cell.codes in other for other in counts)]
    for cell in shown:
        for share, other in zip(others, counts, strict=True):
            if other[cell.codes] != cell.people:
                raise _differ(first, share)
    return tuple(sorted(shown, key=lambda cell: cell.codes))


def _check_alike(first: OverlapShare, share: OverlapShare) -> None:
    if (first.request_sha256, first.transcript) != (share.request_sha256, share.transcript):
        raise Unverified(
            f"the overlap of {share.region} is of another round than {first.region}'s",
            code="partial-round",
        )
    settings = (share.min_subjects, share.round_to, share.unused)
    if (first.min_subjects, first.round_to, first.unused) != settings:
        raise _differ(first, share)


def _check_asked(region: str, cell: OverlapCell, shape: OverlapShape) -> None:
    present = {place for place, code in enumerate(cell.codes) if code != ABSENT}
    least = frozenset() if shape.union else shape.required
    most = frozenset() if shape.union else shape.kept
    if len(cell.codes) != len(shape.regions) or not least <= present <= most:
        raise Unverified(f"the overlap of {region} answers another query", code="partial-query")


def _differ(first: OverlapShare, share: OverlapShare) -> Unverified:
    return Unverified(
        f"{share.region} released another count than {first.region} for the same people",
        code="overlap-differs",
    )


def _impossible() -> Unverified:
    return Unverified(
        "the broker's counts cannot be of what the nodes brought; the round is given up",
        code="overlap-counts",
    )
