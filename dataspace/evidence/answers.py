"""Checking what a node handed back: signature, signer, request, receipt. Pure.

The broker and the client run this same code; neither relies on the other's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dataspace.audit.entries import Entry
from dataspace.audit.notes import parse_vkey
from dataspace.audit.receipts import verify_receipt
from dataspace.errors import KINDS, DataspaceError, Unavailable, Unverified
from dataspace.identity.envelopes import Opened, open_envelope, payload_type_of
from dataspace.identity.names import ActorUri
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import (
    agreement_pb2,
    audit_pb2,
    charter_pb2,
    consent_pb2,
    emergency_pb2,
    evidence_pb2,
    existence_pb2,
    linkage_pb2,
    query_pb2,
    record_pb2,
    sealing_pb2,
)

Body = (
    query_pb2.Partial
    | linkage_pb2.OverlapPartial
    | query_pb2.Explanation
    | query_pb2.Refusal
    | audit_pb2.AuditAnswer
    | evidence_pb2.EvidencePart
    | agreement_pb2.AgreementAnswer
    | consent_pb2.ConsentAnswer
    | emergency_pb2.ReviewAnswer
    | existence_pb2.ExistenceTerms
    | existence_pb2.ExistenceAnswer
    | sealing_pb2.SealingKeyAnswer
    | charter_pb2.GovernanceAnswer
    | charter_pb2.CharterApplied
    | record_pb2.RecordAnswer
    | record_pb2.RecordReply
)

# What a node, or the broker for its own log, may sign as an answer, by payload type.
BODIES: Mapping[str, type[Body]] = {
    payload_type_of(kind): kind
    for kind in (
        query_pb2.Partial,
        linkage_pb2.OverlapPartial,
        query_pb2.Explanation,
        query_pb2.Refusal,
        audit_pb2.AuditAnswer,
        evidence_pb2.EvidencePart,
        agreement_pb2.AgreementAnswer,
        consent_pb2.ConsentAnswer,
        emergency_pb2.ReviewAnswer,
        existence_pb2.ExistenceTerms,
        existence_pb2.ExistenceAnswer,
        sealing_pb2.SealingKeyAnswer,
        charter_pb2.GovernanceAnswer,
        charter_pb2.CharterApplied,
        record_pb2.RecordAnswer,
        record_pb2.RecordReply,
    )
}


@dataclass(frozen=True)
class CheckedAnswer:
    """One party's verified answer: a signed yes of some kind, or a signed no."""

    region: str
    body_sha256: bytes
    body: Body

    @property
    def partial(self) -> query_pb2.Partial | None:
        """The share of an answer, if it is that."""
        return self.body if isinstance(self.body, query_pb2.Partial) else None

    @property
    def overlap(self) -> linkage_pb2.OverlapPartial | None:
        """The share of an overlap, if it is that."""
        return self.body if isinstance(self.body, linkage_pb2.OverlapPartial) else None

    @property
    def released(self) -> query_pb2.Partial | linkage_pb2.OverlapPartial | None:
        """The share of an answer of either kind."""
        return self.partial if self.partial is not None else self.overlap

    @property
    def products(self) -> tuple[str, ...]:
        """What a share is of."""
        if self.overlap is not None:
            return (self.overlap.product,)
        return tuple(self.partial.products) if self.partial is not None else ()

    @property
    def explanation(self) -> query_pb2.Explanation | None:
        """What would be decided, if it is that."""
        return self.body if isinstance(self.body, query_pb2.Explanation) else None

    @property
    def refusal(self) -> query_pb2.Refusal | None:
        """The signed no, if it is that."""
        return self.body if isinstance(self.body, query_pb2.Refusal) else None


def check_answer(
    answer: query_pb2.NodeAnswer, region: str, request_sha256: bytes, trust: TrustList, now_ms: int
) -> CheckedAnswer:
    """Verify a node's answer, or with `region` "broker" the broker's own.

    Raises `Unverified` naming the region where it does not hold.
    """
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    kind = BODIES.get(answer.body.payload_type, query_pb2.Refusal)
    try:
        opened: Opened[Body] = open_envelope(answer.body, kind, trust, at)
    except DataspaceError as error:
        raise Unverified(
            f"the answer of {region} does not verify: {error.args[0]}", code=error.code
        ) from None
    body = opened.message
    if not _speaks_for(opened.signer.uri, region, trust) or body.region != region:
        raise Unverified(
            f"an answer for {region} that its node did not sign; do not use it",
            code="partial-signer",
        )
    if body.request_sha256 != request_sha256:
        raise Unverified(f"the answer of {region} is to another request", code="partial-request")
    check_receipt(answer.receipt, region, opened.payload_sha256, trust)
    return CheckedAnswer(region, opened.payload_sha256, body)


def _speaks_for(uri: ActorUri, region: str, trust: TrustList) -> bool:
    if region == BROKER:
        return uri in {broker.uri for broker in trust.brokers}
    return uri.role == "node" and uri.region == region


def check_receipt(
    receipt: query_pb2.Receipt, owner: str, body_sha256: bytes, trust: TrustList
) -> None:
    """That `owner` recorded the digest of this body in its log. Raises `Unverified`."""
    keys = {log.origin: log.vkey for log in trust.logs_of(owner)}
    if receipt.origin not in keys:
        raise Unverified(
            f"the receipt of {owner} names a log that is not in the trust list",
            code="receipt-origin",
        )
    verify_receipt(
        receipt.entry,
        receipt.index,
        tuple(receipt.inclusion),
        receipt.checkpoint,
        parse_vkey(keys[receipt.origin]),
    )
    entry = Entry.from_bytes(receipt.entry)
    if entry.fields.get("body_sha256") != body_sha256.hex():
        raise Unverified(
            f"{owner} recorded another answer than the one it sent", code="receipt-body"
        )


def status_of(error: DataspaceError) -> query_pb2.ErrorStatus:
    """An error on the wire: kind, codes and the message for people; nothing else."""
    return query_pb2.ErrorStatus(
        error=error.kind,
        code=error.code,
        rule=error.rule,
        basis=error.basis,
        message=error.message,
    )


def error_of(status: query_pb2.ErrorStatus) -> DataspaceError:
    """The error that a wire status stands for."""
    kind = KINDS.get(status.error, Unavailable)
    return kind(status.message, code=status.code, rule=status.rule, basis=status.basis)
