"""What a session may ask again of another broker, when one is gone. Pure.

A look may be repeated: it is a new request, and recorded as one. What changes something may
not, nor what counts against a limit or breaks glass: whoever sent it looks before it sends more.
"""

from __future__ import annotations

from google.protobuf.message import Message

from dataspace.client.brokers import LOST
from dataspace.errors import DataspaceError, Unavailable
from dataspace.evidence.releases import PER_BROKER, UNSIGNED
from dataspace.v1 import (
    agreement_pb2,
    audit_pb2,
    charter_pb2,
    evidence_pb2,
    existence_pb2,
    query_pb2,
    sealing_pb2,
)

_LOOKS = (
    agreement_pb2.AgreementRequest,
    audit_pb2.AuditRequest,
    evidence_pb2.EvidenceRequest,
    existence_pb2.ExistenceTermsRequest,
    sealing_pb2.SealingKeyRequest,
)


def may_be_repeated(request: Message) -> bool:
    """Whether a request may be made and signed anew after it may have been delivered."""
    # What its maker bound to a nonce of its own cannot be made again here.
    if request.HasField("freshness"):
        return False
    if isinstance(request, charter_pb2.GovernanceRequest):
        return not request.HasField("submit")
    return isinstance(request, _LOOKS)


def unsure(error: DataspaceError, request: Message) -> DataspaceError:
    """What a caller hears whose broker went away under a request that is not asked again."""
    if error.code != LOST or may_be_repeated(request):
        return error
    return Unavailable(
        "the broker went away, and whether this was delivered is not known; look (`gba agreement "
        "list`, `gba consent list`, `gba audit tail`) before you send it again",
        code=LOST,
    )


def reached_nobody(event: query_pb2.QueryEvent) -> bool:
    """Whether a broker says of every region that it is away, and no region has said anything.

    It is that broker's word alone, and is not verified: it makes a client ask another broker.
    """
    match event.WhichOneof("event"):
        case "release":
            nodes = query_pb2.Release.FromString(event.release.release.payload).nodes
        case "explanations":
            nodes = event.explanations.nodes
        case _:
            return False
    return all(
        node.status in UNSIGNED and node.reason.endswith(PER_BROKER) and not node.body_sha256
        for node in nodes
    )
