"""What came of a question, as its asker hears it: proofs that follow, and who is missing. Rim."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from dataspace.errors import DataspaceError, Unavailable, Unverified
from dataspace.evidence.answers import check_receipt, error_of
from dataspace.evidence.cosigned import check_cosigned, receipts_of
from dataspace.evidence.overlap_releases import CheckedOverlap
from dataspace.evidence.releases import GIVEN_UP, CheckedRelease
from dataspace.identity.envelopes import open_envelope
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import query_pb2


def cosigned_in(
    call: Any, events: Iterator[query_pb2.QueryEvent], seconds: float
) -> query_pb2.Cosigned | None:
    """What witnesses say of a release, if it comes in time; a broker that has none is silent."""
    timer = threading.Timer(seconds, call.cancel)
    timer.start()
    try:
        with suppress(DataspaceError):
            for event in events:
                if event.WhichOneof("event") == "cosigned":
                    return event.cosigned
    finally:
        timer.cancel()
    return None


def check_if_cosigned(
    bundle: query_pb2.ReleaseBundle, cosigned: query_pb2.Cosigned | None, trust: TrustList
) -> None:
    """Verify what witnesses said of a release, where they did. Raises `Unverified`."""
    if cosigned is not None:
        check_cosigned(receipts_of(bundle), cosigned, trust)


def require_regions(checked: CheckedRelease | CheckedOverlap, require: str) -> None:
    """Raise what a region said, where the caller requires it."""
    missing = [node for node in checked.release.nodes if node.status != "released"]
    if not missing or (require == "any" and len(missing) < len(checked.release.nodes)):
        return
    for node in missing:
        answer = checked.answers.get(node.region)
        if answer is not None and answer.refusal is not None:
            error = error_of(answer.refusal.status)
            error.args = (f"{node.region}: {error.args[0]}",)
            raise error
    # A region that was only left by another says least.
    node = min(missing, key=lambda each: GIVEN_UP in each.reason)
    if node.status == "unverified":
        raise Unverified(f"{node.region}: {node.reason}", code="node-unverified")
    raise Unavailable(
        f"{node.region}: {node.reason}; ask again, or with --require any", code="node-unavailable"
    )


def refusal_in(
    answer: query_pb2.NodeAnswer, request_sha256: bytes, trust: TrustList, now_ms: int
) -> DataspaceError:
    """The broker's own no, once it is certain that it is the broker's."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    opened = open_envelope(answer.body, query_pb2.Refusal, trust, at)
    brokers = {broker.uri for broker in trust.brokers}
    if opened.signer.uri not in brokers or opened.message.request_sha256 != request_sha256:
        return Unverified("a refusal that the broker did not sign", code="refusal-signer")
    check_receipt(answer.receipt, BROKER, opened.payload_sha256, trust)
    return error_of(opened.message.status)
