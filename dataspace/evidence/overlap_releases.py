"""Checking the release of a question across regions whole, without its labels. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from dataspace.errors import Unverified
from dataspace.evidence.answers import CheckedAnswer
from dataspace.evidence.overlaps import answer_digest, read_overlap
from dataspace.evidence.releases import check_answers, open_release
from dataspace.identity.trustlist import TrustList
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_cells import OverlapCell, OverlapShare, combine_overlap
from dataspace.v1 import linkage_pb2, query_pb2


@dataclass(frozen=True)
class CheckedOverlap:
    """A verified release: the cells as combined here, each node's share and outcome.

    There are cells where every region has a share, and otherwise none.
    """

    release: query_pb2.Release
    release_sha256: bytes
    cells: tuple[OverlapCell, ...]
    shares: Mapping[str, OverlapShare]
    answers: Mapping[str, CheckedAnswer]

    def sealed_labels(self, region: str) -> bytes:
        """What a region sealed to the requester."""
        partial = self.answers[region].overlap
        return b"" if partial is None else partial.labels_sealed


def check_overlap(
    bundle: query_pb2.ReleaseBundle,
    query: OverlapQuery,
    request_sha256: bytes,
    trust: TrustList,
    now_ms: int,
) -> CheckedOverlap:
    """Verify everything in a release. Raises `Unverified` naming what does not hold."""
    release, digest = open_release(bundle, request_sha256, trust, now_ms)
    times = dict.fromkeys(query.regions, now_ms)
    answers = check_answers(
        bundle, release, request_sha256, times, lambda _: trust, linkage_pb2.OverlapPartial
    )
    shares = shares_of(answers)
    return CheckedOverlap(release, digest, recombine(query, release, shares), shares, answers)


def shares_of(answers: Mapping[str, CheckedAnswer]) -> dict[str, OverlapShare]:
    """Each region's share, of those that released one."""
    return {
        region: read_overlap(each.overlap)
        for region, each in answers.items()
        if each.overlap is not None
    }


def recombine(
    query: OverlapQuery, release: query_pb2.Release, shares: Mapping[str, OverlapShare]
) -> tuple[OverlapCell, ...]:
    """The shares combined again, none where a region has none. Raises `Unverified` where the
    broker's answer is another."""
    whole = len(shares) == len(query.regions)
    cells = combine_overlap(query, list(shares.values())) if whole else ()
    if not hmac.compare_digest(answer_digest(cells), release.answer_sha256):
        raise Unverified(
            "the broker's answer is not what the partials combine to; do not use it",
            code="release-answer",
        )
    return cells
