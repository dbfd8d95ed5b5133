"""What one region came to, as a release tells of it."""

from __future__ import annotations

from dataclasses import dataclass

from dataspace.evidence.answers import CheckedAnswer
from dataspace.query.overlap_cells import OverlapShare
from dataspace.query.partials import Share
from dataspace.v1 import query_pb2


@dataclass(frozen=True)
class Heard:
    """What one region came to: its answer, or why there is none."""

    region: str
    answer: query_pb2.NodeAnswer | None
    share: Share | OverlapShare | None
    outcome: query_pb2.NodeOutcome


def outcome_of(checked: CheckedAnswer) -> query_pb2.NodeOutcome:
    """What a region itself said."""
    if checked.refusal is None:
        return query_pb2.NodeOutcome(
            region=checked.region, status="released", body_sha256=checked.body_sha256
        )
    status = checked.refusal.status
    return query_pb2.NodeOutcome(
        region=checked.region,
        status=status.error,
        reason=status.message,
        body_sha256=checked.body_sha256,
    )


def silent(region: str, status: str, reason: str) -> Heard:
    """What the broker says of a region that did not answer, marked as its own word."""
    outcome = query_pb2.NodeOutcome(region=region, status=status, reason=f"{reason} (per broker)")
    return Heard(region, None, None, outcome)
