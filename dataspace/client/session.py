"""A member's session with the space: asks through the broker, and believes nobody. Rim.

Everything that comes back is verified here: the broker's signature, each node's, their
receipts, and the combination, which is made again.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from dataspace.channels import pinned_channel
from dataspace.client.across import AcrossQuestion, across
from dataspace.client.asking import LogAnswer, check_answers
from dataspace.client.believed import Believed
from dataspace.client.evidence import WAIT_SECONDS, fetch_evidence, trust_lists_in
from dataspace.client.existence import ExistenceChecks, Presence
from dataspace.client.explanations import NodeExplanation, read_explanations
from dataspace.client.failures import failure_of
from dataspace.client.records import PatientRecord, RecordAsking
from dataspace.client.release import Release, release_of
from dataspace.client.sealing_keys import KnownKeys
from dataspace.errors import DataspaceError, Refused, Unavailable, Unverified
from dataspace.evidence.answers import check_receipt, error_of
from dataspace.evidence.cosigned import check_cosigned, receipts_of
from dataspace.evidence.offers import RegionOffer, open_offer, regions_asked
from dataspace.evidence.overlap_releases import CheckedOverlap, check_overlap
from dataspace.evidence.pinned import pin
from dataspace.evidence.quorum import trusted_quorum
from dataspace.evidence.releases import GIVEN_UP, CheckedRelease, check_release
from dataspace.home import PartyHome
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.freshness import MAX_LIFE_MS, make_freshness
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.documents import Document
from dataspace.query.bind import bind_query
from dataspace.query.parse import parse_query
from dataspace.query.tree import Query
from dataspace.v1 import broker_pb2_grpc, catalogue_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

QUERY_SECONDS = 60.0

OnProgress = Callable[[str, str, float], None]


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Catalogue:
    """What the space offers: signed offers, what the rules say, which nodes are there."""

    offers: tuple[RegionOffer, ...]
    rules: tuple[catalogue_pb2.RuleNote, ...]
    attached: frozenset[str]
    content_sha256: bytes = b""  # of offers and rules, as the broker names it


class Session:
    """One actor's session. Close it, or use it in a `with` statement."""

    def __init__(self, home: PartyHome) -> None:
        self._home = home
        self._channel: grpc.Channel | None = None
        self._catalogue: Catalogue | None = None
        self._believed = Believed(home, self._stub)
        self.sealing_keys = KnownKeys(self.audit, now_ms)
        self._existence = ExistenceChecks(
            self.audit, self.sealing_keys, lambda: self.trust, home.identity.uri, now_ms
        )

    @property
    def trust(self) -> TrustList:
        """The newest trust list of this home, with the revocation lists of now."""
        return self._believed.trust()

    def catalogue(self) -> Catalogue:
        """The space's catalogue, each offer checked against its owner's signature.

        What this session holds already is neither sent nor verified again.
        """
        known = self._catalogue
        request = catalogue_pb2.CatalogueRequest(
            freshness=self._freshness(["broker"]),
            known_sha256=known.content_sha256 if known else b"",
        )
        envelope = seal(request, self._home.identity)
        try:
            reply = self._stub().Catalogue(envelope, timeout=QUERY_SECONDS)
        except grpc.RpcError as error:
            raise self._failed(error) from None
        moment = now_ms()
        opened = open_envelope(
            reply,
            catalogue_pb2.CatalogueReply,
            self.trust,
            datetime.fromtimestamp(moment / 1000, UTC),
        )
        if opened.signer.uri not in {broker.uri for broker in self.trust.brokers}:
            raise Unverified("the catalogue is not signed by a broker", code="catalogue-signer")
        if opened.message.request_sha256 != hashlib.sha256(envelope.payload).digest():
            raise Unverified("the catalogue is for another request", code="catalogue-request")
        self._catalogue = self._renewed(known, opened.message, moment)
        return self._catalogue

    def _renewed(
        self, known: Catalogue | None, reply: catalogue_pb2.CatalogueReply, moment: int
    ) -> Catalogue:
        """The catalogue that a verified reply gives, with what is known where it sends none."""
        attached = frozenset(reply.attached)
        if known is not None and reply.content_sha256 == known.content_sha256:
            return replace(known, attached=attached)
        earlier = (
            {each.envelope.SerializeToString(): each for each in known.offers} if known else {}
        )
        offers = tuple(
            earlier.get(each.SerializeToString())
            or open_offer(each, _region_named(each), self.trust, moment)
            for each in reply.offers
        )
        return Catalogue(offers, tuple(reply.rules), attached, reply.content_sha256)

    def query(
        self,
        sql: str,
        *,
        purpose: str,
        project: str = "",
        require: str = "all",
        pooled: bool = False,
        distinct: str = "",
        tier: str = "",
        on_progress: OnProgress | None = None,
        seconds: float = QUERY_SECONDS,
        cosigned_seconds: float = 0.0,
    ) -> Release:
        """Ask one SELECT. Returns a verified `Release`.

        `distinct="union"` counts each human being once over all regions; `tier` is how people
        are recognised across regions. It is `provisional` unless witnesses cosign its entries
        within `cosigned_seconds`.
        Raises `Malformed`, `Refused`, `Unavailable` or `Unverified`; under `require="all"`
        also where a single region refuses or is away.
        """
        question = across(sql, distinct, tier)
        if question is not None:
            found = AcrossQuestion.of(question, self.catalogue().offers, distinct, tier)
            request = self._request(sql, list(found.query.regions), purpose, project, "all")
            return self._across(found, request, seconds, on_progress, cosigned_seconds)
        unbound = parse_query(sql)
        offers = regions_asked(unbound, self.catalogue().offers)
        first = next(iter(offers.values()))
        try:
            query: Query | None = bind_query(unbound, *(each.offer for each in first.values()))
        except Refused:
            query = None  # the broker's and the nodes' to say, so that it is recorded
        envelope = self._signed(sql, list(offers), purpose, project, require, pooled=pooled)
        event, digest, cosigned = self._ask(envelope, seconds, on_progress, cosigned_seconds)
        if query is None or event.WhichOneof("event") != "release":
            raise Unverified("an answer to what had to be refused", code="release-answer")
        audience = sorted(offers)
        bundle = event.release
        checked = check_release(bundle, query, digest, audience, self.trust, now_ms())
        _require(checked, require)
        if cosigned is not None:
            check_cosigned(receipts_of(bundle), cosigned, self.trust)
        release = release_of(query, checked, checked.answer, bundle, envelope, cosigned)
        return replace(release, prove=lambda: self.evidence(release.id))

    def _across(
        self,
        question: AcrossQuestion,
        request: query_pb2.QueryRequest,
        seconds: float,
        on_progress: OnProgress | None,
        cosigned_seconds: float,
    ) -> Release:
        """A question that is answered by a round of linkage between the regions' nodes."""
        question.fill(request)
        envelope = seal(request, self._home.identity)
        event, digest, cosigned = self._ask(envelope, seconds, on_progress, cosigned_seconds)
        if question.bound is None or event.WhichOneof("event") != "release":
            raise Unverified("an answer to what had to be refused", code="release-answer")
        checked = check_overlap(event.release, question.bound, digest, self.trust, now_ms())
        _require(checked, "all")  # whoever is missing changes what is counted
        if cosigned is not None:
            check_cosigned(receipts_of(event.release), cosigned, self.trust)
        answer = question.answer(question.bound, checked)
        asked = question.bound.outcomes()
        release = release_of(asked, checked, answer, event.release, envelope, cosigned)
        return replace(release, prove=lambda: self.evidence(release.id))

    def explain(
        self,
        sql: str,
        *,
        purpose: str,
        project: str = "",
        distinct: str = "",
        tier: str = "",
        seconds: float = QUERY_SECONDS,
    ) -> tuple[NodeExplanation, ...]:
        """What each region would do with a question, as its node signed it. Nothing runs.

        `distinct` and `tier` are those of `query`. Raises `Malformed` where the SQL is not in the
        language; `nearest_form` of `dataspace.query.hints` says what to write instead.
        """
        question = across(sql, distinct, tier)
        if question is not None:
            found = AcrossQuestion.of(question, self.catalogue().offers, distinct, tier)
            regions = list(found.query.regions)
            request = self._request(sql, regions, purpose, project, "any")
            found.fill(request)
            request.explain = True
            envelope = seal(request, self._home.identity)
        else:
            unbound = parse_query(sql)
            offers = regions_asked(unbound, self.catalogue().offers)
            first = next(iter(offers.values()))
            with suppress(Refused):  # each node says so itself
                bind_query(unbound, *(each.offer for each in first.values()))
            regions = sorted(offers)
            envelope = self._signed(sql, regions, purpose, project, "any", explain=True)
        event, digest, _ = self._ask(envelope, seconds, None)
        return read_explanations(event.explanations, regions, digest, self.trust, now_ms())

    def _signed(self, *asked: Any, pooled: bool = False, explain: bool = False) -> Envelope:
        request = self._request(*asked)
        request.pooled, request.explain = pooled, explain
        return seal(request, self._home.identity)

    def _request(
        self, sql: str, regions: list[str], purpose: str, project: str, require: str
    ) -> query_pb2.QueryRequest:
        return query_pb2.QueryRequest(
            freshness=self._freshness([*regions, "broker"]),
            sql=sql,
            purpose=purpose,
            project=project,
            require=query_pb2.REQUIRE_ANY if require == "any" else query_pb2.REQUIRE_ALL,
        )

    def audit(
        self, request: Message, logs: Sequence[str], *, seconds: float = QUERY_SECONDS
    ) -> tuple[LogAnswer, ...]:
        """Ask logs (regions and "broker"): signs `request`, whose freshness is set here unless it
        is set already.

        Returns one verified answer, or silence, for each log. Raises the broker's own refusal,
        and `Unverified` where anything does not hold.
        """
        asked = type(request)()
        asked.CopyFrom(request)
        if not request.HasField("freshness"):
            asked.MergeFrom(type(request)(freshness=self._freshness([*logs, "broker"])))
        envelope = seal(asked, self._home.identity)
        try:
            answers = self._stub().Audit(envelope, timeout=seconds)
        except grpc.RpcError as error:
            raise self._failed(error) from None
        digest = hashlib.sha256(envelope.payload).digest()
        return check_answers(answers, logs, digest, self.trust, now_ms())

    def exists(
        self, document: str | Document, *, purpose: str, regions: Sequence[str] = REGIONS
    ) -> Presence:
        """Whether a patient is known at each region: `hkid:A123456(3)`. No region learns whom.

        Who does not permit it, or is away, is in the answer with the reason. Raises `Malformed`,
        the broker's own refusal, and `Unverified`.
        """
        asked = Document.parse(document) if isinstance(document, str) else document
        return self._existence.check(asked, purpose, regions)

    def record(
        self,
        documents: str | Sequence[str],
        *,
        want: Sequence[str],
        purpose: str,
        consents: Sequence[str] = (),
        regions: Sequence[str] | None = None,
        reason: str = "",
    ) -> PatientRecord:
        """One patient's record, asked of each region's node and readable by this session alone.

        `documents` are written KIND:NUMBER, all of one patient; `want` names products,
        `consents` those relied on, `reason` says why in an emergency (ETREAT, BTG). Where no
        `regions` are given, those that know the patient are asked, in an emergency all. Who
        refuses or is away is in the result. Raises `Malformed` and `Unverified`.
        """
        asking = RecordAsking(
            self.audit, self.sealing_keys, self._freshness, self._home.uri,
            lambda: self.trust, now_ms, self._existence.check,
        )  # fmt: skip
        return asking.record(documents, want, purpose, consents, regions, reason)

    def evidence(self, release_id: str, *, seconds: float = WAIT_SECONDS) -> bytes:
        """The evidence file of a release, verified; waits so long for cosignatures.

        Raises `Unavailable` (`not-cosigned`) where they do not come, `Refused` where neither
        asker nor regulator asks.
        """
        trust_lists = trust_lists_in(self._home.path / "trust")
        pinned = pin(trust_lists, bytes.fromhex(self._home.config.trust_sha256))
        return fetch_evidence(
            self.audit, release_id, trust_lists, pinned, trusted_quorum, wait_seconds=seconds
        )

    def send(self, envelope: Envelope, seconds: float = QUERY_SECONDS) -> query_pb2.ReleaseBundle:
        """Send a signed request as it is; the bundle that comes back is not yet verified."""
        return self._ask(envelope, seconds, None)[0].release

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _freshness(self, audience: list[str]) -> Any:
        return make_freshness(
            now_ms=now_ms(), nonce=secrets.token_bytes(16), audience=audience,
            life_ms=min(MAX_LIFE_MS, 120_000),
        )  # fmt: skip

    def _stub(self) -> Any:
        if self._channel is None:
            parts = pinned_channel(
                self._home.broker_address, self._home.tls, self._believed.at_hand()
            )
            self._channel = grpc.secure_channel(
                parts.address, parts.credentials, options=parts.options
            )
        return broker_pb2_grpc.BrokerStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def _ask(
        self,
        envelope: Envelope,
        seconds: float,
        on_progress: OnProgress | None,
        cosigned_seconds: float = 0.0,
    ) -> tuple[query_pb2.QueryEvent, bytes, query_pb2.Cosigned | None]:
        """The answer's event, the request's digest, and the witnesses' proofs if waited for."""
        digest = hashlib.sha256(envelope.payload).digest()
        call = self._stub().Query(envelope, timeout=seconds)
        try:
            events = self._events(call)
            for event in events:
                match event.WhichOneof("event"):
                    case "progress":
                        if on_progress is not None:
                            progress = event.progress
                            on_progress(progress.region, progress.stage, progress.fraction)
                    case "refusal":
                        raise self._refusal(event.refusal, digest)
                    case "release" if cosigned_seconds > 0:
                        return event, digest, _cosigned(call, events, cosigned_seconds)
                    case "release" | "explanations":
                        return event, digest, None
        finally:
            call.cancel()
        raise Unavailable("the broker ended the call without an answer", code="broker-ended")

    def _events(self, call: Any) -> Iterator[query_pb2.QueryEvent]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._failed(error) from None

    def _failed(self, error: Any) -> DataspaceError:
        known = failure_of(error)
        if known.code == "broker-unreachable":
            # Dial anew next time, the pin looked at again: a channel that lost its broker waits
            # long before it tries, and trusts the one certificate that it began with.
            self._channel = None
        return known

    def _refusal(self, answer: query_pb2.NodeAnswer, digest: bytes) -> DataspaceError:
        """The broker's own no, once it is certain that it is the broker's."""
        at = datetime.fromtimestamp(now_ms() / 1000, UTC)
        opened = open_envelope(answer.body, query_pb2.Refusal, self.trust, at)
        brokers = {broker.uri for broker in self.trust.brokers}
        if opened.signer.uri not in brokers or opened.message.request_sha256 != digest:
            return Unverified("a refusal that the broker did not sign", code="refusal-signer")
        check_receipt(answer.receipt, "broker", opened.payload_sha256, self.trust)
        return error_of(opened.message.status)


def _cosigned(
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


def _region_named(envelope: Envelope) -> str:
    """The region that an offer names, before it is verified for that region."""
    return str(catalogue_pb2.ProductOffer.FromString(envelope.payload).region)


def _require(checked: CheckedRelease | CheckedOverlap, require: str) -> None:
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
