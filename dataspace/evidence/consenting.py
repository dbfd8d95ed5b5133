"""A node's registry of consents: gives, withdraws, shows; each act is recorded first.

A receipt, signed by the node, is kept of each consent. It names neither the person nor the
document: a salted commitment to the person's tag stands there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dataspace.audit.entries import SALT_BYTES, FieldValue, commitment
from dataspace.errors import Malformed, Refused
from dataspace.evidence.agreeing import Record
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.looks import SUBJECT_TAGS
from dataspace.identity.envelopes import Identity, Opened, seal
from dataspace.identity.names import ActorUri
from dataspace.linkage.documents import Document
from dataspace.policy.consents import Consent, Scope, consent_state
from dataspace.v1 import consent_pb2
from dataspace.v1.envelope_pb2 import Envelope

ISSUERS = frozenset({"clinician", "operator"})
READERS = ISSUERS | {"regulator"}
_BASIS = "PIPL arts. 14, 15 and 29; PDPO (Cap. 486) Sch. 1 DPP3; Act 8/2005 art. 6"


@dataclass(frozen=True)
class Kept:
    """A consent with the receipt that the node signed, and the commitment's salt."""

    consent: Consent
    receipt: bytes = field(repr=False)
    salt: bytes = field(repr=False)


class ConsentStore(Protocol):
    """Durable, and safe for any number of threads. Raises `Unavailable` where it cannot tell."""

    def put(self, kept: Kept) -> None: ...
    def withdraw(self, consent_id: str, at_ms: int) -> None: ...
    def find(self, consent_id: str) -> Kept | None: ...
    def of_tag(self, tag: str) -> Sequence[Kept]: ...
    def all(self) -> Sequence[Kept]: ...


@dataclass(frozen=True)
class Consents:
    """One region's. `tag` makes a person's tag; `salt` fresh random bytes of a length."""

    owner: str
    identity: Identity
    store: ConsentStore
    record: Record
    tag: Callable[[Document], str]
    salt: Callable[[int], bytes]
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def kind(self) -> RequestKind:
        """What the desk answers with this."""
        return RequestKind("consent", consent_pb2.ConsentRequest, self.answer)

    def consent_state(
        self, tag: str, recipient: ActorUri, purpose: str, categories: Iterable[str], at_ms: int
    ) -> str:
        """`valid`, `expired` or `absent`, of what is kept as of now."""
        consents = [each.consent for each in self.store.of_tag(tag)]
        return consent_state(consents, recipient, purpose, categories, at_ms)

    def answer(self, opened: Opened[consent_pb2.ConsentRequest], now_ms: int) -> Made:
        """Do what a verified request says, and show what came of it."""
        request, actor = opened.message, opened.signer.uri
        act = str(request.WhichOneof("act") or "")
        allowed = READERS if act == "list" else ISSUERS
        # INVARIANT: consent is given where the record is, by those who know the patient there.
        if actor.region != self.owner or actor.role not in allowed:
            raise Refused(
                f"consents of {self.owner} are for its own {' or '.join(sorted(allowed))}",
                code="consent-issuer", rule="consent-issuer", basis=_BASIS,
            )  # fmt: skip
        with self._turn:
            match act:
                case "give":
                    found = [self._give(opened, now_ms)]
                case "withdraw":
                    found = [self._withdraw(request.withdraw.consent, opened, now_ms)]
                case "list":
                    found = self._list(request.list)
                case _:
                    raise Malformed("give, withdraw or list a consent", code="consent")
        fields: dict[str, FieldValue] = {
            "act": act,
            "consents": [each.consent.id for each in found],
        }
        tags = sorted({each.consent.tag for each in found})
        return Made(
            self._answer(opened.payload_sha256, found, now_ms), fields, {SUBJECT_TAGS: tags}
        )

    def _give(self, opened: Opened[Any], now_ms: int) -> Kept:
        give = opened.message.give
        scope = scope_of(give.scope)
        if scope.expires_ms <= now_ms:
            raise Malformed("this consent would be over already; say a later day", code="consent")
        tag = self.tag(Document(give.document_kind, give.document_number))
        salt = self.salt(SALT_BYTES)
        # The request's digest covers 16 random bytes: it tells nobody what stands in it.
        consent = Consent(opened.payload_sha256.hex()[:32], tag, scope, now_ms)
        receipt = seal(
            consent_pb2.ConsentReceipt(
                consent=consent.id,
                subject_commitment=commitment(salt, tag.encode()),
                scope=give.scope,
                issued_by=str(opened.signer.uri),
                request_sha256=opened.payload_sha256,
                given_ms=now_ms,
            ),
            self.identity,
        )
        kept = Kept(consent, receipt.SerializeToString(deterministic=True), salt)
        self._record("consent.given", kept, opened, now_ms)
        self.store.put(kept)
        return kept

    def _withdraw(self, consent_id: str, opened: Opened[Any], now_ms: int) -> Kept:
        kept = self.store.find(consent_id)
        if kept is None:
            raise _unknown()
        if not kept.consent.withdrawn_ms:
            self._record("consent.withdrawn", kept, opened, now_ms)
            self.store.withdraw(consent_id, now_ms)
        return self.store.find(consent_id) or kept

    def _list(self, asked: consent_pb2.ConsentList) -> list[Kept]:
        if asked.consent:
            kept = self.store.find(asked.consent)
            if kept is None:
                raise _unknown()
            return [kept]
        if asked.document_kind or asked.document_number:
            return list(
                self.store.of_tag(self.tag(Document(asked.document_kind, asked.document_number)))
            )
        return list(self.store.all())

    def _record(self, kind: str, kept: Kept, opened: Opened[Any], now_ms: int) -> None:
        scope, uri = kept.consent.scope, opened.signer.uri
        fields: dict[str, FieldValue] = {
            "consent": kept.consent.id,
            "recipient": "/".join(filter(None, (scope.region, scope.member))),
            "purposes": list(scope.purposes),
            "categories": list(scope.categories),
            "expires_ms": scope.expires_ms,
            "actor_region": uri.region,
            "actor_role": uri.role,
            "request_sha256": opened.payload_sha256.hex(),
        }
        context = {"actor": str(uri), SUBJECT_TAGS: [kept.consent.tag]}
        self.record(kind, now_ms, fields, context)

    def _answer(
        self, request_sha256: bytes, found: Sequence[Kept], now_ms: int
    ) -> consent_pb2.ConsentAnswer:
        return consent_pb2.ConsentAnswer(
            request_sha256=request_sha256,
            region=self.owner,
            held=[
                consent_pb2.ConsentHeld(
                    receipt=Envelope.FromString(each.receipt),
                    withdrawn_ms=each.consent.withdrawn_ms,
                )
                for each in found
            ],
            decided_at_ms=now_ms,
        )


def scope_of(wire: consent_pb2.ConsentScope) -> Scope:
    """The scope on the wire; raises `Malformed`."""
    return Scope(
        wire.region, wire.member, tuple(wire.purposes), tuple(wire.categories), wire.expires_ms
    )


def _unknown() -> Malformed:
    return Malformed("there is no such consent here; see `gba consent list`", code="consent")
