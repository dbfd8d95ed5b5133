"""One release across regions made by hand: real keys, logs and rules; who brought whom is made up.

The nodes bring nobody: joins are random digests, and counts are given. What is proved of a round
is what logs and signed answers say of it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataspace.evidence.offers import RegionOffer, open_offer
from dataspace.evidence.overlap_sides import (
    SideOffers,
    offers_of,
    plan_of,
    side_questions,
    sides_offered,
)
from dataspace.evidence.overlaps import answer_digest, read_overlap, write_overlap
from dataspace.evidence.requests import AskedOverlap, open_request, read_question
from dataspace.identity.envelopes import seal
from dataspace.linkage.rounds import RoundPlan, transcript_digest
from dataspace.linkage.sealing import HYBRID, SEED_BYTES, SealingKey
from dataspace.policy.decisions import decide
from dataspace.policy.rules import load
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.overlap_cells import OverlapCell, OverlapShare, combine_overlap
from dataspace.query.product import Disclosure, Recognition, catalogue_digest
from dataspace.v1 import catalogue_pb2, linkage_pb2, query_pb2, sealing_pb2
from dataspace.v1.envelope_pb2 import Envelope, Freshness
from tests.unit.evidence.world import POLICIES, RULES, Case, World, _context, _who, part
from tests.unit.identity.world import NOW_MS, make_signing
from tests.unit.query.samples import offer

REGIONS = ("guangzhou", "macao")
SQL = (
    "SELECT g.sex, count(distinct g.person) AS n FROM guangzhou.trial g "
    "JOIN macao.trial m ON g.person = m.person GROUP BY g.sex"
)
UNION = "SELECT count(distinct person) AS n FROM trial"
SETTINGS = {"guangzhou": Disclosure(), "macao": Disclosure(min_subjects=20)}  # the stricter one
RULES_ACROSS = {**POLICIES, "space.cedar": RULES.replace("aggregate", "overlap").encode()}
A, B, C = (letter * 16 for letter in (b"a", b"b", b"c"))
CELLS = (OverlapCell((A, C), 20), OverlapCell((B, C), 35))

Change = Callable[[str, str, dict[str, Any]], None]


@dataclass
class Telling:
    """What parties tell otherwise than they should. `change` alters an entry's fields before it
    is recorded, given its owner and kind; `twist` a partial before it is signed."""

    change: Change = lambda _owner, _kind, _fields: None
    twist: Callable[[str, linkage_pb2.OverlapPartial], None] = lambda _region, _partial: None
    beside: Change = lambda _owner, _kind, _body: None  # as `change`, of what an entry commits to
    answer_sha256: bytes = b""
    attempt: int = 0
    late: frozenset[str] = frozenset()  # whose commitment comes after the answer
    refusing: str = ""
    silent: str = ""  # a region that commits, and answers nothing
    kinds: Mapping[tuple[str, str], str] = field(default_factory=dict)  # by owner and kind
    cells: Mapping[str, tuple[OverlapCell, ...]] = field(default_factory=dict)
    sealed: str = "sealed"


def linked(world: World) -> World:
    """The same space, whose regions' products can be recognised elsewhere, and rules for it."""
    for region in ("guangzhou", "hongkong", "macao"):
        product = offer(SETTINGS.get(region)).model_copy(
            update={"recognition": Recognition(kinds=("birth_date", "full_name", "hkid", "sex"))}
        )
        operator = make_signing(world.space.members[region], f"gba://{region}/h1/operator/op")
        wire = catalogue_pb2.ProductOffer(
            region=region,
            product="trial",
            definition_json=product.canonical_json().decode(),
            file_sha256=bytes(32),
            published_at_ms=NOW_MS - 1000,
        )
        world.offers[region] = seal(wire, operator)
    world.policies, world.policy_files = load(RULES_ACROSS), RULES_ACROSS
    return world


def request_across(
    world: World, sql: str = SQL, regions: Sequence[str] = REGIONS, *, union: bool = False
) -> Envelope:
    key = SealingKey.from_seed(HYBRID, secrets.token_bytes(SEED_BYTES[HYBRID])).public
    message = query_pb2.QueryRequest(
        freshness=Freshness(
            issued_at_ms=NOW_MS - 500,
            expires_at_ms=NOW_MS + 60_000,
            nonce=secrets.token_bytes(16),
            audience=["broker", *regions],
        ),
        sql=sql,
        purpose="HRESCH",
        project="p1",
        require=query_pb2.REQUIRE_ALL,
        distinct_union=union,
        reply_key=sealing_pb2.SealingPublicKey(kind=key.kind, data=key.data),
    )
    return seal(message, world.requester)


@dataclass
class _Round:
    world: World
    telling: Telling
    asked: AskedOverlap
    offers: Mapping[str, RegionOffer]
    joins: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)

    @property
    def sides(self) -> dict[str, SideOffers]:
        return sides_offered(self.asked.query, self.offers.values())

    @property
    def plan(self) -> RoundPlan:
        return plan_of(self.asked, self.telling.attempt, self.sides).plan

    def bound(self, first: str = "") -> OverlapQuery:
        return bind_overlap(self.asked.query, *offers_of(self.sides, first=first))

    def decided(self, regions: Sequence[str], first: str = "") -> tuple[list[Any], list[Any]]:
        def alone(question: Any, _at_ms: int) -> Any:
            return question

        questions = side_questions(
            self.asked, self.bound(first), self.sides, regions, NOW_MS, alone
        )
        return questions, [decide(self.world.policies, each) for each in questions]

    def record(
        self, owner: str, kind: str, after_ms: int, fields: dict[str, Any],
        body: dict[str, Any] | None = None,
    ) -> query_pb2.Receipt:  # fmt: skip
        self.telling.change(owner, kind, fields)
        self.telling.beside(owner, kind, body or {})
        kind = self.telling.kinds.get((owner, kind), kind)
        recorder = self.world.parties[owner].recorder
        receipt = recorder.record(kind, NOW_MS + after_ms, fields, body)
        self.places.setdefault(owner, []).append(receipt.index)
        return receipt

    def forward(self) -> None:
        questions, decisions = self.decided(self.plan.regions)
        facts = {
            **_who(self.asked),  # type: ignore[arg-type]  # as of a plain question
            "products": ["trial"],
            "audience": list(self.asked.audience),
            "action": "overlap",
            "purpose": self.asked.request.purpose,
            "policy_sha256": self.world.policies.sha256,
            "rules": sorted({rule.id for each in decisions for rule in each.rules}),
        }
        context = _context(self.asked, questions, decisions)  # type: ignore[arg-type]  # as above
        self.record("broker", "query.forwarded", 2, facts, context)

    def commit(self, region: str) -> int:
        self.joins.setdefault(region, secrets.token_bytes(32))
        plan = self.plan
        fields = {
            "request_sha256": self.asked.digest.hex(),
            "round_id": plan.round_id.hex(),
            "attempt": plan.attempt,
            "tier": plan.tier,
            "regions": list(plan.regions),
            "inputs_commitment": secrets.token_bytes(32).hex(),
            "join_sha256": self.joins[region].hex(),
        }
        body = {"salt": "of inputs", "tuples": 4711}
        return int(self.record(region, "overlap.committed", 5, fields, body).index)

    @property
    def transcript(self) -> bytes:
        return transcript_digest(self.plan.round_id, [self.joins[r] for r in self.plan.regions])

    def match(self) -> int:
        plan = self.plan
        fields = {
            "request_sha256": self.asked.digest.hex(),
            "round_id": plan.round_id.hex(),
            "transcript": self.transcript.hex(),
            "attempt": plan.attempt,
            "tier": plan.tier,
        }
        body = {"tuples": {"guangzhou": 4711}}
        return int(self.record("broker", "overlap.matched", 8, fields, body).index)

    def answer(self, region: str) -> query_pb2.NodeAnswer:
        questions, decisions = self.decided([region], region)
        envelope = self.offers[region].envelope
        catalogue = catalogue_digest({"trial": envelope.payload})
        world, telling = self.world, self.telling
        facts: dict[str, Any] = {
            **_who(self.asked),  # type: ignore[arg-type]  # as above
            "products": ["trial"],
            "purpose": self.asked.request.purpose,
            "action": "overlap",
            "decision": "permit",
            "rules": sorted({rule.id for each in decisions for rule in each.rules}),
            "policy_sha256": world.policies.sha256,
            "catalogue_sha256": catalogue.hex(),
        }
        size = world.parties[region].recorder.log.size
        later = region in telling.late
        facts["committed"] = size + 1 if later else self.places[region][0]
        body: Envelope
        if region == telling.refusing:
            status = query_pb2.ErrorStatus(error="unverified", code="ring-missing", message="no")
            refusal = query_pb2.Refusal(
                request_sha256=self.asked.digest, region=region, status=status, decided_at_ms=NOW_MS
            )
            facts |= {"outcome": status.error, "code": status.code, "rule": ""}
            body, kind = seal(refusal, world.parties[region].identity), "overlap.refused"
        else:
            partial = self.partial(region, decisions[0], catalogue)
            facts |= {
                "outcome": "released",
                "cells": len(partial.cells),
                "round_id": self.plan.round_id.hex(),
                "transcript": self.transcript.hex(),
            }
            body, kind = seal(partial, world.parties[region].identity), "overlap.released"
        facts["body_sha256"] = hashlib.sha256(body.payload).hexdigest()
        context = _context(self.asked, questions, decisions)  # type: ignore[arg-type]  # as above
        receipt = self.record(region, kind, 10, facts, context)
        if later:
            self.commit(region)
        return query_pb2.NodeAnswer(body=body, receipt=receipt)

    def partial(self, region: str, decision: Any, catalogue: bytes) -> linkage_pb2.OverlapPartial:
        settings = Disclosure(min_subjects=20)
        cells = self.telling.cells.get(region, CELLS)
        if self.asked.query.union:
            cells = (OverlapCell((b"",) * len(self.plan.regions), 40),)
        share = OverlapShare(region, self.asked.digest, self.transcript, cells, 20, 5)
        partial = linkage_pb2.OverlapPartial(
            catalogue_sha256=catalogue,
            policy_sha256=bytes.fromhex(decision.policy_sha256),
            product="trial",
            rules=[rule.id for rule in decision.rules],
            bases=[rule.basis for rule in decision.rules],
            decided_at_ms=NOW_MS,
            labels_sealed=self.telling.sealed.encode(),
        )
        write_overlap(share, partial, settings)
        self.telling.twist(region, partial)
        return partial

    def combined(self, answers: Sequence[query_pb2.NodeAnswer]) -> bytes:
        if self.telling.refusing or self.telling.silent:
            return answer_digest(())
        shares = [
            read_overlap(linkage_pb2.OverlapPartial.FromString(each.body.payload))
            for each in answers
        ]
        try:
            return answer_digest(combine_overlap(self.bound(), shares))
        except Exception:
            return answer_digest(())  # a broker that does not look


def release_across(
    world: World, telling: Telling | None = None, sql: str = SQL,
    regions: Sequence[str] = REGIONS, *, union: bool = False,
) -> Case:  # fmt: skip
    """Ask, decide, commit, count, answer, combine and record, as broker and nodes do."""
    telling = telling or Telling()
    request = request_across(world, sql, regions, union=union)
    asked = read_question(open_request(request, world.trust, NOW_MS), NOW_MS, "broker")
    assert isinstance(asked, AskedOverlap)
    offers = {
        region: open_offer(world.offers[region], region, world.trust, NOW_MS) for region in regions
    }
    held = _Round(world, telling, asked, offers)
    held.forward()
    for region in regions:
        held.joins[region] = secrets.token_bytes(32)
        if region not in telling.late:
            held.commit(region)
    matched = held.match()
    speaking = [region for region in regions if region != telling.silent]
    answers = [held.answer(region) for region in speaking]
    outcomes = [_outcome(region, each) for region, each in zip(speaking, answers, strict=True)]
    if telling.silent:
        away = query_pb2.NodeOutcome(
            region=telling.silent, status="unreachable", reason="went away (per broker)"
        )
        outcomes = sorted([*outcomes, away], key=lambda each: each.region)
    body = query_pb2.Release(
        request_sha256=asked.digest,
        nodes=outcomes,
        answer_sha256=telling.answer_sha256 or held.combined(answers),
        provisional=True,
        released_at_ms=NOW_MS + 20,
    )
    sealed = seal(body, world.parties["broker"].identity)
    facts = {
        "request_sha256": asked.digest.hex(),
        "body_sha256": hashlib.sha256(sealed.payload).hexdigest(),
        "nodes": {each.region: each.status for each in outcomes},
        "partials": [each.body_sha256.hex() for each in outcomes],
        "outcome": "released",
        "matched": matched,
    }
    receipt = held.record("broker", "query.released", 30, facts)
    bundle = query_pb2.ReleaseBundle(release=sealed, receipt=receipt, answers=answers)
    parts = {owner: part(world, owner, sorted(each)) for owner, each in held.places.items()}
    for region in regions:
        parts["broker"].catalogues.add(region=region, offers=[world.offers[region]])
    for each in (record for made in parts.values() for record in made.records):
        if json.loads(each.entry)["kind"] in {"overlap.committed", "overlap.matched"}:
            each.salt = each.context = b""  # the keepers hand no more over
    return Case(world, request, bundle, parts)


def _outcome(region: str, answer: query_pb2.NodeAnswer) -> query_pb2.NodeOutcome:
    digest = hashlib.sha256(answer.body.payload).digest()
    if "refusal" in answer.body.payload_type:
        status = query_pb2.Refusal.FromString(answer.body.payload).status
        return query_pb2.NodeOutcome(
            region=region, status=status.error, reason=status.message, body_sha256=digest
        )
    return query_pb2.NodeOutcome(region=region, status="released", body_sha256=digest)
