"""The sides of a round as one row of nodes, and who meets whom by one match list.

`person[node]` is the least node known to be the same human being; it starts with every
tuple a person of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt

from dataspace.errors import Malformed
from dataspace.linkage.tokens import Ints, Tokens, first_equal, shared

Flags = npt.NDArray[np.bool_]

OWN = -1
"""Served by a slot that holds a subject's own random token."""


@dataclass(frozen=True)
class Side:
    """One region's tuples, shape (rows, slots, 32); `serves[slot]` is a list's place.

    Tuples are different subjects, unless a slot that serves `OWN` says otherwise: a token
    drawn once for each subject, for rounds where a subject stands in several batches. Equal
    tuples alone would not do: two people may agree in all that they have.

    Raises `Malformed` (code `tokens`) for other shapes.
    """

    tokens: Tokens
    serves: Ints

    def __post_init__(self) -> None:
        shape = self.tokens.shape
        if len(shape) != 3 or shape[2] != 32 or shape[1] != len(self.serves):
            raise Malformed("tokens come in tuples of one slot for each served list", code="tokens")

    def __len__(self) -> int:
        return len(self.tokens)

    def subjects(self) -> Ints:
        """For each tuple the first one of the same subject."""
        own = np.flatnonzero(self.serves == OWN)
        if not len(own):
            return np.arange(len(self), dtype=np.int64)
        return first_equal(self.tokens[:, own[0]])


@dataclass(frozen=True)
class Meeting:
    """(group, person) pairs, each once, by group: whose tokens of one list are equal."""

    groups: Ints
    people: Ints

    def kept(self, pairs: Flags) -> Meeting:
        """Only those pairs."""
        return Meeting(self.groups[pairs], self.people[pairs])


@dataclass(frozen=True)
class Nodes:
    """All rows of all sides, numbered through."""

    sides: tuple[Side, ...]

    @cached_property
    def starts(self) -> Ints:
        """Where each side begins, and where the last one ends."""
        return np.cumsum([0, *map(len, self.sides)], dtype=np.int64)

    def distinct(self) -> Ints:
        """Everyone apart, but for tuples of one side with the same `OWN` token."""
        parts = [
            side.subjects() + start for side, start in zip(self.sides, self.starts, strict=False)
        ]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def parted(self, values: Ints) -> tuple[Ints, ...]:
        """One value a node as one array a side."""
        return tuple(np.split(values, self.starts[1:-1]))

    def held(self, person: Ints) -> Flags:
        """At which sides a person stands, shape (nodes, sides)."""
        held = np.zeros((len(person), len(self.sides)), np.bool_)
        for side, people in enumerate(self.parted(person)):
            held[people, side] = True
        return held

    def matches(self, person: Ints) -> int:
        """Pairs of sides at which a person stands, summed over people."""
        held = self.held(person)
        return sum(
            int(np.count_nonzero(held[:, left] & held[:, right]))
            for left, right in combinations(range(len(self.sides)), 2)
        )

    def meeting(self, person: Ints, place: int) -> Meeting:
        """Who shares a token of the list at `place`, in any of its slots."""
        tokens, nodes = [np.zeros((0, 32), np.uint8)], [np.zeros(0, np.int64)]
        for side, start in zip(self.sides, self.starts, strict=False):
            for slot in np.flatnonzero(side.serves == place):
                tokens.append(side.tokens[:, slot])
                nodes.append(np.arange(start, start + len(side)))
        rows, groups = shared(np.concatenate(tokens))
        pairs = np.stack([groups, person[np.concatenate(nodes)[rows]]], axis=1)
        pairs = np.unique(pairs, axis=0)
        return Meeting(pairs[:, 0], pairs[:, 1])

    def chance(self, person: Ints, meeting: Meeting) -> float:
        """How many matches across sides a list would make by chance, at most.

        People of one side who share a token are different people. With `f` and `g` people
        of two sides who have a token, chance makes `sum(f g)` matches, which is at most
        `sqrt(sum(f^2) sum(g^2))` (Cauchy and Schwarz); the squares follow from the pairs
        that share within a side. Only who is not matched yet counts.
        """
        held = self.held(person)[meeting.people]
        expected = 0.0
        for left, right in combinations(range(len(self.sides)), 2):
            one = _sharing(meeting.groups[held[:, left] & ~held[:, right]])
            other = _sharing(meeting.groups[held[:, right] & ~held[:, left]])
            expected += 2 * float(np.sqrt(one * other))
        return expected


def _sharing(groups: Ints) -> int:
    """How many pairs share a group."""
    size = np.bincount(groups)
    return int((size * (size - 1) // 2).sum())
