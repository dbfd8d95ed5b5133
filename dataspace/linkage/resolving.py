"""Which subjects are the same human being, told from opaque tokens alone.

Match lists act in the order of trust; rows are *tuples*, one a subject, of 32-byte tokens,
one a slot. Empty slots hold random tokens, which equal nothing.

1. Tuples of one side with the same token in their `OWN` slot are one subject.
2. A list with a document joins whoever shares a token, within a side too: the number is
   one human being's, and who carries several documents joins what each of them joins.
3. Any other list joins across sides only, and only where nobody else is meant: in what it
   would join, each side has one person at most. Everything else stays apart.
4. SECURITY: how often people of one side share a token by chance tells how often two of
   different sides do. A list whose chance matches would exceed `CHANCE` of all matches made
   so far is left out, and named in `unused`: a common name is no proof.

Within one file (`duplicates`), step 3 joins everyone who shares a token that at most
`MOST_DUPLICATES` rows have. Nothing depends on the order of rows. Knows no names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataspace.linkage.components import components
from dataspace.linkage.match_lists import MatchList
from dataspace.linkage.matches import matches
from dataspace.linkage.sides import Flags, Meeting, Nodes, Side
from dataspace.linkage.tokens import Ints

CHANCE = 0.001
MOST_DUPLICATES = 16


@dataclass(frozen=True)
class Resolution:
    """`people[side][row]` numbers human beings from 0, without gaps, alike for all sides.

    `unused` are the places of lists that chance would have made too many matches by.
    """

    people: tuple[Ints, ...]
    count: int
    unused: tuple[int, ...]

    def pairs(self, left: int, right: int) -> Ints:
        """Rows of two sides that are one human being, shape (pairs, 2), in order of rows."""
        rows, found = matches(self.people[left], self.people[right])
        return np.stack([rows, found], axis=1)


def resolve(sides: Sequence[Side], lists: Sequence[MatchList]) -> Resolution:
    """Who is who across two or more sides. Lists in the order of trust."""
    nodes = Nodes(tuple(sides))
    person, unused, chance = nodes.distinct(), [], 0.0
    for place, one in enumerate(lists):
        meeting = nodes.meeting(person, place)
        if one.identifying:
            person = joined(person, meeting)
            continue
        sure = _unambiguous(nodes, person, meeting)
        after = joined(person, sure)
        likely = chance + nodes.chance(person, meeting)
        if likely > CHANCE * nodes.matches(after):
            unused.append(place)
        else:
            person, chance = after, likely
    return _numbered(nodes, person, unused)


def resolve_duplicates(side: Side, lists: Sequence[MatchList]) -> Resolution:
    """Who is who within one file."""
    nodes = Nodes((side,))
    person = nodes.distinct()
    for place, one in enumerate(lists):
        meeting = nodes.meeting(person, place)
        person = joined(person, meeting if one.identifying else _few(meeting))
    return _numbered(nodes, person, [])


def joined(person: Ints, meeting: Meeting) -> Ints:
    """`person` with all who meet in one group made one."""
    return _made_one(len(person), meeting)[person]


def _made_one(count: int, meeting: Meeting) -> Ints:
    groups, people = meeting.groups, meeting.people
    same = groups[1:] == groups[:-1]
    return components(count, people[:-1][same], people[1:][same])


def _few(meeting: Meeting) -> Meeting:
    size = np.bincount(meeting.groups, minlength=1)
    return meeting.kept(size[meeting.groups] <= MOST_DUPLICATES)


def _unambiguous(nodes: Nodes, person: Ints, meeting: Meeting) -> Meeting:
    """Groups with one person a side at most, alone and with what they would join."""
    held = nodes.held(person)
    meeting = meeting.kept(~_crowded(held, meeting.groups, meeting.people))
    # A person may carry several tokens, so that groups hang together.
    whole = _made_one(len(person), meeting)[meeting.people]
    return meeting.kept(~_crowded(held, whole, meeting.people))


def _crowded(held: Flags, groups: Ints, people: Ints) -> npt.NDArray[np.bool_]:
    """For each (group, person): whether the group holds two people of one side."""
    _, groups = np.unique(groups, return_inverse=True)
    pairs = np.unique(groups * np.int64(len(held)) + people)
    group, member = pairs // max(len(held), 1), pairs % max(len(held), 1)
    crowded = np.zeros(len(pairs) + 1, np.bool_)
    for side in range(held.shape[1]):
        crowded[: len(pairs)] |= np.bincount(group[held[member, side]], minlength=len(pairs)) > 1
    return crowded[groups]


def _numbered(nodes: Nodes, person: Ints, unused: Sequence[int]) -> Resolution:
    found, people = np.unique(person, return_inverse=True)
    return Resolution(nodes.parted(people.astype(np.int64)), len(found), tuple(unused))
