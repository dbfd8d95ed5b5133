"""The gate for rounds: verify, decide, select, commit, disclose, sign, record. Rim.

Beside the gatekeeper, with its log, rules and catalogue. A node takes part in two attempts of a
request at most; what it brings is committed to, and on record, before its join leaves.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field

from dataspace.disclosure.settings import strictest
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.offers import RegionOffer, open_offer
from dataspace.evidence.overlap_sides import SideOffers, offers_of, plan_of, sides_offered
from dataspace.evidence.overlaps import read_reply_key
from dataspace.evidence.requests import (
    AskedOverlap,
    open_request,
    overlap_requests,
    read_question,
)
from dataspace.identity.envelopes import Opened, seal
from dataspace.identity.replay import replay_key
from dataspace.linkage.planning import Planned
from dataspace.linkage.rounds import RoundPlan
from dataspace.policy.decisions import Decision, decide
from dataspace.policy.standing import Noted
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.product import Disclosure, Product
from dataspace.query.render_overlap import linkage_product
from dataspace.v1 import catalogue_pb2, linkage_pb2, query_pb2
from node.blinding import BlindingPool
from node.catalogue import Catalogue
from node.explaining import Stands, explanation_across
from node.gatekeeper import Cancellation, Facts, Gatekeeper, now_ms
from node.linking.admitted import Admitted
from node.linking.gate_part import GatePart
from node.linking.rounds import Report

_ATTEMPT = b"gba-linkage v1 attempt "
_MOST_OFFERS = 16


@dataclass(frozen=True)
class OverlapGate:
    """The gate of one region's node."""

    gatekeeper: Gatekeeper
    pool: BlindingPool

    def __call__(
        self,
        invitation: linkage_pb2.RoundInvitation,
        report: Report,
        cancellation: Cancellation,
    ) -> GateInvited:
        """An invitation, not yet looked at."""
        return GateInvited(self, invitation, report, cancellation)


@dataclass
class GateInvited:
    """One invitation in the gate's hands."""

    gate: OverlapGate
    invitation: linkage_pb2.RoundInvitation
    report: Report
    cancellation: Cancellation
    facts: Facts = field(init=False)
    part: GatePart | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.facts = Facts(hashlib.sha256(self.invitation.request.payload).digest())

    def admit(self) -> GatePart | query_pb2.NodeAnswer:
        """Verify and decide. Raises what this node refuses the round for.

        The part in it; or, where that alone was asked, the recorded word what would be done.
        """
        with self.turn:
            return self._admit()

    def _admit(self) -> GatePart | query_pb2.NodeAnswer:
        self.report("received", 0.0)
        moment, keeper = now_ms(), self.gate.gatekeeper
        catalogue = keeper.catalogue  # a load may swap it meanwhile: one round sees one
        asked, invited = self._asked(moment)
        self.cancellation.check()
        key = attempt_key(asked.opened, invited.attempt)
        keeper.ledger.claim(key, asked.request.freshness.expires_at_ms, moment)
        sides = sides_offered(asked.query, self._offers(moment))
        own = self._own(asked, sides, catalogue)
        planned = plan_of(asked, invited.attempt, sides)
        planned.plan.check_invitation(invited)
        # SECURITY: the own side is bound to the own product, whatever others offer by its name.
        bound = bind_overlap(asked.query, *offers_of(sides, first=keeper.region))
        decision, stands = self._decide(asked, bound, own, catalogue, moment)
        if not asked.request.explain:
            decision.require()
        self._check_tier(planned, catalogue, own)
        self.report("decided", 0.0)
        if asked.request.explain:
            said = explanation_across(
                bound, keeper.region, own, decision, stands, planned, _settings(sides)
            )
            return self._explained(said, moment)
        keeper.check_witnessed()
        self.part = self._part(asked, bound, planned, decision, sides, own, catalogue, moment)
        return self.part

    def refuse(self, error: DataspaceError) -> query_pb2.NodeAnswer:
        """The signed and recorded no."""
        self.report("refused", 1.0)
        reason = self.cancellation.reason or error
        with self.turn:
            return self.gate.gatekeeper.refuse(reason, self.facts, "overlap.refused")

    def abandon(self) -> None:
        """The round is over without an answer: on record where its commitment is."""
        with self.turn:
            if self.part is not None and self.part.committed:
                fields = {
                    "request_sha256": self.facts.request_sha256.hex(),
                    "round_id": self.part.plan.round_id.hex(),
                }
                self.gate.gatekeeper.recorder.record("overlap.abandoned", now_ms(), fields)

    def _asked(self, moment: int) -> tuple[AskedOverlap, RoundPlan]:
        keeper = self.gate.gatekeeper
        opened = open_request(self.invitation.request, keeper.trust(), moment)
        uri = opened.signer.uri
        self.facts.fields |= {"actor_region": uri.region, "actor_role": uri.role}
        self.facts.body |= {
            "actor": str(uri), "sql": opened.message.sql, "project": opened.message.project,
        }  # fmt: skip
        asked = read_question(opened, moment, keeper.region)
        if not isinstance(asked, AskedOverlap):
            raise Malformed("this is no question for a round", code="linkage")
        read_reply_key(asked.request.reply_key)
        return asked, RoundPlan.from_message(self.invitation.plan)

    def _offers(self, moment: int) -> list[RegionOffer]:
        """What the invitation says is published, as the owners signed it."""
        if len(self.invitation.offers) > _MOST_OFFERS:
            raise Malformed("more offers than a round can have sides", code="round-plan")
        trust = self.gate.gatekeeper.trust()
        return [
            open_offer(
                each, catalogue_pb2.ProductOffer.FromString(each.payload).region, trust, moment
            )
            for each in self.invitation.offers
        ]

    def _own(
        self, asked: AskedOverlap, sides: dict[str, SideOffers], catalogue: Catalogue
    ) -> Product:
        """The product of this node's side, which has to be the one that was proposed."""
        region = self.gate.gatekeeper.region
        if region not in sides:
            raise Malformed(f"this question is not for {region}", code="audience")
        own = catalogue.find(asked.query.side(region).product)
        recognising = linkage_product(own, _products(catalogue))
        for each in (own, recognising):
            self.gate.gatekeeper.check_offered(each)
        proposed = sides[region]
        published = own.offer(), recognising.offer()
        if published != (proposed.product.offer, proposed.recognising.offer):
            raise Unverified(
                f"the round is proposed with other products than {region} offers now; ask again",
                code="round-offers",
            )
        return own

    def _decide(
        self, asked: AskedOverlap, bound: OverlapQuery, own: Product, catalogue: Catalogue,
        moment: int,
    ) -> tuple[Decision, Stands]:  # fmt: skip
        keeper = self.gate.gatekeeper
        state = Noted(keeper.agreement_state)
        (question,) = overlap_requests(
            asked, bound, {own.product: own}, moment, state, regions=[keeper.region]
        )
        policies = keeper.policies.current()
        decision = decide(policies, question)
        # What the entry names by digest stays here, or nobody could replay the decision.
        keeper.archive.keep_policies(policies)
        offers = [each.offer for each in catalogue.products.values()]
        keeper.archive.keep_catalogue(catalogue.sha256.hex(), keeper.region, offers)
        self.facts.fields |= {
            "products": [own.product],
            "purpose": asked.request.purpose,
            "action": question.action,
            "decision": "permit" if decision.allowed else "deny",
            "rules": sorted(rule.id for rule in decision.rules),
            "policy_sha256": decision.policy_sha256,
            "catalogue_sha256": catalogue.sha256.hex(),
        }
        self.facts.body |= {
            "access_requests": [json.loads(question.to_json())],
            "agreements": state.agreements,
            "decisions": [json.loads(decision.to_json())],
        }
        return decision, Stands(question.agreement, tuple(state.agreements[0]))

    def _explained(self, said: str, moment: int) -> query_pb2.NodeAnswer:
        """What this node would do, signed and recorded; nothing is selected or brought."""
        keeper = self.gate.gatekeeper
        self.facts.fields["outcome"] = "explained"
        body = query_pb2.Explanation(
            request_sha256=self.facts.request_sha256,
            region=keeper.region,
            explanation_json=said,
            decided_at_ms=moment,
        )
        answer = keeper.record("overlap.explained", seal(body, keeper.identity), self.facts)
        self.report("released", 1.0)
        return answer

    def _check_tier(self, planned: Planned, catalogue: Catalogue, own: Product) -> None:
        linkage = linkage_product(own, _products(catalogue)).linkage
        tier = planned.plan.tier
        if linkage is None or tier not in linkage.tiers:
            raise Refused(
                f"the owner of {own.product} does not allow the {tier} tier; ask without --tier",
                code="linkage-tier",
                rule="linkage-tier",
                basis="product file: linkage.tiers",
            )

    def _part(
        self, asked: AskedOverlap, bound: OverlapQuery, planned: Planned, decision: Decision,
        sides: dict[str, SideOffers], own: Product, catalogue: Catalogue, moment: int,
    ) -> GatePart:  # fmt: skip
        if catalogue.engine is None:
            raise Unavailable("this node has no data yet", code="warehouse")
        admitted = Admitted(
            asked=asked,
            query=bound,
            planned=planned,
            decision=decision,
            settings=_settings(sides),
            product=own,
            recognising=linkage_product(own, _products(catalogue)),
            catalogue_sha256=catalogue.sha256,
            engine=catalogue.engine,
            decided_at_ms=moment,
        )
        gate = self.gate
        return GatePart(
            gate.gatekeeper, gate.pool, admitted, self.facts, self.report, self.cancellation,
            self.turn,
        )  # fmt: skip


def attempt_key(opened: Opened[query_pb2.QueryRequest], attempt: int) -> bytes:
    """What makes an attempt of a request unique at a node: 48 bytes.

    The first is the request's own replay key, so that nothing else is answered to it.
    """
    key = replay_key(opened)
    if attempt == 0:
        return key
    digest = hashlib.sha256(_ATTEMPT + bytes([attempt]) + key).digest()
    return key[:32] + digest[:16]


def _settings(sides: dict[str, SideOffers]) -> Disclosure:
    """As strict as each side's owner asks for: what one hid and another showed would be shown."""
    return strictest([each.product.offer.disclosure for each in sides.values()])


def _products(catalogue: Catalogue) -> list[Product]:
    return [each.product for each in catalogue.products.values()]
