"""One question to many nodes: forwarded as signed, verified as it comes back, combined. Rim.

The broker decides for itself too, and records before it forwards; but no node relies on
that, and the client makes the combination again.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property, partial

import structlog

from broker.asking import Told, ask_each
from broker.attached import Attached
from broker.deadlines import Until
from broker.deciding import put_to_rules
from broker.heard import Heard, outcome_of
from broker.keeping import keep_release
from broker.offers import Offers
from broker.overlaps import DecidedOverlap, Overlaps
from dataspace.audit.cosigned_store import CosignedStore
from dataspace.audit.entries import FieldValue
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.answers import CheckedAnswer, check_answer, status_of
from dataspace.evidence.archive import Archive
from dataspace.evidence.cosigned import receipts_of
from dataspace.evidence.offers import RegionOffer, regions_asked
from dataspace.evidence.recording import Recorder
from dataspace.evidence.requests import (
    Asked,
    AskedOverlap,
    access_requests,
    open_request,
    read_question,
)
from dataspace.identity.envelopes import Identity, seal
from dataspace.identity.names import ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.policy.requests import AccessRequest
from dataspace.policy.standing import Ask, Noted, no_agreements
from dataspace.policy.store import PolicyStore
from dataspace.query.bind import bind_query
from dataspace.query.combine import check_fits, combine
from dataspace.query.partials import Share, read_share
from dataspace.query.tree import Query
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("broker.federation")

_COSIGNED_SECONDS = 10.0  # after a release, for those who wait on

Proofs = Callable[[Sequence[query_pb2.Receipt], float], Awaitable[query_pb2.Cosigned | None]]
OffersByRegion = dict[str, dict[str, RegionOffer]]


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Decided:
    """A plain question that the broker's rules permit, and who is asked."""

    asked: Asked
    query: Query
    offers: OffersByRegion


@dataclass
class Federation:
    """What the broker needs to answer questions."""

    identity: Identity
    trust: TrustList
    policies: PolicyStore
    recorder: Recorder
    offers: Offers
    attached: Attached
    query_seconds: float
    archive: Archive
    cosigned: CosignedStore
    # Proofs of receipts, once witnesses have cosigned; None where they do not come in time.
    proofs: Proofs | None = None
    # Raises where the broker's own log has gone without witnesses for too long.
    check_witnessed: Callable[[], None] = lambda: None
    agreement_state: Ask = no_agreements
    round_seconds: float = 600.0
    _recording: set[asyncio.Task[query_pb2.Receipt]] = field(default_factory=set)

    @cached_property
    def overlaps(self) -> Overlaps:
        """Questions across regions."""
        return Overlaps(self)

    async def query(
        self, envelope: Envelope, peer: ActorUri, seconds: float
    ) -> AsyncGenerator[query_pb2.QueryEvent, None]:
        """Progress, then a release or the broker's own signed refusal, within `seconds`."""
        came = asyncio.get_running_loop().time()
        facts: dict[str, FieldValue] = {
            "request_sha256": hashlib.sha256(envelope.payload).hexdigest()
        }
        body: dict[str, object] = {}
        event: query_pb2.QueryEvent | None = None
        try:
            try:
                decided = await asyncio.to_thread(self._decide, envelope, peer, facts, body)
                self.check_witnessed()
                forwarded = await self.record("query.forwarded", facts, body)
            except DataspaceError as error:
                refusal = await self._refuse(error, facts, body)
                event = query_pb2.QueryEvent(refusal=refusal)
            else:
                heard: list[Heard] = []
                left = seconds - (asyncio.get_running_loop().time() - came)
                told = self._told(decided, envelope, left)
                async with aclosing(told):
                    async for each in told:
                        if isinstance(each, query_pb2.Progress):
                            yield query_pb2.QueryEvent(progress=each)
                        else:
                            heard.append(each)
                event = await self._outcome(decided, heard)
                if event.WhichOneof("event") == "release":
                    audience = decided.asked.audience
                    await asyncio.to_thread(
                        keep_release, self.archive, envelope, event.release, forwarded.index,
                        [each for each in self.offers.all() if each.region in audience],
                    )  # fmt: skip
        finally:
            if event is None:
                # The caller has gone; this call may not wait any more, but it is recorded.
                task = asyncio.create_task(self.record("query.cancelled", facts, {}))
                self._recording.add(task)
                task.add_done_callback(self._recorded)
        yield event
        if event.WhichOneof("event") == "release" and self.proofs is not None:
            receipts = receipts_of(event.release)
            cosigned = await self.proofs(receipts, _COSIGNED_SECONDS)
            if cosigned is not None:
                yield query_pb2.QueryEvent(cosigned=cosigned)

    def _recorded(self, task: asyncio.Task[query_pb2.Receipt]) -> None:
        self._recording.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("cancel.unrecorded")

    def _told(
        self, decided: Decided | DecidedOverlap, envelope: Envelope, seconds: float
    ) -> AsyncGenerator[Told, None]:
        """Progress, and what each region comes to."""
        if isinstance(decided, DecidedOverlap):
            until = Until.after(min(seconds, self.round_seconds))
            return self.overlaps.ask(decided, envelope, until)
        until = Until.after(min(seconds, self.query_seconds))
        ask = partial(self._ask_one, decided, envelope, until)
        return ask_each(sorted(decided.offers), ask, until)

    async def _outcome(
        self, decided: Decided | DecidedOverlap, heard: list[Heard]
    ) -> query_pb2.QueryEvent:
        if not decided.asked.request.explain:
            # A large answer takes a while: the other calls go on meanwhile.
            answer_sha256 = await asyncio.to_thread(_answer_digest, decided, heard)
            noted = decided.noted if isinstance(decided, DecidedOverlap) else {}
            release = await self._release(decided.asked.digest, heard, answer_sha256, noted)
            return query_pb2.QueryEvent(release=release)
        heard = sorted(heard, key=lambda each: each.region)
        explanations = query_pb2.Explanations(
            answers=[each.answer for each in heard if each.answer is not None],
            nodes=[each.outcome for each in heard],
        )
        return query_pb2.QueryEvent(explanations=explanations)

    def _decide(
        self,
        envelope: Envelope,
        peer: ActorUri,
        facts: dict[str, FieldValue],
        body: dict[str, object],
    ) -> Decided | DecidedOverlap:
        moment = now_ms()
        opened = open_request(envelope, self.trust, moment)
        uri = opened.signer.uri
        facts |= {"actor_region": uri.region, "actor_role": uri.role}
        body |= {"actor": str(uri), "sql": opened.message.sql, "project": opened.message.project}
        if uri != peer:
            raise Unverified(
                "the request is signed by another than the one who sends it", code="channel-peer"
            )
        asked = read_question(opened, moment, "broker")
        if isinstance(asked, AskedOverlap):
            return self.overlaps.decide(asked, moment, facts, body)
        offers = regions_asked(asked.query, self.offers.all())
        if tuple(offers) != asked.audience:
            raise Malformed(
                "the request names other regions than those that offer the product; ask again",
                code="audience",
            )
        first = {name: each.offer for name, each in next(iter(offers.values())).items()}
        facts |= {
            "products": sorted(first),
            "audience": list(asked.audience),
        }
        try:
            query = bind_query(asked.query, *first.values())
        except Refused:
            if asked.request.explain:
                return Decided(asked, asked.query, offers)  # each node says so itself; nothing runs
            raise
        state = Noted(self.agreement_state)
        questions = _questions(asked, query, offers, moment, state)
        put_to_rules(self, asked.request, questions, state, facts, body)
        return Decided(asked, query, offers)

    async def _ask_one(
        self,
        decided: Decided,
        envelope: Envelope,
        until: Until,
        region: str,
        tell: Callable[[query_pb2.Progress], None],
    ) -> Heard:
        try:
            return await self._converse(decided, envelope, until, region, tell)
        except Unverified as error:
            _LOG.error("partial.unverified", region=region, code=error.code)
            raise

    async def _converse(
        self,
        decided: Decided,
        envelope: Envelope,
        until: Until,
        region: str,
        tell: Callable[[query_pb2.Progress], None],
    ) -> Heard:
        node = self.attached.find(region)
        if node is None:
            raise Unavailable("not attached", code="node-absent")
        async with aclosing(node.ask(envelope, until.node_ms())) as conversation:
            async for heard in conversation:
                if isinstance(heard, query_pb2.Progress):
                    tell(heard)
                    continue
                checked = await asyncio.to_thread(
                    check_answer, heard, region, decided.asked.digest, self.trust, now_ms()
                )
                # What does not fit the question is its region's fault, and stops no other.
                share = _share_of(decided.asked, decided.query, checked)
                return Heard(region, heard, share, outcome_of(checked))
        raise Unavailable("went away", code="node-gone")

    async def _release(
        self,
        request_sha256: bytes,
        heard: list[Heard],
        answer_sha256: bytes,
        noted: dict[str, FieldValue],
    ) -> query_pb2.ReleaseBundle:
        heard = sorted(heard, key=lambda each: each.region)
        release = query_pb2.Release(
            request_sha256=request_sha256,
            nodes=[each.outcome for each in heard],
            answer_sha256=answer_sha256,
            # No witness has seen its entry yet; proofs that follow lift this.
            provisional=True,
            released_at_ms=now_ms(),
        )
        body = seal(release, self.identity)
        facts: dict[str, FieldValue] = {
            "request_sha256": request_sha256.hex(),
            "body_sha256": hashlib.sha256(body.payload).hexdigest(),
            "nodes": {each.region: each.outcome.status for each in heard},
            "partials": [each.outcome.body_sha256.hex() for each in heard],
            "outcome": "released" if any(each.share for each in heard) else "nothing",
            **noted,
        }
        receipt = await self.record("query.released", facts, {})
        return query_pb2.ReleaseBundle(
            release=body,
            receipt=receipt,
            answers=[each.answer for each in heard if each.answer is not None],
        )

    async def _refuse(
        self, error: DataspaceError, facts: dict[str, FieldValue], body: dict[str, object]
    ) -> query_pb2.NodeAnswer:
        refusal = query_pb2.Refusal(
            request_sha256=bytes.fromhex(str(facts["request_sha256"])),
            region="broker",
            status=status_of(error),
            decided_at_ms=now_ms(),
        )
        signed = seal(refusal, self.identity)
        facts = facts | {
            "outcome": error.kind,
            "code": error.code,
            "rule": error.rule,
            "body_sha256": hashlib.sha256(signed.payload).hexdigest(),
        }
        receipt = await self.record("query.refused", facts, body)
        return query_pb2.NodeAnswer(body=signed, receipt=receipt)

    async def record(
        self, kind: str, facts: dict[str, FieldValue], body: dict[str, object]
    ) -> query_pb2.Receipt:
        """Append to the broker's log, off the loop."""
        # INVARIANT: recorded before forwarded, before refused, before released.
        return await asyncio.to_thread(self.recorder.record, kind, now_ms(), facts, body or None)


def _answer_digest(decided: Decided | DecidedOverlap, heard: list[Heard]) -> bytes:
    """The digest of what the shares combine to."""
    if isinstance(decided, DecidedOverlap):
        return decided.answer_digest(heard)
    shares = sorted(
        (each.share for each in heard if isinstance(each.share, Share)),
        key=lambda share: share.region,
    )
    return combine(decided.query, shares, decided.asked.audience).digest()


def _questions(
    asked: Asked, query: Query, offers: OffersByRegion, moment: int, state: Noted
) -> list[AccessRequest]:
    """What the broker's rules are asked: each product of each region."""
    return [
        question
        for region, own in offers.items()
        for question in access_requests(
            asked, query, {name: each.offer for name, each in own.items()}, region, moment, state
        )
    ]


def _share_of(asked: Asked, query: Query, checked: CheckedAnswer) -> Share | None:
    """The share in a verified answer. Raises `Unverified` where it is not to this question."""
    wanted = query_pb2.Explanation if asked.request.explain else query_pb2.Partial
    if not isinstance(checked.body, (wanted, query_pb2.Refusal)):
        raise Unverified("an answer of another kind than was asked for", code="partial-kind")
    if checked.partial is None:
        return None
    share = read_share(checked.partial)
    check_fits(query, share)
    return share
