"""The broker's part of a round once every stream is in: who is the same, counted by codes. Pure.

Sees one-time pseudonyms and random codes. What is counted here is not released here: the nodes
apply thresholds, and need to know of everybody, also of those who match nobody, to do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dataspace.linkage.counting import ABSENT, Counts, margin_counts, outer_counts
from dataspace.linkage.match_lists import MatchList
from dataspace.linkage.resolving import resolve
from dataspace.linkage.ring import BlindedBatch
from dataspace.linkage.rounds import Transcript
from dataspace.linkage.sides import Side
from dataspace.linkage.tokens import Ints
from dataspace.v1 import linkage_pb2


def count_overlaps(
    transcript: Transcript,
    batches: Mapping[str, Sequence[BlindedBatch]],
    lists: Sequence[MatchList],
) -> linkage_pb2.OverlapCounts:
    """Human beings by combination of codes, and the margins. `lists` are those of the slots."""
    regions = transcript.plan.regions
    serves = np.arange(len(lists), dtype=np.int64)
    sides, codes = [], []
    for region in regions:
        own = batches[region]
        sides.append(Side(np.concatenate([each.tokens for each in own]), serves))
        sizes = [len(each.tokens) for each in own]
        codes.append(np.repeat(np.arange(len(own), dtype=np.int64), sizes))
    resolution = resolve(sides, lists)
    names = [[each.code for each in batches[region]] for region in regions]
    return linkage_pb2.OverlapCounts(
        transcript=transcript.digest,
        counts=_messages(outer_counts(resolution, codes), names),
        margins=_messages(margin_counts(resolution, codes), names),
        unused=[transcript.plan.slots[place] for place in resolution.unused],
    )


def _messages(
    counts: Counts, names: Sequence[Sequence[bytes]]
) -> Iterable[linkage_pb2.OverlapCount]:
    return [
        linkage_pb2.OverlapCount(codes=_named(row, names), people=int(people))
        for row, people in zip(counts.codes, counts.people, strict=True)
    ]


def _named(row: Ints, names: Sequence[Sequence[bytes]]) -> list[bytes]:
    return [b"" if code == ABSENT else own[code] for code, own in zip(row, names, strict=True)]
