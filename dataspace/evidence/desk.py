"""The desk: signed requests other than queries, each kind with a handler of its own.

Verify, role, freshness, replay; then the handler decides and makes the answer; it is signed,
recorded, and only then handed back. A no goes the same way. Reads no clock and no file of
its own: log, ledger and time are handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from google.protobuf.message import Message

from dataspace.audit.entries import FieldValue
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable
from dataspace.evidence.answers import status_of
from dataspace.evidence.recording import Recorder
from dataspace.identity.envelopes import (
    Identity,
    Opened,
    open_envelope,
    payload_type_of,
    seal,
)
from dataspace.identity.freshness import check_freshness
from dataspace.identity.names import PEOPLE_ROLES
from dataspace.identity.replay import replay_key
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope

MAX_REQUEST_BYTES = 64 * 1024

Claim: TypeAlias = Callable[[bytes, int, int], None]


@dataclass(frozen=True)
class Made:
    """An answer to sign: the body, codes and digests for the entry, context for its body."""

    body: Message
    fields: Mapping[str, FieldValue]
    context: Mapping[str, object] = field(default_factory=dict)


class Denied(Refused):
    """A no of the rules, with what the entry and its body hold of the decision."""

    def __init__(
        self, error: Refused, fields: Mapping[str, FieldValue], context: Mapping[str, object]
    ) -> None:
        super().__init__(error.message, code=error.code, rule=error.rule, basis=error.basis)
        self.fields = fields
        self.context = context


@dataclass(frozen=True)
class RequestKind:
    """One kind of request. Entries are named after it: `audit` gives `audit.read`, `audit.refused`.

    `answer(opened, now_ms)` decides and makes the answer, or raises. Every message of the kind
    has `signer` and `freshness`, and a payload of at most `max_bytes`.
    """

    name: str
    message_class: type[Message]
    answer: Callable[[Opened[Any], int], Made]
    max_bytes: int = MAX_REQUEST_BYTES

    @property
    def payload_type(self) -> str:
        """What envelopes of this kind say they hold."""
        return payload_type_of(self.message_class)


def open_asked(
    envelope: Envelope,
    message_class: type[Message],
    trust: TrustList,
    now_ms: int,
    audience: str,
    max_bytes: int = MAX_REQUEST_BYTES,
) -> Opened[Any]:
    """A verified, fresh request of a person for `audience`. Replay is the caller's to check."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    opened = open_envelope(envelope, message_class, trust, at, max_payload_bytes=max_bytes)
    if opened.signer.uri.role not in PEOPLE_ROLES:
        raise Refused(
            f"a {opened.signer.uri.role} does not ask; sign as a person or service of a member",
            code="identity-role",
            rule="identity-role",
            basis="space rule: roles",
        )
    freshness = getattr(opened.message, "freshness", None)
    if freshness is None:
        raise TypeError(f"{message_class.DESCRIPTOR.name} has no freshness and cannot be asked")
    check_freshness(freshness, now_ms=now_ms, audience=audience)
    return opened


@dataclass(frozen=True)
class Desk:
    """One party's desk. `owner` is its region, or "broker". Safe for any number of threads."""

    owner: str
    identity: Identity
    trust: Callable[[], TrustList]
    recorder: Recorder
    claim: Claim
    now_ms: Callable[[], int]

    def handler(self, kind: RequestKind) -> Callable[[Envelope], query_pb2.NodeAnswer]:
        """What answers envelopes of one kind."""
        return lambda envelope: self.answer(kind, envelope)

    def answer(self, kind: RequestKind, envelope: Envelope) -> query_pb2.NodeAnswer:
        """One signed and recorded answer, yes or no.

        Raises `Unavailable` only where the log cannot record: the caller then gets nothing.
        """
        digest = hashlib.sha256(envelope.payload).digest()
        fields: dict[str, FieldValue] = {"request_sha256": digest.hex()}
        context: dict[str, object] = {}
        try:
            made = self._made(kind, envelope, fields, context)
        except Denied as error:
            return self.refuse(
                kind.name, error, {**fields, **error.fields}, {**context, **error.context}
            )
        except DataspaceError as error:
            return self.refuse(kind.name, error, fields, context)
        except Exception:
            # SECURITY: the text of an unexpected error may hold anything.
            inside = Unavailable(f"{self.owner} failed inside; ask again", code="internal")
            return self.refuse(kind.name, inside, fields, context)
        fields |= {"outcome": "released", **made.fields}
        context |= made.context
        return self._record(f"{kind.name}.read", seal(made.body, self.identity), fields, context)

    def _made(
        self,
        kind: RequestKind,
        envelope: Envelope,
        fields: dict[str, FieldValue],
        context: dict[str, object],
    ) -> Made:
        moment = self.now_ms()
        opened = open_asked(
            envelope, kind.message_class, self.trust(), moment, self.owner, kind.max_bytes
        )
        uri = opened.signer.uri
        fields |= {"actor_region": uri.region, "actor_role": uri.role}
        context["actor"] = str(uri)
        self.claim(replay_key(opened), opened.message.freshness.expires_at_ms, moment)
        return kind.answer(opened, moment)

    def refuse(
        self,
        name: str,
        error: DataspaceError,
        fields: Mapping[str, FieldValue],
        context: Mapping[str, object],
    ) -> query_pb2.NodeAnswer:
        """A signed and recorded no. `fields` hold at least the request's digest."""
        refusal = query_pb2.Refusal(
            request_sha256=bytes.fromhex(str(fields["request_sha256"])),
            region=self.owner,
            status=status_of(error),
            decided_at_ms=self.now_ms(),
        )
        said = {"outcome": error.kind, "code": error.code, "rule": error.rule}
        return self._record(
            f"{name}.refused", seal(refusal, self.identity), {**fields, **said}, context
        )

    def _record(
        self,
        kind: str,
        body: Envelope,
        fields: Mapping[str, FieldValue],
        context: Mapping[str, object],
    ) -> query_pb2.NodeAnswer:
        # INVARIANT: recorded before released. Where this raises, nothing is handed out.
        digest = hashlib.sha256(body.payload).hexdigest()
        receipt = self.recorder.record(
            kind, self.now_ms(), {**fields, "body_sha256": digest}, context or None
        )
        return query_pb2.NodeAnswer(body=body, receipt=receipt)


def kinds_by_type(kinds: tuple[RequestKind, ...]) -> dict[str, RequestKind]:
    """The kinds by payload type, each once."""
    found = {kind.payload_type: kind for kind in kinds}
    if len(found) != len(kinds):
        raise Malformed("two handlers for one kind of request", code="request-kind")
    return found
