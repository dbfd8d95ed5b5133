"""What a log's owner decided, decided again from what it recorded. Pure.

The questions are made anew from the signed request and the signed offers, with the code
that the gates use; a recorded question that comes out otherwise is not believed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dataspace.errors import Unverified
from dataspace.evidence.logged import Logged
from dataspace.evidence.offers import RegionOffer
from dataspace.evidence.overlap_sides import (
    SideOffers,
    offers_of,
    side_questions,
    sides_offered,
)
from dataspace.evidence.redeciding import decide_again
from dataspace.evidence.requests import Asked, AskedOverlap, access_requests, read_question
from dataspace.identity.envelopes import Opened
from dataspace.identity.trusted import BROKER
from dataspace.policy.decisions import Decision
from dataspace.policy.requests import AccessRequest, request_from
from dataspace.policy.rules import PolicySet
from dataspace.query.bind import bind_query
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.product import Offer
from dataspace.query.tree import Query
from dataspace.v1 import linkage_pb2, query_pb2

_TERMS = ("filing", "impact_assessment", "onward")  # what rules look at in an agreement
Request = Opened[query_pb2.QueryRequest]
Offers = Mapping[str, Mapping[str, RegionOffer]]  # by region and product


@dataclass(frozen=True)
class Context:
    """What an owner recorded beside an entry: the questions to its rules, and their answers."""

    logged: Logged
    questions: tuple[AccessRequest, ...]
    decisions: tuple[Mapping[str, Any], ...]
    agreements: tuple[Sequence[object], ...] = ()  # digests that each question was held against

    def under(self, question: AccessRequest, at_ms: int) -> AccessRequest:
        """A question under the agreements that the owner recorded for it. A state that is not
        `absent` names those that gave it; whether they say so is for their own chains to prove."""
        del at_ms
        for at, recorded in enumerate(self.questions):
            place = (recorded.product_region, recorded.product)
            if place != (question.product_region, question.product):
                continue
            named = self.agreements[at] if at < len(self.agreements) else ()
            if recorded.agreement != "absent" and not named:
                raise _differs(f"{self.owner} recorded no agreement for the state that it used")
            terms = {name: getattr(recorded, name) for name in _TERMS}
            if recorded.agreement != "valid" and any(terms.values()):
                raise _differs(f"{self.owner} recorded terms of an agreement that is not in force")
            return replace(question, agreement=recorded.agreement, **terms)
        return question

    @property
    def owner(self) -> str:
        """Whose log it is."""
        return self.logged.owner

    @property
    def at_ms(self) -> int:
        """When the rules were asked."""
        return self.questions[0].at_ms


def read_context(logged: Logged, context: Mapping[str, Any], request: Request) -> Context:
    """A verified context, held against the request. Raises `Unverified` or `Malformed`."""
    message, uri = request.message, request.signer.uri
    asked = {"actor": str(uri), "sql": message.sql, "project": message.project}
    for name, value in asked.items():
        if context and context.get(name) != value:
            raise _differs(f"{logged.owner} recorded another {name} than the request's")
    questions = tuple(map(request_from, _listed(context, "access_requests", logged.owner)))
    decisions = tuple(_listed(context, "decisions", logged.owner))
    if len(questions) != len(decisions):
        raise _differs(f"{logged.owner} recorded questions without their decisions")
    agreements = tuple(map(_texts, _texts(context.get("agreements"))))
    return Context(logged, questions, decisions, agreements)


def bound_query(asked: Asked, offers: Mapping[str, Offer]) -> Query:
    """The query, bound to one region's products."""
    return bind_query(asked.query, *(_find(offers, name) for name in asked.query.products))


def check_questions(context: Context, request: Request, offers: Offers) -> None:
    """Raise `Unverified` unless the request and the offers give the questions recorded."""
    owner, at_ms = context.owner, context.at_ms
    asked = read_question(request, at_ms, owner)
    regions = sorted(asked.audience) if owner == BROKER else [owner]
    if isinstance(asked, AskedOverlap):
        again = _across(asked, regions, context, offers)
    else:
        again = _for_each(asked, regions, context, offers)
    if again != context.questions:
        raise _differs(f"{owner} asked its rules something else than what the request says")
    if at_ms > context.logged.entry.at_ms:
        raise _differs(f"{owner} recorded its decision before it was made")


def _for_each(
    asked: Asked, regions: Sequence[str], context: Context, offers: Offers
) -> tuple[AccessRequest, ...]:
    plain = {
        region: {name: each.offer for name, each in offers.get(region, {}).items()}
        for region in regions
    }
    query = bound_query(asked, plain[regions[0]])
    return tuple(
        question
        for region in regions
        for question in access_requests(
            asked, query, plain[region], region, context.at_ms, context.under
        )
    )


def _across(
    asked: AskedOverlap, regions: Sequence[str], context: Context, offers: Offers
) -> tuple[AccessRequest, ...]:
    sides = sides_in(asked.query, offers)
    # A node binds its own side to its own product, as its gate does.
    first = "" if context.owner == BROKER else context.owner
    query = bind_overlap(asked.query, *offers_of(sides, first=first))
    return tuple(side_questions(asked, query, sides, regions, context.at_ms, context.under))


def sides_in(query: OverlapQuery, offers: Offers) -> dict[str, SideOffers]:
    """The sides of a question, of the offers in evidence. Raises `Malformed` for a missing one."""
    return sides_offered(query, [each for own in offers.values() for each in own.values()])


def check_decisions(context: Context, sets: Mapping[str, PolicySet]) -> tuple[Decision, ...]:
    """The decisions, made again. Raises `Unverified` where they come out otherwise."""
    owner, fields = context.owner, context.logged.entry.fields
    policies = sets.get(str(fields.get("policy_sha256")))
    if policies is None:
        raise Unverified(
            f"the policy set that {owner} decided by is not in the evidence", code="evidence-policy"
        )
    again = decide_again(context.questions, policies)
    if tuple(json.loads(each.to_json()) for each in again) != context.decisions:
        raise _differs(f"{owner} recorded other decisions than its rules give")
    rules = sorted({rule.id for each in again for rule in each.rules})
    if list(_texts(fields.get("rules"))) != rules:
        raise _differs(f"{owner}'s log names other rules than those that decided")
    outcome = "permit" if all(each.allowed for each in again) else "deny"
    if owner != BROKER and fields.get("decision") != outcome:
        raise _differs(f"{owner}'s log names another decision than its rules give")
    if owner == BROKER and outcome == "deny":
        raise _differs("the broker forwarded what its rules forbid")
    return again


def check_answer_follows(
    context: Context, decisions: Sequence[Decision],
    partial: query_pb2.Partial | linkage_pb2.OverlapPartial | None,
    refusal: query_pb2.Refusal | None,
) -> None:  # fmt: skip
    """Raise `Unverified` where a node's signed answer does not follow from its decisions."""
    denied = next((each for each in decisions if not each.allowed), None)
    if denied is not None:
        rule = denied.rules[0]
        said = refusal.status if refusal is not None else None
        if said is None or (said.code, said.rule, said.basis) != ("policy", rule.id, rule.basis):
            raise _differs(f"{context.owner} answered otherwise than its rules decided")
        return
    if partial is None:
        return  # something other than the rules stood against it; the refusal names it
    if not decisions:
        raise _differs(f"{context.owner} released without a decision on record")
    cited = [(rule.id, rule.basis) for rule in decisions[0].rules]
    signed = list(zip(partial.rules, partial.bases, strict=False))
    same_set = partial.policy_sha256.hex() == decisions[0].policy_sha256
    if signed != cited or len(partial.rules) != len(partial.bases) or not same_set:
        raise _differs(f"{context.owner} signed other rules than those that decided")
    if partial.decided_at_ms != context.at_ms:
        raise _differs(f"{context.owner} signed another time of decision than it recorded")


def _listed(context: Mapping[str, Any], name: str, owner: str) -> list[Any]:
    values = context.get(name, [])
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise _differs(f"the {name} that {owner} recorded cannot be read")
    return values


def _texts(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _find(offers: Mapping[str, Offer], name: str) -> Offer:
    if name not in offers:
        raise Unverified(f"the offer of {name} is not in the evidence", code="evidence-catalogue")
    return offers[name]


def _differs(message: str) -> Unverified:
    return Unverified(f"{message}; do not rely on it", code="evidence-replay")
