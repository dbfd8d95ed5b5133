"""Decisions: may this leave, and by which rules. A value, the same for the same input.

Fail closed: Cedar by itself skips a `forbid` that errors and then allows, so every call passes
the schema, and any error, or any answer but Allow, is a denial. Reads no clock and no file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

import cedarpy

from dataspace.errors import Malformed, Refused
from dataspace.policy.requests import AccessRequest
from dataspace.policy.rules import DEFAULT_DENY, POLICY_ERROR, PolicySet, Rule

_ERRED: Final = re.compile(r"error while evaluating policy `(policy\d+)`")


@dataclass(frozen=True)
class CitedRule:
    """A rule that a decision rests on, with what it says to people in four languages."""

    id: str
    basis: str
    message_en: str
    message_zh_hans: str
    message_zh_hant: str
    message_pt: str


_OWN_RULES: Final = {
    DEFAULT_DENY: CitedRule(
        id=DEFAULT_DENY,
        basis="PIPL art. 6; PDPO (Cap. 486) Sch. 1 DPP3; Act 8/2005 art. 5 (stated purposes only)",
        message_en="no rule permits this for your role and purpose; see `gba catalog`",
        message_zh_hans="没有规则准许您的角色以此用途进行此操作；请见 `gba catalog`",
        message_zh_hant="沒有規則准許您的角色以此用途進行此操作；請見 `gba catalog`",
        message_pt="nenhuma regra o permite à sua função e finalidade; ver `gba catalog`",
    ),
    POLICY_ERROR: CitedRule(
        id=POLICY_ERROR,
        basis="PIPL art. 51; PDPO (Cap. 486) Sch. 1 DPP4; Act 8/2005 art. 15 (security)",
        message_en="the rules cannot be evaluated, so nothing is permitted; tell the operator",
        message_zh_hans="规则无法评估，因此一律不准许；请通知运营者",
        message_zh_hant="規則無法評估，因此一律不准許；請通知營運者",
        message_pt="não é possível avaliar as regras, nada é permitido; avise o operador",
    ),
}


@dataclass(frozen=True)
class Decision:
    """Permit or deny, the deciding rules (never none), and the digest of the set they are from.

    On a permit `rules` are all permits that matched; on a denial all forbids that matched, or
    `default-deny`; after an error `policy-error`, then the rules that erred, then the forbids.
    Within each the order is that of the set's files and lines.
    """

    allowed: bool
    rules: tuple[CitedRule, ...]
    policy_sha256: str

    def __post_init__(self) -> None:
        if not self.rules:
            raise Malformed("a decision names the rules it rests on", code="decision")

    def require(self) -> None:
        """Nothing on a permit; on a denial raises `Refused` naming the first deciding rule."""
        if not self.allowed:
            first = self.rules[0]
            raise Refused(first.message_en, code="policy", rule=first.id, basis=first.basis)

    def to_json(self) -> str:
        """One line of JSON with sorted keys: equal decisions, equal text."""
        values = asdict(self)
        return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Decision:
        """The decision that `to_json` wrote; anything else is `Malformed` (code `decision`)."""
        try:
            values = json.loads(text)
            decision = cls(
                allowed=values["allowed"],
                rules=tuple(CitedRule(**rule) for rule in values["rules"]),
                policy_sha256=values["policy_sha256"],
            )
            same = json.loads(decision.to_json()) == values
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Malformed("this is not the JSON of a decision", code="decision") from error
        texts = [text for rule in decision.rules for text in vars(rule).values()]
        typed = isinstance(values["allowed"], bool) and all(
            isinstance(text, str) for text in (values["policy_sha256"], *texts)
        )
        if not same or not typed:
            raise Malformed("this is not the JSON of a decision", code="decision")
        return decision


def decide(policies: PolicySet, request: AccessRequest) -> Decision:
    """The decision of this policy set on this request. Never raises: what fails is a denial."""
    try:
        answer = cedarpy.is_authorized(
            question(policies, request),
            policies.engine_rules,
            entities(policies, request),
            policies.engine_schema,
        )
    except Exception:  # whatever the engine raises; its text may hold parts of the request
        return Decision(False, (_OWN_RULES[POLICY_ERROR],), policies.sha256)
    erred = answer.diagnostics.errors
    reasons = _in_order(policies, answer.diagnostics.reasons)
    # SECURITY: an Allow beside an error is what a forbid that failed looks like.
    if erred or answer.decision not in (cedarpy.Decision.Allow, cedarpy.Decision.Deny):
        forbids = [rule for rule in reasons if rule.effect == "forbid"]
        # SECURITY: the engine's text may quote the request: only how it begins is read.
        failed = _in_order(policies, (found[1] for said in erred if (found := _ERRED.match(said))))
        cited = (_OWN_RULES[POLICY_ERROR], *_cited(failed), *_cited(forbids))
        return Decision(False, cited, policies.sha256)
    allowed = answer.decision == cedarpy.Decision.Allow
    effect = "permit" if allowed else "forbid"
    deciding = _cited(rule for rule in reasons if rule.effect == effect)
    if allowed and not deciding:
        return Decision(False, (_OWN_RULES[POLICY_ERROR],), policies.sha256)
    return Decision(allowed, deciding or (_OWN_RULES[DEFAULT_DENY],), policies.sha256)


def _in_order(policies: PolicySet, engine_ids: Iterable[str]) -> list[Rule]:
    """The rules behind the engine's `policy<n>` ids, in the set's order."""
    rules = tuple(policies.rules.values())
    places = sorted({int(engine_id.removeprefix("policy")) for engine_id in engine_ids})
    return [rules[place] for place in places]


def _cited(rules: Iterable[Rule]) -> tuple[CitedRule, ...]:
    return tuple(
        CitedRule(
            id=rule.id,
            basis=rule.basis,
            message_en=rule.messages["en"],
            message_zh_hans=rule.messages["zh-Hans"],
            message_zh_hant=rule.messages["zh-Hant"],
            message_pt=rule.messages["pt"],
        )
        for rule in rules
    )


def question(policies: PolicySet, request: AccessRequest) -> dict[str, Any]:
    """A request as the engine takes it, in the words that the set's schema has."""
    context = {
        "purpose": _uid("Purpose", request.purpose),
        "project": request.project,
        "columns": sorted(request.columns),
        "categories": sorted(request.categories),
        "route": {
            "from": _uid("Region", request.route_from),
            "to": _uid("Region", request.route_to),
        },
        "legal_basis": _uid("LegalBasis", request.legal_basis),
        "agreement": _uid("State", request.agreement),
        "consent": _uid("State", request.consent),
        "emergency": request.emergency,
        "at_ms": request.at_ms,
    }
    later = ("filing", "impact_assessment", "onward", "records_this_year")
    context |= {name: getattr(request, name) for name in later if name in policies.words}
    return {
        "principal": _uid("Actor", request.actor_uri),
        "action": _uid("Action", request.action),
        "resource": _product_uid(request),
        "context": context,
    }


def entities(policies: PolicySet, request: AccessRequest) -> list[dict[str, Any]]:
    """The actor, its member and the product of a request, as the engine takes them."""
    region = _uid("Region", request.actor_region)
    actor: dict[str, Any] = {
        "role": _uid("Role", request.actor_role),
        "member": request.actor_member,
        "region": region,
    }
    if "assurance" in policies.words:
        actor["assurance"] = request.assurance
    member = _uid("Member", f"{request.actor_region}/{request.actor_member}")
    members = [member] if "member" in policies.words else []
    product = {"name": request.product, "region": _uid("Region", request.product_region)}
    return [
        {"uid": _uid("Actor", request.actor_uri), "attrs": actor, "parents": members},
        {"uid": _product_uid(request), "attrs": product, "parents": []},
        *({"uid": uid, "attrs": {"region": region}, "parents": []} for uid in members),
    ]


def _product_uid(request: AccessRequest) -> dict[str, str]:
    return _uid("Product", f"{request.product_region}/{request.product}")


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}
