"""Requests other than queries: verified, recorded, forwarded as signed, verified again. Rim.

The broker answers for its own log where it is asked to; for the others it only carries.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import structlog
from google.protobuf.message import Message

from broker.attached import Attached
from dataspace.audit.entries import FieldValue
from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified
from dataspace.evidence.answers import check_answer
from dataspace.evidence.desk import MAX_REQUEST_BYTES, Desk, Made, RequestKind, open_asked
from dataspace.identity.envelopes import Opened
from dataspace.identity.names import ActorUri
from dataspace.identity.trusted import BROKER
from dataspace.v1 import audit_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("broker.relaying")


@dataclass(frozen=True)
class _Heard:
    answer: query_pb2.NodeAnswer | None
    outcome: query_pb2.NodeOutcome


@dataclass(frozen=True)
class Relay:
    """Carries every kind of request in `kinds` (by payload type) to the logs it is for.

    The regions in a request's audience are asked; a message with a field `logs` that names
    "broker" is answered by the broker as well.
    """

    desk: Desk
    attached: Attached
    kinds: Mapping[str, RequestKind]
    # What the broker keeps of a request before it forwards it, by payload type; raises what it
    # does not forward.
    carried: Mapping[str, Callable[[Opened[Any], int], None]] = field(default_factory=dict)

    async def ask(
        self, envelope: Envelope, peer: ActorUri, seconds: float
    ) -> audit_pb2.AuditAnswers:
        """Every log's answer, or why there is none. The broker's own no comes alone."""
        kind = self.kinds.get(envelope.payload_type)
        if kind is None:
            raise Malformed("no log answers a request of this kind", code="wrong-payload-type")
        facts: dict[str, FieldValue] = {
            "request_sha256": hashlib.sha256(envelope.payload).hexdigest()
        }
        context: dict[str, object] = {}
        try:
            opened = await asyncio.to_thread(self._open, kind, envelope, peer, facts, context)
            await self._record(f"{kind.name}.forwarded", facts, context)
        except DataspaceError as error:
            answer = await asyncio.to_thread(self.desk.refuse, kind.name, error, facts, context)
            return _answers([_heard(answer, BROKER, _status(error))])
        regions = [name for name in opened.message.freshness.audience if name != BROKER]
        told = await asyncio.gather(
            *(self._ask_one(opened, envelope, region, seconds) for region in regions)
        )
        if BROKER in getattr(opened.message, "logs", ()):
            told.append(await self._ask_self(kind, opened, envelope))
        nodes = {each.outcome.region: each.outcome for each in told}
        await self._record(
            f"{kind.name}.relayed",
            {
                **facts,
                "nodes": {name: each.status for name, each in sorted(nodes.items())},
                "partials": [each.body_sha256.hex() for _, each in sorted(nodes.items())],
            },
            {},
        )
        return _answers(told)

    def _open(
        self,
        kind: RequestKind,
        envelope: Envelope,
        peer: ActorUri,
        facts: dict[str, FieldValue],
        context: dict[str, object],
    ) -> Opened[Any]:
        moment = self.desk.now_ms()
        opened = open_asked(
            envelope, kind.message_class, self.desk.trust(), moment, BROKER, kind.max_bytes
        )
        uri = opened.signer.uri
        facts |= {"actor_region": uri.region, "actor_role": uri.role}
        context["actor"] = str(uri)
        if uri != peer:
            raise Unverified(
                "the request is signed by another than the one who sends it", code="channel-peer"
            )
        facts["audience"] = list(opened.message.freshness.audience)
        if (keep := self.carried.get(envelope.payload_type)) is not None:
            keep(opened, moment)
        return opened

    async def _ask_self(self, kind: RequestKind, opened: Opened[Any], envelope: Envelope) -> _Heard:
        answer = await asyncio.to_thread(self.desk.answer, kind, envelope)
        checked = await asyncio.to_thread(
            check_answer, answer, BROKER, opened.payload_sha256, self.desk.trust(),
            self.desk.now_ms(),
        )  # fmt: skip
        status = None if checked.refusal is None else checked.refusal.status
        return _heard(answer, BROKER, status)

    async def _ask_one(
        self, opened: Opened[Any], envelope: Envelope, region: str, seconds: float
    ) -> _Heard:
        try:
            async with asyncio.timeout(seconds):
                return await self._converse(opened, envelope, region, int(seconds * 900))
        except TimeoutError:
            return _silent(region, "timeout", f"no answer within {seconds:.3g} s")
        except Unverified as error:
            _LOG.error("answer.unverified", region=region, code=error.code)
            return _silent(region, "unverified", error.message)
        except DataspaceError as error:
            return _silent(region, "unreachable", error.message)

    async def _converse(
        self, opened: Opened[Any], envelope: Envelope, region: str, deadline_ms: int
    ) -> _Heard:
        node = self.attached.find(region)
        if node is None:
            raise Unavailable("not attached", code="node-absent")
        async with aclosing(node.ask(envelope, max(1, deadline_ms))) as conversation:
            async for heard in conversation:
                if isinstance(heard, query_pb2.Progress):
                    continue
                checked = await asyncio.to_thread(
                    check_answer, heard, region, opened.payload_sha256, self.desk.trust(),
                    self.desk.now_ms(),
                )  # fmt: skip
                status = None if checked.refusal is None else checked.refusal.status
                return _heard(heard, region, status)
        raise Unavailable("went away", code="node-gone")

    async def _record(
        self, kind: str, facts: Mapping[str, FieldValue], context: Mapping[str, object]
    ) -> None:
        # INVARIANT: recorded before forwarded, and before anything is handed back.
        await asyncio.to_thread(
            self.desk.recorder.record, kind, self.desk.now_ms(), facts, context or None
        )


def carried_kind(
    name: str, message_class: type[Message], max_bytes: int = MAX_REQUEST_BYTES
) -> RequestKind:
    """A kind of request that the broker carries to nodes and does not answer itself."""

    def answer(_opened: Opened[Any], _now_ms: int) -> Made:
        raise Malformed("only a region's node answers this", code="audience")

    return RequestKind(name, message_class, answer, max_bytes)


def _status(error: DataspaceError) -> query_pb2.ErrorStatus:
    return query_pb2.ErrorStatus(error=error.kind, message=error.message)


def _heard(
    answer: query_pb2.NodeAnswer, region: str, refused: query_pb2.ErrorStatus | None
) -> _Heard:
    outcome = query_pb2.NodeOutcome(
        region=region,
        status=refused.error if refused is not None else "released",
        reason=refused.message if refused is not None else "",
        body_sha256=hashlib.sha256(answer.body.payload).digest(),
    )
    return _Heard(answer, outcome)


def _silent(region: str, status: str, reason: str) -> _Heard:
    outcome = query_pb2.NodeOutcome(region=region, status=status, reason=f"{reason} (per broker)")
    return _Heard(None, outcome)


def _answers(told: list[_Heard]) -> audit_pb2.AuditAnswers:
    told = sorted(told, key=lambda each: each.outcome.region)
    return audit_pb2.AuditAnswers(
        answers=[each.answer for each in told if each.answer is not None],
        nodes=[each.outcome for each in told],
    )
