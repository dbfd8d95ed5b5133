"""Is this patient known here: verify, decide, count, evaluate. Never learns who it is about.

The desk has verified the signature, the freshness and the nonce, and records and signs what
comes of this. Whether somebody is known plays no part in what is decided, done or recorded.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataspace.audit.entries import FieldValue
from dataspace.errors import Malformed, Refused, Unverified
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.existence import (
    CHECK,
    EPOCH_RULE,
    TERMS,
    answer_info,
    question_info,
    read_question,
)
from dataspace.evidence.recording import Recorder
from dataspace.identity.envelopes import Opened
from dataspace.linkage.oprf import evaluate_blinded
from dataspace.linkage.points import UNIFORM_BYTES, scalar_from
from dataspace.linkage.sealing import PublicSealingKey
from dataspace.v1 import existence_pb2
from node.existence.building import Tables
from node.existence.deciding import Decided, ExistenceGate
from node.existence.epochs import Served
from node.existence.limits import ExistenceLimits, member_of
from node.sealing import NodeSealing

SETTLED = "existence.settled"
_MEMBER = re.compile(r"[a-z]{1,64}/[a-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Existence:
    """One region's. `check_witnessed` raises where its log has gone unwitnessed for too long."""

    region: str
    gate: ExistenceGate
    tables: Tables
    limits: ExistenceLimits
    sealing: NodeSealing
    recorder: Recorder
    check_witnessed: Callable[[], None]

    def kinds(self) -> tuple[RequestKind, ...]:
        """What the desk answers with this."""
        return (
            RequestKind(TERMS, existence_pb2.ExistenceTermsRequest, self.answer_terms),
            RequestKind(CHECK, existence_pb2.ExistenceRequest, self.answer),
        )

    def answer_terms(
        self, opened: Opened[existence_pb2.ExistenceTermsRequest], now_ms: int
    ) -> Made:
        """The epoch that serves, to those who may ask by it."""
        decided = self.gate.decide(opened, now_ms)
        served = self.tables.require()
        epoch = served.epoch
        terms = existence_pb2.ExistenceTerms(
            request_sha256=opened.payload_sha256,
            region=self.region,
            epoch=epoch.number,
            ends_at_ms=epoch.ends_ms,
            public_key=epoch.public,
            bucket_bits=epoch.bits,
            table=served.receipt,
            decided_at_ms=now_ms,
        )
        return Made(terms, {**decided.fields, "epoch": epoch.number}, decided.context)

    def answer(self, opened: Opened[existence_pb2.ExistenceRequest], now_ms: int) -> Made:
        """One check. It counts once it is certain that it can be answered, and before it is."""
        decided = self.gate.decide(opened, now_ms)
        self.check_witnessed()
        served = self.tables.require()
        sent = opened.message.reply_key
        reply = PublicSealingKey(sent.kind, sent.data)
        bucket, blinded = self._question(opened, served, reply, now_ms)
        row = served.table.row(bucket)
        unresolved = self.limits.take(opened.signer.uri, now_ms)
        nonce = scalar_from(secrets.token_bytes(UNIFORM_BYTES))
        evaluated, proof = evaluate_blinded(served.secrets.key, blinded, nonce)
        found = existence_pb2.ExistenceBucket(
            evaluated=evaluated, proof=proof, row=row, path=served.table.path(bucket)
        )
        sealed = reply.seal(
            found.SerializeToString(deterministic=True),
            answer_info(opened.payload_sha256, self.region),
        )
        return self._made(opened, decided, served, sealed, unresolved, now_ms)

    def settle(self, member: str, now_ms: int) -> dict[str, int]:
        """The operator has looked into a member's unresolved checks; recorded first."""
        if not _MEMBER.fullmatch(member):
            raise Malformed("name a member as REGION/MEMBER", code="member")
        self.recorder.record(SETTLED, now_ms, {}, {"member": member})
        return {"settled": self.limits.settle(member)}

    def _question(
        self, opened: Opened[Any], served: Served, reply: PublicSealingKey, now_ms: int
    ) -> tuple[int, bytes]:
        """The question to this region. Raises `Malformed`, or `Refused` for another epoch's."""
        asks = [each for each in opened.message.asks if each.question.region == self.region]
        if len(asks) != 1:
            raise Malformed(f"a request has one question to {self.region}", code="bad-question")
        epoch, sent = served.secrets.number, asks[0].question
        if asks[0].epoch != epoch:
            raise Refused(
                "this question is for another epoch of this node; fetch its terms and ask anew",
                code=EPOCH_RULE, rule=EPOCH_RULE, basis="space rule: existence checks",
            )  # fmt: skip
        info = question_info(opened.signer.uri, self.region, epoch, reply)
        try:
            return read_question(self.sealing.open(sent.key_sha256, sent.sealed, info, now_ms))
        except Unverified:
            # SECURITY: of another asker, region or session as well: it is the same to us.
            raise Malformed(
                "the question is not sealed to this node for you", code="sealed"
            ) from None

    def _made(
        self,
        opened: Opened[Any],
        decided: Decided,
        served: Served,
        sealed: bytes,
        unresolved: int,
        now_ms: int,
    ) -> Made:
        answer = existence_pb2.ExistenceAnswer(
            request_sha256=opened.payload_sha256,
            region=self.region,
            epoch=served.secrets.number,
            sealed=sealed,
            table=served.receipt,
            rules=[rule.id for rule in decided.rules],
            bases=[rule.basis for rule in decided.rules],
            policy_sha256=bytes.fromhex(decided.policy_sha256),
            decided_at_ms=now_ms,
        )
        # INVARIANT: neither bucket nor element: the log says that a check was made, not of whom.
        fields: dict[str, FieldValue] = {**decided.fields, "epoch": served.secrets.number}
        uri = opened.signer.uri
        context = {**decided.context, "unresolved": unresolved, "member": member_of(uri)}
        return Made(answer, fields, context)
