"""From a side's rows to its subjects with their match keys, and to cells. Whole columns, pure.

Match keys are guessable (all identity numbers hash in seconds): what is here never leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataspace.errors import Malformed
from dataspace.linkage.match_keys import Slots, slots
from dataspace.linkage.match_lists import MatchList, served
from dataspace.linkage.rounds import MAX_BATCHES
from dataspace.query.partials import KeyValue, identity_of
from node.linking.inputs import Ints

Labels = tuple[KeyValue, ...]  # one a key of the side


@dataclass(frozen=True)
class Selected:
    """Subjects with one slot for each list of the round; cells by labels, as rows of `known`."""

    known: Slots
    labels: list[Labels]
    subjects: list[Ints]


def select(
    rows: pa.Table, identities: pa.Table, kinds: Sequence[str], lists: Sequence[MatchList]
) -> Selected:
    """Of `rows` (person, keys …; distinct) and `identities` (person, one column a kind).

    A list that the product does not serve, and a subject that no identity row speaks of, have
    empty slots. Raises `Malformed` (`linkage-cells`) for more groups than a round may have.
    """
    people = pc.unique(rows.column(0))
    own = _slots_of(identities, kinds, lists)
    at = pc.index_in(people, value_set=own.subjects).fill_null(-1)
    places = at.to_numpy(zero_copy_only=False).astype(np.int64)
    labels, cells = _cells(rows)
    index = pc.index_in(rows.column(0), value_set=people)
    person = index.to_numpy(zero_copy_only=False).astype(np.int64)
    return Selected(_aligned(own, people, places, lists), labels, [person[each] for each in cells])


def _slots_of(identities: pa.Table, kinds: Sequence[str], lists: Sequence[MatchList]) -> Slots:
    columns: dict[str, list[pa.ChunkedArray]] = {
        kind: [identities.column(number)] for number, kind in enumerate(kinds, start=1)
    }
    return slots(identities.column(0), columns, served(lists, kinds), values_per_list=1)


def _aligned(own: Slots, people: pa.Array, places: Ints, lists: Sequence[MatchList]) -> Slots:
    """One row for each of `people`, one slot for each of `lists`."""
    count = len(people)
    digests = np.zeros((count, len(lists), 32), np.uint8)
    present = np.zeros((count, len(lists)), np.bool_)
    known = places >= 0
    for slot, one in enumerate(own.lists):
        where = list(lists).index(one)
        digests[known, where] = own.digests[places[known], slot]
        present[known, where] = own.present[places[known], slot]
    serves = np.arange(len(lists), dtype=np.int64)
    return Slots(people, tuple(lists), serves, digests, present)


def _cells(rows: pa.Table) -> tuple[list[Labels], list[Ints]]:
    """The labels of each group, and its rows. Without keys there is one group, of everybody."""
    keys = rows.num_columns - 1
    if not keys:
        return [()], [np.arange(rows.num_rows, dtype=np.int64)]
    groups: dict[object, tuple[Labels, list[int]]] = {}
    columns = [column.to_pylist() for column in rows.columns[1:]]
    for row, labels in enumerate(zip(*columns, strict=True)):
        groups.setdefault(identity_of(labels), (labels, []))[1].append(row)
    if len(groups) > MAX_BATCHES:
        raise Malformed(
            f"this groups into more than {MAX_BATCHES:,} cells at one region; group by less",
            code="linkage-cells",
        )
    if not groups:  # so that a node has something to bring
        return [(None,) * keys], [np.zeros(0, np.int64)]
    found = list(groups.values())
    return [labels for labels, _ in found], [np.array(own, np.int64) for _, own in found]
