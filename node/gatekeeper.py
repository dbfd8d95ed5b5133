"""The gate: verify, decide, run, disclose, sign, record. Nothing leaves a node but through here.

A node decides for itself: it relies on no decision of the broker, and it runs its own SQL,
rendered from its own tree. What cannot be recorded is not released.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from dataspace.disclosure.cells import disclose
from dataspace.disclosure.settings import strictest
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.evidence.answers import status_of
from dataspace.evidence.archive import Archive
from dataspace.evidence.recording import Recorder
from dataspace.evidence.requests import Asked, access_requests, open_request, read_request
from dataspace.identity.envelopes import Identity, check_signer, seal
from dataspace.identity.replay import replay_key
from dataspace.identity.trustlist import TrustList
from dataspace.policy.decisions import Decision, decide
from dataspace.policy.standing import Ask, Noted, no_agreements
from dataspace.policy.store import PolicyStore
from dataspace.query.bind import bind_query
from dataspace.query.combine import key_names, state_names
from dataspace.query.partials import Share, write_share
from dataspace.query.product import Offer
from dataspace.query.render import render
from dataspace.query.tree import Query
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.catalogue import Catalogue
from node.explaining import explanation
from node.ledger import Ledger

_LOG = structlog.get_logger("node.gatekeeper")

Report = Callable[[str, float], None]


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Cancellation:
    """Interrupts a query that runs, or keeps one from starting. Safe between threads."""

    def __init__(self, seconds: float | None = None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self._cancelled = False
        self.reason: DataspaceError | None = None  # why, where it was not the caller's wish

    @property
    def seconds(self) -> float | None:
        """What the caller will still wait, or None."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """Raise where the caller has gone, may ask no more, or has waited as long as it would."""
        if self.reason is not None:
            raise self.reason
        if self._cancelled:
            raise Unavailable("the query was cancelled", code="query-cancelled")
        if self.seconds == 0:
            raise Unavailable(
                "the query waited for its turn until its deadline; ask again later",
                code="query-timeout",
            )

    def register(self, interrupt: Callable[[], None]) -> None:
        """Take what interrupts the engine; raises where the caller has already gone."""
        with self._lock:
            self.check()
            self._interrupt = interrupt

    def cancel(self, reason: DataspaceError | None = None) -> None:
        """The caller has gone; or, for a `reason`, may not be answered any more."""
        with self._lock:
            self._cancelled = True
            self.reason = reason
            if self._interrupt is not None:
                self._interrupt()


@dataclass
class Facts:
    """What is known of a request so far: this goes into the entry, refused or not."""

    request_sha256: bytes
    fields: dict[str, object] = field(default_factory=dict)
    body: dict[str, object] = field(default_factory=dict)


@dataclass
class Gatekeeper:
    """The gate of one region's node."""

    region: str
    identity: Identity
    trust: Callable[[], TrustList]
    policies: PolicyStore
    ledger: Ledger
    recorder: Recorder
    catalogue: Catalogue
    archive: Archive
    # Raises where this node's log has gone without witnesses for too long.
    check_witnessed: Callable[[], None] = lambda: None
    # How a question stands under this node's agreements as of now.
    agreement_state: Ask = no_agreements
    # Raises where the charter in force does not let a product be offered as it is.
    check_offered: Callable[[Offer], None] = lambda _offer: None

    def answer(
        self, envelope: Envelope, report: Report, cancellation: Cancellation
    ) -> query_pb2.NodeAnswer:
        """One signed and recorded answer: a partial, or a refusal.

        Raises `Unavailable` only where the log cannot record: the caller then gets nothing.
        """
        facts = Facts(hashlib.sha256(envelope.payload).digest())
        with structlog.contextvars.bound_contextvars(request=facts.request_sha256.hex()[:16]):
            return self._answer(envelope, facts, report, cancellation)

    def _answer(
        self, envelope: Envelope, facts: Facts, report: Report, cancellation: Cancellation
    ) -> query_pb2.NodeAnswer:
        # A load may swap the catalogue meanwhile: one request sees one catalogue.
        catalogue = self.catalogue
        try:
            made = self._made(envelope, catalogue, facts, report, cancellation)
        except DataspaceError as error:
            report("refused", 1.0)
            return self.refuse(cancellation.reason or error, facts)
        except Exception as error:
            # SECURITY: the text of an unexpected error may hold anything.
            _LOG.error("gate.internal", kind=type(error).__name__)
            report("refused", 1.0)
            return self.refuse(Unavailable("the node failed inside", code="internal"), facts)
        body = seal(made, self.identity)
        if isinstance(made, query_pb2.Explanation):
            facts.fields["outcome"] = "explained"
            answer = self.record("query.explained", body, facts)
        else:
            facts.fields |= {"outcome": "released", "cells": len(made.cells)}
            answer = self.record("query.released", body, facts)
        report("released", 1.0)
        return answer

    def _made(
        self,
        envelope: Envelope,
        catalogue: Catalogue,
        facts: Facts,
        report: Report,
        cancellation: Cancellation,
    ) -> query_pb2.Partial | query_pb2.Explanation:
        report("received", 0.0)
        moment = now_ms()
        opened = open_request(envelope, self.trust(), moment)
        facts.fields["actor_region"] = opened.signer.uri.region
        facts.fields["actor_role"] = opened.signer.uri.role
        facts.body |= {
            "actor": str(opened.signer.uri),
            "sql": opened.message.sql,
            "project": opened.message.project,
        }
        cancellation.check()
        asked = read_request(opened, moment, self.region)
        self.ledger.claim(replay_key(opened), asked.request.freshness.expires_at_ms, moment)
        query, decisions = self._decide(asked, catalogue, facts, moment)
        # INVARIANT: every product's rules must permit; the first that does not speaks.
        decision = next((each for each in decisions if not each.allowed), decisions[0])
        report("decided", 0.0)
        if asked.request.explain:
            products = {name: catalogue.find(name) for name in query.products}
            return query_pb2.Explanation(
                request_sha256=asked.digest,
                region=self.region,
                explanation_json=explanation(query, products, decisions),
                decided_at_ms=moment,
            )
        decision.require()
        self.check_witnessed()
        made = self._run(asked, query, decision, catalogue, report, cancellation, moment)
        # SECURITY: who was revoked while the query ran gets nothing of it.
        check_signer(envelope, self.trust(), datetime.fromtimestamp(now_ms() / 1000, UTC))
        return made

    def _decide(
        self, asked: Asked, catalogue: Catalogue, facts: Facts, moment: int
    ) -> tuple[Query, list[Decision]]:
        if asked.query.region not in {None, self.region}:
            raise Malformed(f"this question is for {asked.query.region} alone", code="audience")
        products = {name: catalogue.find(name) for name in asked.query.products}
        for product in products.values():
            self.check_offered(product)
        if len({product.subject_space for product in products.values()}) > 1:
            raise Malformed("these products do not share their subjects here", code="subject-space")
        query = bind_query(asked.query, *products.values())
        state = Noted(self.agreement_state)
        questions = access_requests(asked, query, products, self.region, moment, state)
        policies = self.policies.current()
        decisions = [decide(policies, question) for question in questions]
        # What the entry names by digest stays here, or nobody could replay the decision.
        self.archive.keep_policies(policies)
        offers = [each.offer for each in catalogue.products.values()]
        self.archive.keep_catalogue(catalogue.sha256.hex(), self.region, offers)
        allowed = all(each.allowed for each in decisions)
        facts.fields |= {
            "products": sorted(products),
            "purpose": asked.request.purpose,
            "decision": "permit" if allowed else "deny",
            "rules": sorted({rule.id for each in decisions for rule in each.rules}),
            "policy_sha256": decisions[0].policy_sha256,
            "catalogue_sha256": catalogue.sha256.hex(),
        }
        facts.body |= {
            "access_requests": [json.loads(question.to_json()) for question in questions],
            "agreements": state.agreements,
            "decisions": [json.loads(each.to_json()) for each in decisions],
        }
        return query, decisions

    def _run(
        self,
        asked: Asked,
        query: Query,
        decision: Decision,
        catalogue: Catalogue,
        report: Report,
        cancellation: Cancellation,
        moment: int,
    ) -> query_pb2.Partial:
        if catalogue.engine is None:
            raise Unavailable("this node has no data yet", code="warehouse")
        settings = strictest([catalogue.find(name).disclosure for name in query.products])
        raw = catalogue.engine.run(
            query,
            render(query, self.region),
            cancellation.register,
            cancellation.seconds,
            lambda share: report("running", share),
        )
        report("running", 1.0)
        share = Share(
            region=self.region,
            key_names=key_names(query),
            aggregates=state_names(query),
            cells=disclose(raw, settings),
            round_to=settings.round_to,
        )
        partial = query_pb2.Partial(
            request_sha256=asked.digest,
            catalogue_sha256=catalogue.sha256,
            policy_sha256=bytes.fromhex(decision.policy_sha256),
            products=sorted(query.products),
            rules=[rule.id for rule in decision.rules],
            bases=[rule.basis for rule in decision.rules],
            decided_at_ms=moment,
        )
        write_share(share, partial)
        return partial

    def refuse(
        self, error: DataspaceError, facts: Facts, kind: str = "query.refused"
    ) -> query_pb2.NodeAnswer:
        """The signed no to a request, recorded."""
        refusal = query_pb2.Refusal(
            request_sha256=facts.request_sha256,
            region=self.region,
            status=status_of(error),
            decided_at_ms=now_ms(),
        )
        facts.fields |= {"outcome": error.kind, "code": error.code, "rule": error.rule}
        return self.record(kind, seal(refusal, self.identity), facts)

    def record(self, kind: str, body: Envelope, facts: Facts) -> query_pb2.NodeAnswer:
        """A signed body on record, and with its receipt what may be handed out."""
        # INVARIANT: recorded before released. Where this raises, nothing is handed out.
        digest = hashlib.sha256(body.payload).hexdigest()
        fields = facts.fields | {
            "request_sha256": facts.request_sha256.hex(),
            "body_sha256": digest,
        }
        receipt = self.recorder.record(kind, now_ms(), fields, facts.body or None)  # type: ignore[arg-type]  # facts hold codes and digests alone
        return query_pb2.NodeAnswer(body=body, receipt=receipt)
