"""The broker as a gRPC service: who may call, the attachment of nodes, the members' calls. Rim."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from broker.admission import Admission
from broker.attached import Attached, AttachedNode
from broker.callers import Callers
from broker.ending import abort, inside
from broker.federation import Federation, now_ms
from broker.handed import HandedOn
from broker.offers import Offers
from broker.relaying import Relay
from broker.signers import AttachedSigner
from broker.standing import Standing, Stream
from broker.witnesses import AttachedWitness, Witnesses
from broker.witnessing import Witnessing
from dataspace.errors import DataspaceError, Refused, Unavailable, Unverified
from dataspace.evidence.agreeing import Registry
from dataspace.identity.chains import VerifiedSigner, verify_tls_peer
from dataspace.identity.envelopes import check_signer, open_envelope, seal
from dataspace.identity.freshness import check_freshness
from dataspace.identity.trusted import REVOCATION
from dataspace.policy.decisions import decide
from dataspace.policy.requests import AccessRequest
from dataspace.v1 import (
    audit_pb2,
    broker_pb2,
    broker_pb2_grpc,
    catalogue_pb2,
    query_pb2,
    revocation_pb2,
)
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.wire import check_spoken, stating

_LOG = structlog.get_logger("broker")

HANDSHAKE_SECONDS = 10.0
RELAY_SHARE = 0.8  # of a caller's time, so that the reason for a silence still gets back
_MINUTE_MS = 60_000
_MOST_NOTES = 256
_PURPOSES_BY_ROLE = {
    "researcher": ("HRESCH",),
    "public_health": ("PUBHLTH",),
    "clinician": ("TREAT",),
}


@dataclass
class BrokerService(broker_pb2_grpc.BrokerServicer, broker_pb2_grpc.AttachmentServicer):
    """Both services over one federation."""

    federation: Federation
    admission: Admission
    witnessing: Witnessing
    relay: Relay
    standing: Standing
    agreements: Registry
    handed: HandedOn
    charters: Callable[[], Sequence[Envelope]] = tuple  # every version, for nodes that were away
    callers: Callers = field(default_factory=Callers)
    _notes: dict[bytes, list[catalogue_pb2.RuleNote]] = field(default_factory=dict)

    @property
    def attached(self) -> Attached:
        """The nodes that are there."""
        return self.federation.attached

    @property
    def witnesses(self) -> Witnesses:
        """The witnesses that are there."""
        return self.witnessing.witnesses

    @property
    def offers(self) -> Offers:
        """The space's catalogue."""
        return self.federation.offers

    def peer(self, context: Any) -> VerifiedSigner:
        """Who is at the other end of the channel: chain, standing, region and role, verified
        again."""
        return self._verified(context)

    def caller(self, context: Any) -> VerifiedSigner:
        """The same for a new call, which is counted. Raises `Unavailable` where it is too many."""
        self.callers.count_certificate(context)  # before anything is verified for it
        peer = self._verified(context)
        self.callers.count_actor(peer.uri)
        return peer

    def _verified(self, context: Any) -> VerifiedSigner:
        at = datetime.fromtimestamp(now_ms() / 1000, UTC)
        peer = self._presented(context, at)
        self.federation.trust.check_standing(peer, at)
        return peer

    def _presented(self, context: Any, at: datetime) -> VerifiedSigner:
        """Whose chain the channel shows. Its standing is not looked at."""
        presented = context.auth_context()
        leaf = b"".join(presented.get("x509_pem_cert", []))
        chain = b"".join(presented.get("x509_pem_cert_chain", []))
        if not leaf:
            raise Unverified("this channel shows no certificate", code="channel-peer")
        return verify_tls_peer(leaf, chain, self.federation.trust.roots_by_region(), at)

    def _still(self, envelope: Envelope, context: Any) -> None:
        """Raise where who signed or who is at the other end has lost its standing since."""
        self.peer(context)
        at = datetime.fromtimestamp(now_ms() / 1000, UTC)
        check_signer(envelope, self.federation.trust, at)

    async def Query(self, request: Envelope, context: Any) -> AsyncIterator[query_pb2.QueryEvent]:
        """See broker.proto."""
        try:
            with self.admission.place():
                peer = self.caller(context)
                seconds = context.time_remaining() or self.federation.query_seconds
                with self.standing.call(lambda: self._still(request, context)):
                    told = self.federation.query(request, peer.uri, seconds)
                    async with aclosing(told) as events:
                        async for event in events:
                            yield event
        except DataspaceError as error:
            await abort(context, error)
        except Exception as error:
            await abort(context, inside(error))

    async def Catalogue(self, request: Envelope, context: Any) -> Envelope:
        """See broker.proto."""
        try:
            with self.admission.place():
                peer = self.caller(context)
                return await asyncio.to_thread(self._catalogue, request, peer)
        except DataspaceError as error:
            await abort(context, error)
            raise
        except Exception as error:
            await abort(context, inside(error))
            raise

    async def Audit(self, request: Envelope, context: Any) -> audit_pb2.AuditAnswers:
        """See broker.proto."""
        try:
            with self.admission.place():
                peer = self.caller(context)
                seconds = context.time_remaining() or self.federation.query_seconds
                until = min(seconds, self.federation.query_seconds) * RELAY_SHARE
                with self.standing.call(lambda: self._still(request, context)):
                    return await self.relay.ask(request, peer.uri, until)
                raise Unavailable("the call ended without an answer", code="internal")
        except DataspaceError as error:
            await abort(context, error)
            raise
        except Exception as error:
            await abort(context, inside(error))
            raise

    async def Revocations(
        self, request: revocation_pb2.RevocationRequest, context: Any
    ) -> revocation_pb2.RevocationLists:
        """See broker.proto. Also for those whom the lists hit: what they say is public."""
        try:
            self.callers.count_certificate(context)
            with self.admission.place():
                return self.standing.in_force.handed_on(max(1, request.trust_version))
        except DataspaceError as error:
            await abort(context, error)
            raise

    def _catalogue(self, request: Envelope, peer: VerifiedSigner) -> Envelope:
        moment = now_ms()
        at = datetime.fromtimestamp(moment / 1000, UTC)
        opened = open_envelope(request, catalogue_pb2.CatalogueRequest, self.federation.trust, at)
        check_freshness(opened.message.freshness, now_ms=moment, audience="broker")
        if opened.signer.uri != peer.uri:
            raise Unverified("signed by another than the one who sends it", code="channel-peer")
        reply = catalogue_pb2.CatalogueReply(
            request_sha256=opened.payload_sha256,
            attached=self.attached.regions(),
            content_sha256=self._content_digest(opened.signer, moment),
        )
        if reply.content_sha256 != opened.message.known_sha256:
            reply.offers.extend(each.envelope for each in self.offers.all())
            reply.rules.extend(self._rule_notes(opened.signer, moment, reply.content_sha256))
        return seal(reply, self.federation.identity)

    def _content_digest(self, peer: VerifiedSigner, moment: int) -> bytes:
        """What a catalogue hangs on: who asks, rules, offers, and the minute, for the rules."""
        parts = (
            str(peer.uri).encode(),
            self.federation.policies.current().sha256.encode(),
            str(moment // _MINUTE_MS).encode(),
            *(hashlib.sha256(each.envelope.payload).digest() for each in self.offers.all()),
        )
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()

    def _rule_notes(
        self, peer: VerifiedSigner, moment: int, content_sha256: bytes
    ) -> list[catalogue_pb2.RuleNote]:
        """What the broker's rules say to this actor about each product: advice, no decision."""
        known = self._notes.get(content_sha256)
        if known is not None:
            return known
        if len(self._notes) >= _MOST_NOTES:
            self._notes.clear()
        notes = self._notes[content_sha256] = self._fresh_notes(peer, moment)
        return notes

    def _fresh_notes(self, peer: VerifiedSigner, moment: int) -> list[catalogue_pb2.RuleNote]:
        policies = self.federation.policies.current()
        uri = peer.uri
        notes = []
        for each in self.offers.all():
            for purpose in _PURPOSES_BY_ROLE.get(uri.role, ("HRESCH",)):
                question = AccessRequest(
                    str(uri), uri.region, uri.member, uri.role, "aggregate", each.offer.product,
                    each.region, purpose, "", frozenset(), frozenset(), each.region, uri.region,
                    "AGGREGATE", "absent", "absent", False, moment,
                    assurance=peer.assurance,
                )  # fmt: skip
                decision = decide(policies, question)
                notes.append(
                    catalogue_pb2.RuleNote(
                        region=each.region,
                        product=each.offer.product,
                        action="aggregate",
                        purpose=purpose,
                        outcome="permit" if decision.allowed else "deny",
                        rule=decision.rules[0].id,
                        basis=decision.rules[0].basis,
                    )
                )
        return notes

    async def Attach(
        self, request_iterator: AsyncIterator[broker_pb2.NodeFrame], context: Any
    ) -> AsyncIterator[broker_pb2.BrokerFrame]:
        """See broker.proto: challenge, hello, welcome, then frames both ways."""
        challenge = secrets.token_bytes(32)
        attached: AttachedNode | AttachedWitness | AttachedSigner | None = None
        try:
            with self.callers.shaking_hands(context):
                await self.standing.await_lists(self._needed(context))
                peer = self.peer(context)
                yield broker_pb2.BrokerFrame(challenge=stating(challenge))
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    first = await anext(aiter(request_iterator))
            news = self.handed.news
            attached, welcome = self._admit(first, peer, challenge)
            # SECURITY: held from before the welcome, which may wait for whoever does not read it: a
            # list that came meanwhile would neither reach this stream nor end it.
            with self.standing.stream(attached, lambda: self._still(first.hello, context)):
                yield broker_pb2.BrokerFrame(welcome=welcome)
                if isinstance(attached, AttachedNode):
                    self.attached.add(attached)
                    self.handed.catch_up(attached, news, self.charters())
                elif isinstance(attached, AttachedWitness):
                    self.witnesses.add(attached)
                _LOG.info("node.attached", region=attached.region, role=_role(attached))
                async for frame in self._exchange(attached, request_iterator):
                    yield frame
        except DataspaceError as error:
            _LOG.warning("attach.refused", code=error.code, rule=error.rule)
            await abort(context, error)
        except (StopAsyncIteration, TimeoutError):
            return  # who opens a stream and says nothing is let go
        finally:
            if isinstance(attached, AttachedNode):
                self.attached.remove(attached)
            elif isinstance(attached, AttachedWitness):
                self.witnesses.remove(attached)
            if attached is not None:
                _LOG.info("node.detached", region=attached.region, role=_role(attached))

    def _needed(self, context: Any) -> set[str]:
        """The regions whose lists it takes to admit a party, and for it to verify everybody."""
        at = datetime.fromtimestamp(now_ms() / 1000, UTC)
        peer = self._presented(context, at).uri
        if peer.role == REVOCATION:  # it brings its own region's itself
            return {self.federation.identity.uri.region} - {peer.region}
        return {signer.uri.region for signer in self.standing.in_force.trust().revocation_signers}

    def _admit(
        self, first: broker_pb2.NodeFrame, peer: VerifiedSigner, challenge: bytes
    ) -> tuple[AttachedNode | AttachedWitness | AttachedSigner, broker_pb2.Welcome]:
        moment = now_ms()
        at = datetime.fromtimestamp(moment / 1000, UTC)
        trust = self.federation.trust
        opened = open_envelope(first.hello, broker_pb2.Hello, trust, at)
        hello, uri = opened.message, opened.signer.uri
        check_freshness(hello.freshness, now_ms=moment, audience="broker")
        check_spoken(hello.wire)
        if hello.challenge != challenge:
            raise Refused(
                "this hello was made for another stream",
                code="replay",
                rule="replay",
                basis="space rule: attachment",
            )
        named = {witness.name for witness in trust.witnesses_of(uri.region)}
        is_witness = uri.role == "witness" and hello.witness in named
        is_signer = uri in {signer.uri for signer in trust.revocation_signers}
        if (
            not (uri.role == "node" or is_witness or is_signer)
            or uri != peer.uri
            or hello.region != uri.region
        ):
            raise Refused(
                "only a region's own node attaches for it, its witness or revocation signer",
                code="identity-role",
                rule="identity-role",
                basis="space rule: attachment",
            )
        greeting = broker_pb2.BrokerHello(
            challenge_sha256=hashlib.sha256(first.hello.payload).digest()
        )
        welcome = broker_pb2.Welcome(
            broker=seal(greeting, self.federation.identity),
            revocations=self.standing.in_force.handed_on(),
        )
        if is_signer:
            return AttachedSigner(uri.region), welcome
        if is_witness:
            return AttachedWitness(hello.witness, uri.region), welcome
        welcome.rejected.extend(self.offers.replace(uri.region, hello.offers, trust, moment))
        welcome.mirrored_size = self.witnessing.mirrors[uri.region].size
        welcome.agreements.extend(self.agreements.of_region(uri.region))
        welcome.charters.extend(self.charters())
        return AttachedNode(uri.region, str(uri)), welcome

    async def _exchange(
        self, node: Stream, frames: AsyncIterator[broker_pb2.NodeFrame]
    ) -> AsyncIterator[broker_pb2.BrokerFrame]:
        """Frames out as they are queued, frames in as they come, until either side ends."""

        async def listen() -> None:
            try:
                async for frame in frames:
                    self._take(node, frame)
            finally:
                node.ended.set()

        listening = asyncio.create_task(listen())
        finished = asyncio.create_task(node.ended.wait())
        sending: asyncio.Task[broker_pb2.BrokerFrame] | None = None
        try:
            while True:
                sending = asyncio.create_task(node.outgoing.get())
                await asyncio.wait({sending, finished}, return_when=asyncio.FIRST_COMPLETED)
                if not sending.done():
                    return
                yield sending.result()
        finally:
            for task in (listening, finished, *([sending] if sending else [])):
                task.cancel()

    def _take(self, node: Stream, frame: broker_pb2.NodeFrame) -> None:
        if isinstance(node, AttachedWitness):
            node.receive(frame)
            return
        if isinstance(node, AttachedSigner):
            self.standing.take(node, frame)
            return
        match frame.WhichOneof("body"):
            case "offers":
                self._take_offers(node, frame)
            case "witness_ask":
                self.witnessing.relay(node, frame)
            case "held":
                self.handed.receive(node, frame.held)
            case "log_update":
                self.witnessing.mirror(node, frame.log_update)
            case _:
                node.receive(frame)

    def _take_offers(self, node: AttachedNode, frame: broker_pb2.NodeFrame) -> None:
        # A load that is refused leaves the earlier offers in force without a gap.
        rejected = self.offers.replace(
            node.region, frame.offers.offers, self.federation.trust, now_ms(), whole=True
        )
        reply = broker_pb2.OffersReply(rejected=rejected)
        node.outgoing.put_nowait(broker_pb2.BrokerFrame(offers_reply=reply))


def _role(attached: Stream) -> str:
    if isinstance(attached, AttachedSigner):
        return REVOCATION
    return "node" if isinstance(attached, AttachedNode) else "witness"
