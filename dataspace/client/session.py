"""A member's session with the space: asks through the broker, and believes nobody. Rim.

Everything that comes back is verified here: the broker's signature, each node's, their
receipts, and the combination, which is made again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self, TypeAlias

import grpc
from google.protobuf.message import Message

from dataspace.client.across import AcrossQuestion, across
from dataspace.client.asking import LogAnswer, check_answers
from dataspace.client.believed import Believed
from dataspace.client.brokers import Brokers
from dataspace.client.catalogue import Catalogue, read_catalogue
from dataspace.client.evidence import (
    WAIT_SECONDS,
    fetch_evidence,
    fetch_from_all,
    trust_lists_in,
)
from dataspace.client.existence import ExistenceChecks, Presence
from dataspace.client.explanations import NodeExplanation, read_explanations, what_explains
from dataspace.client.heard import check_if_cosigned, cosigned_in, refusal_in, require_regions
from dataspace.client.records import PatientRecord, RecordAsking
from dataspace.client.release import Release, release_of
from dataspace.client.repeating import may_be_repeated, reached_nobody, unsure
from dataspace.client.sealing_keys import KnownKeys
from dataspace.client.traced import traced
from dataspace.errors import Refused, Unavailable, Unverified
from dataspace.evidence.offers import regions_asked
from dataspace.evidence.overlap_releases import check_overlap
from dataspace.evidence.pinned import pin
from dataspace.evidence.quorum import trusted_quorum
from dataspace.evidence.releases import check_release
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import MAX_LIFE_MS, make_freshness
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.documents import Document
from dataspace.observing.tracing import open_tracer
from dataspace.processes import now_ms
from dataspace.query.bind import bind_query
from dataspace.query.parse import parse_query
from dataspace.query.tree import Query
from dataspace.v1 import catalogue_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

QUERY_SECONDS = 60.0
ROUND_SECONDS = 600.0  # for a question across regions: see docs/linkage.md

OnProgress = Callable[[str, str, float], None]
Heard: TypeAlias = tuple[query_pb2.QueryEvent, bytes, query_pb2.Cosigned | None]


class Session:
    """One actor's session. Close it, or use it in a `with` statement.

    It asks the first broker that is there, and another where that one goes away; with `broker`
    (host:port) that one alone.
    """

    def __init__(self, home: PartyHome, broker: str = "") -> None:
        self._home = home
        self._tracer = open_tracer("gba-client", home.uri.region, home.config.traces)
        self._believed = Believed(home, self._stub)
        self._brokers = Brokers(
            home, self._believed.at_hand, broker, lambda channel: traced(channel, self._tracer)
        )
        self._at_one: dict[str, Session] = {}
        self._catalogue: Catalogue | None = None
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
        return self._brokers.asked(self._fetched, lambda found: not found.attached)

    def _fetched(self) -> Catalogue:
        known = self._catalogue
        request = catalogue_pb2.CatalogueRequest(
            freshness=self._freshness(["broker"]),
            known_sha256=known.content_sha256 if known else b"",
        )
        envelope = seal(request, self._home.identity)
        try:
            reply = self._stub().Catalogue(envelope, timeout=QUERY_SECONDS)
        except grpc.RpcError as error:
            raise self._brokers.failed(error) from None
        digest = hashlib.sha256(envelope.payload).digest()
        self._catalogue = read_catalogue(reply, digest, known, self.trust, now_ms())
        return self._catalogue

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
        seconds: float | None = None,
        cosigned_seconds: float = 0.0,
    ) -> Release:
        """Ask one SELECT. Returns a verified `Release`.

        `distinct="union"` counts each human being once over all regions; `tier` is how people are
        recognised across regions. `seconds` are 60, and 600 across regions, where none are given.
        It is `provisional` unless witnesses cosign its entries within `cosigned_seconds`. Raises
        `Malformed`, `Refused`, `Unavailable` or `Unverified`; under `require="all"` also where a
        single region refuses or is away.
        """
        question = across(sql, distinct, tier)
        if question is not None:
            found = AcrossQuestion.of(question, self.catalogue().offers, distinct, tier)

            def request() -> query_pb2.QueryRequest:
                return self._request(sql, list(found.query.regions), purpose, project, "all")

            return self._across(
                found, request, seconds or ROUND_SECONDS, on_progress, cosigned_seconds
            )
        unbound = parse_query(sql)
        offers = regions_asked(unbound, self.catalogue().offers)
        first = next(iter(offers.values()))
        try:
            query: Query | None = bind_query(unbound, *(each.offer for each in first.values()))
        except Refused:
            query = None  # the broker's and the nodes' to say, so that it is recorded
        envelope, (event, digest, cosigned) = self._asked(
            lambda: self._signed(sql, list(offers), purpose, project, require, pooled=pooled),
            seconds or QUERY_SECONDS, on_progress, cosigned_seconds,
        )  # fmt: skip
        if query is None or event.WhichOneof("event") != "release":
            raise Unverified("an answer to what had to be refused", code="release-answer")
        bundle = event.release
        checked = check_release(bundle, query, digest, sorted(offers), self.trust, now_ms())
        require_regions(checked, require)
        check_if_cosigned(bundle, cosigned, self.trust)
        release = release_of(query, checked, checked.answer, bundle, envelope, cosigned)
        return replace(release, prove=lambda: self.evidence(release.id))

    def _across(
        self,
        question: AcrossQuestion,
        make: Callable[[], query_pb2.QueryRequest],
        seconds: float,
        on_progress: OnProgress | None,
        cosigned_seconds: float,
    ) -> Release:
        """A question that is answered by a round of linkage between the regions' nodes."""

        def sign() -> Envelope:
            request = make()
            question.fill(request)
            return seal(request, self._home.identity)

        envelope, (event, digest, cosigned) = self._asked(
            sign, seconds, on_progress, cosigned_seconds
        )
        if question.bound is None or event.WhichOneof("event") != "release":
            raise Unverified("an answer to what had to be refused", code="release-answer")
        checked = check_overlap(event.release, question.bound, digest, self.trust, now_ms())
        require_regions(checked, "all")  # whoever is missing changes what is counted
        check_if_cosigned(event.release, cosigned, self.trust)
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
        regions, found = what_explains(sql, distinct, tier, self.catalogue)

        def sign() -> Envelope:
            request = self._request(sql, regions, purpose, project, "any")
            request.explain = True
            if found is not None:
                found.fill(request)
            return seal(request, self._home.identity)

        _, (event, digest, _) = self._asked(sign, seconds)
        return read_explanations(event.explanations, regions, digest, self.trust, now_ms())

    def _signed(self, *asked: Any, pooled: bool = False) -> Envelope:
        request = self._request(*asked)
        request.pooled = pooled
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
        if not may_be_repeated(request):
            return self._audit_once(request, logs, seconds)
        return self._brokers.asked(
            lambda: self._audit_once(request, logs, seconds),
            lambda answers: all(each.answer is None for each in answers),
        )

    def _audit_once(
        self, request: Message, logs: Sequence[str], seconds: float
    ) -> tuple[LogAnswer, ...]:
        asked = type(request)()
        asked.CopyFrom(request)
        if not request.HasField("freshness"):
            asked.MergeFrom(type(request)(freshness=self._freshness([*logs, "broker"])))
        envelope = seal(asked, self._home.identity)
        try:
            answers = self._stub().Audit(envelope, timeout=seconds)
        except grpc.RpcError as error:
            raise unsure(self._brokers.failed(error), request) from None
        digest = hashlib.sha256(envelope.payload).digest()
        return check_answers(answers, logs, digest, self.trust, now_ms())

    def exists(
        self, document: str | Document, *, purpose: str, regions: Sequence[str] = REGIONS
    ) -> Presence:
        """Whether a patient (`hkid:A123456(3)`) is known at each region, which does not learn whom.

        Who does not permit it or is away is in the answer. Raises as the broker, and `Unverified`.
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
        return fetch_from_all(
            [self.only(each).audit for each in self._brokers.addresses],
            lambda ask: fetch_evidence(
                ask, release_id, trust_lists, pinned, trusted_quorum, wait_seconds=seconds
            ),
        )

    @property
    def brokers(self) -> tuple[str, ...]:
        """Their addresses, in the order that they are tried."""
        return self._brokers.addresses

    def only(self, broker: str) -> Session:
        """This session at one broker alone; itself, where there is no other."""
        if self._brokers.addresses == (broker,):
            return self
        if broker not in self._at_one:
            self._at_one[broker] = Session(self._home, broker)
        return self._at_one[broker]

    def send(self, envelope: Envelope, seconds: float = QUERY_SECONDS) -> query_pb2.ReleaseBundle:
        """Send a signed request as it is; the bundle that comes back is not yet verified."""
        return self._ask(envelope, seconds, None)[0].release

    def close(self) -> None:
        """Close the channel."""
        for each in self._at_one.values():
            each.close()
        self._brokers.close()
        self._tracer.close()

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
        return self._brokers.stub()

    def _asked(
        self,
        sign: Callable[[], Envelope],
        seconds: float,
        on_progress: OnProgress | None = None,
        cosigned_seconds: float = 0.0,
    ) -> tuple[Envelope, Heard]:
        """The request that was answered, and what came of it; signed anew for each broker."""

        def ask() -> tuple[Envelope, Heard]:
            envelope = sign()
            return envelope, self._ask(envelope, seconds, on_progress, cosigned_seconds)

        return self._brokers.asked(ask, lambda found: reached_nobody(found[1][0]))

    def _ask(
        self,
        envelope: Envelope,
        seconds: float,
        on_progress: OnProgress | None,
        cosigned_seconds: float = 0.0,
    ) -> Heard:
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
                        raise refusal_in(event.refusal, digest, self.trust, now_ms())
                    case "release" if cosigned_seconds > 0:
                        return event, digest, cosigned_in(call, events, cosigned_seconds)
                    case "release" | "explanations":
                        return event, digest, None
        finally:
            call.cancel()
        raise Unavailable("the broker ended the call without an answer", code="broker-ended")

    def _events(self, call: Any) -> Iterator[query_pb2.QueryEvent]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._brokers.failed(error) from None
