"""Consents from a member's side: asks a node, and verifies each receipt it shows. Rim."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from dataspace.client.session import Session
from dataspace.errors import Unverified
from dataspace.evidence.consenting import scope_of
from dataspace.identity.envelopes import open_envelope
from dataspace.linkage.documents import Document
from dataspace.policy.consents import Scope
from dataspace.processes import now_ms
from dataspace.v1 import consent_pb2


@dataclass(frozen=True)
class Shown:
    """One consent, of a receipt that the node signed; the withdrawal is the node's word."""

    id: str
    scope: Scope
    issued_by: str
    given_ms: int
    withdrawn_ms: int

    @property
    def recipient(self) -> str:
        """REGION or REGION/MEMBER."""
        return "/".join(filter(None, (self.scope.region, self.scope.member)))

    def standing(self, at_ms: int) -> str:
        """`given`, `withdrawn` or `over`."""
        if self.withdrawn_ms:
            return "withdrawn"
        return "given" if at_ms < self.scope.expires_ms else "over"


def consent_request(
    document: str, recipient: str, purposes: Collection[str], categories: Collection[str],
    expires_ms: int,
) -> consent_pb2.ConsentRequest:  # fmt: skip
    """To give consent for the person of a document, to REGION or REGION/MEMBER."""
    person = Document.parse(document)
    region, _, member = recipient.partition("/")
    scope = consent_pb2.ConsentScope(
        region=region, member=member, purposes=sorted(set(purposes)),
        categories=sorted(set(categories)), expires_ms=expires_ms,
    )  # fmt: skip
    act = consent_pb2.ConsentGive(
        document_kind=person.kind, document_number=person.number, scope=scope
    )
    return consent_pb2.ConsentRequest(give=act)


def ask_consents(
    session: Session, region: str, request: consent_pb2.ConsentRequest
) -> tuple[Shown, ...]:
    """What a region's node answers to an act or a look; raises what it refuses."""
    (answer,) = session.audit(request, [region])
    answer.require()
    body = answer.answer.body if answer.answer is not None else None
    if not isinstance(body, consent_pb2.ConsentAnswer):
        raise Unverified(f"{region} answers with another kind", code="consent-answer")
    return tuple(_read(session, region, each) for each in body.held)


def _read(session: Session, region: str, held: consent_pb2.ConsentHeld) -> Shown:
    # A receipt may outlive the node's certificate: it is judged by the list that is in force.
    at = datetime.fromtimestamp(now_ms() / 1000, UTC)
    opened = open_envelope(held.receipt, consent_pb2.ConsentReceipt, session.trust, at)
    uri = opened.signer.uri
    if uri.role != "node" or uri.region != region:
        raise Unverified(f"a receipt that {region}'s node did not sign", code="consent-answer")
    receipt = opened.message
    return Shown(
        id=receipt.consent,
        scope=scope_of(receipt.scope),
        issued_by=receipt.issued_by,
        given_ms=receipt.given_ms,
        withdrawn_ms=held.withdrawn_ms,
    )
