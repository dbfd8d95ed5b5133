"""Distinct human beings in each combination of groups, over a resolution.

A row has one code, its group; a human being is counted once in every combination of codes
that their rows have. Applies no threshold: what is counted here is not released here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from dataspace.linkage.matches import matches
from dataspace.linkage.resolving import Resolution
from dataspace.linkage.tokens import Ints

ABSENT = -1
"""The code of a side where a human being has no row (left joins)."""


@dataclass(frozen=True)
class Counts:
    """`codes` has shape (cells, sides), sorted; `people` the distinct human beings in each."""

    codes: Ints
    people: Ints


def joint_counts(
    resolution: Resolution, codes: Sequence[Ints], *, optional: Sequence[int] = ()
) -> Counts:
    """Who stands at all sides, by codes; at `optional` ones they may be absent (left join).

    `codes[side][row]`, from 0. The first side is never optional.
    """
    people, cells = _distinct(resolution.people[0], codes[0])
    table = cells[:, None]
    for side in range(1, len(codes)):
        theirs, cells = _distinct(resolution.people[side], codes[side])
        rows, found = matches(people, theirs)
        joined = np.column_stack([table[rows], cells[found]])
        kept = people[rows]
        if side in optional:
            alone = np.ones(len(people), np.bool_)
            alone[rows] = False
            missing = np.full(int(alone.sum()), ABSENT, np.int64)
            joined = np.concatenate([joined, np.column_stack([table[alone], missing])])
            kept = np.concatenate([kept, people[alone]])
        people, table = kept, joined
    return _counted(table)


def union_counts(resolution: Resolution, codes: Sequence[Ints]) -> Counts:
    """Who stands at any side, by code: one human being once, wherever their rows are."""
    _, cells = _distinct(np.concatenate(resolution.people), np.concatenate(codes))
    return _counted(cells[:, None])


def outer_counts(resolution: Resolution, codes: Sequence[Ints]) -> Counts:
    """Everybody, once in each combination of their codes; `ABSENT` where a side has no row."""
    everyone = np.arange(resolution.count, dtype=np.int64)
    whole = Resolution((everyone, *resolution.people), resolution.count, ())
    counted = joint_counts(
        whole, [np.zeros_like(everyone), *codes], optional=range(1, len(codes) + 1)
    )
    return Counts(counted.codes[:, 1:], counted.people)


def margin_counts(resolution: Resolution, codes: Sequence[Ints]) -> Counts:
    """How many have the codes of some sides but not all, wherever else they stand: of each
    side alone and, where there are three, of each two. `ABSENT` where a side is not asked."""
    tables, people = [np.zeros((0, len(codes)), np.int64)], [np.zeros(0, np.int64)]
    for size in range(1, len(codes)):
        for some in combinations(range(len(codes)), size):
            part = Resolution(tuple(resolution.people[at] for at in some), resolution.count, ())
            counted = joint_counts(part, [codes[at] for at in some])
            table = np.full((len(counted.people), len(codes)), ABSENT, np.int64)
            table[:, some] = counted.codes
            tables.append(table)
            people.append(counted.people)
    return Counts(np.concatenate(tables), np.concatenate(people))


def _distinct(people: Ints, codes: Ints) -> tuple[Ints, Ints]:
    pairs = np.unique(np.stack([people, codes], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _counted(table: npt.NDArray[np.int64]) -> Counts:
    cells, people = np.unique(table, axis=0, return_counts=True)
    return Counts(cells, people.astype(np.int64))
