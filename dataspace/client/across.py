"""A member's question across regions: made ready to be signed, and read when it is answered.

Draws the key that its labels are sealed to; sends nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from dataspace.errors import Malformed, Refused
from dataspace.evidence.offers import RegionOffer
from dataspace.evidence.overlap_releases import CheckedOverlap
from dataspace.evidence.overlap_sides import offers_of, sides_offered, union_regions
from dataspace.evidence.overlaps import open_labels
from dataspace.linkage.sealing import HYBRID, SEED_BYTES, SealingKey
from dataspace.query.combine import Answer
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.questions import parse_question, union_question
from dataspace.query.tabulate import tabulate
from dataspace.query.tree import Query
from dataspace.v1 import query_pb2, sealing_pb2

UNION = "union"


@dataclass(frozen=True)
class AcrossQuestion:
    """`query` is unbound; `bound` is None where a rule of the catalogue refuses it, which is for
    the broker and the nodes to say and to record."""

    query: OverlapQuery
    bound: OverlapQuery | None
    union: bool
    tier: str
    key: SealingKey = field(
        default_factory=lambda: SealingKey.from_seed(
            HYBRID, secrets.token_bytes(SEED_BYTES[HYBRID])
        )
    )

    @classmethod
    def of(
        cls, question: Query | OverlapQuery, offers: Sequence[RegionOffer], distinct: str, tier: str
    ) -> AcrossQuestion:
        """Of a parsed question. Raises `Malformed` where it is none, or has no sides."""
        union = distinct == UNION
        if isinstance(question, Query):
            regions = union_regions(question.sources[0].product, offers)
            question = union_question(question, regions)
        elif union:
            raise Malformed("a union names no region; leave --distinct out", code="overlap-union")
        sides = sides_offered(question, offers)
        bound = None
        with suppress(Refused):
            bound = bind_overlap(question, *offers_of(sides))
        return cls(question, bound, union, tier)

    def fill(self, request: query_pb2.QueryRequest) -> None:
        """What a request says of it beside its SQL."""
        request.distinct_union = self.union
        request.tier = self.tier
        public = self.key.public
        key = sealing_pb2.SealingPublicKey(kind=public.kind, data=public.data)
        request.reply_key.CopyFrom(key)

    def answer(self, bound: OverlapQuery, checked: CheckedOverlap) -> Answer:
        """The verified release as an answer, with labels. Raises `Unverified`."""
        labels = {
            region: open_labels(checked.sealed_labels(region), share, self.key)
            for region, share in checked.shares.items()
        }
        unused = {slot: None for share in checked.shares.values() for slot in share.unused}
        return tabulate(checked.cells, labels, bound, list(unused))


def across(sql: str, distinct: str, tier: str) -> Query | OverlapQuery | None:
    """The parsed question, where it needs a round; None where it is for each region alone.

    Raises `Malformed`, also where `distinct` or `tier` is unknown or has nothing to act on.
    """
    if distinct not in {"", UNION}:
        raise Malformed(f"--distinct takes {UNION}", code="usage")
    question = parse_question(sql)
    if isinstance(question, OverlapQuery) or distinct:
        return question
    if tier:
        raise Malformed(
            "a tier is how people are recognised across regions; leave it out here", code="usage"
        )
    return None
