"""docs/policy.md out of a policy set: what may leave on which route, for what, and on what basis.

Everything on the page is decided by the set itself: a cell is what it takes for a request in
which all is in order to be permitted, found by taking one thing after another away. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from dataspace.policy.decisions import Decision, decide
from dataspace.policy.mentions import mentions
from dataspace.policy.requests import ACTIONS, PURPOSES, REGIONS, AccessRequest
from dataspace.policy.rules import DEFAULT_DENY, PolicySet, Rule, legal_bases

_PEOPLE: Final = ("clinician", "researcher", "public_health", "regulator", "operator")
# What can be taken away, and how a reader knows it.
_NEEDS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("agreement", "absent", "agreement"),
    ("filing", False, "filing"),
    ("impact_assessment", False, "impact assessment"),
    ("consent", "absent", "consent"),
    ("emergency", False, "declared emergency"),
)
_HEAD: Final = """\
# What may leave, for whom and on what basis

This page is written by `make docs` out of `policies/`; change the rules, not the page. The rules
are examples for an operator's counsel to edit. **None of it is legal advice.**

The policy set is `{digest}`: {rules} rules, of which {permits} permit and {forbids} forbid.

A line stands for a request in which all is in order: what it names is needed, and the request is
refused where it is missing. What is not on the page is refused by `default-deny`. Columns on a
negative list, and categories that a region's rules close, are refused on every route.
"""


@dataclass(frozen=True)
class Way:
    """One way in which something may leave: who, on which basis, and what it needs."""

    source: str
    target: str
    action: str
    purpose: str
    role: str
    basis: str
    needs: tuple[str, ...]
    decision: Decision


def ways(policies: PolicySet, at_ms: int) -> tuple[Way, ...]:
    """Every way, by route, action and purpose; `at_ms` is the day that the page is about."""
    permits = [rule for rule in policies.rules.values() if rule.effect == "permit"]
    looked_at = sorted(frozenset[str]().union(*(mentions(rule).fields for rule in permits)))
    unpermitted: set[tuple[object, ...]] = set()
    found = []
    for asked in _requests(policies, at_ms):
        # What no permit matched is the same for all that permits do not look at.
        alike = tuple(getattr(asked, name) for name in looked_at)
        if alike in unpermitted:
            continue
        decision = decide(policies, asked)
        if decision.allowed:
            found.append(_way(policies, asked, decision))
        elif decision.rules[0].id == DEFAULT_DENY:
            unpermitted.add(alike)
    return tuple(found)


def page(policies: PolicySet, at_ms: int) -> str:
    """The whole page, in Markdown."""
    found = ways(policies, at_ms)
    rules = policies.rules.values()
    permits = sum(rule.effect == "permit" for rule in rules)
    head = _HEAD.format(
        digest=policies.sha256, rules=len(rules), permits=permits, forbids=len(rules) - permits
    )
    return "\n".join([head, *_routes(found), *_rule_list(policies)])


def _requests(policies: PolicySet, at_ms: int) -> Iterator[AccessRequest]:
    """Everything that may be asked, all in order; no emergency unless the basis is one."""
    for source, target, action, purpose, role, basis in itertools.product(
        REGIONS, REGIONS, ACTIONS, PURPOSES, _PEOPLE, legal_bases(policies)
    ):
        yield AccessRequest(
            actor_uri=f"gba://{target}/any/{role}/any", actor_region=target, actor_member="any",
            actor_role=role, action=action, product="any", product_region=source,
            purpose=purpose, project="", columns=frozenset(), categories=frozenset(),
            route_from=source, route_to=target, legal_basis=basis, agreement="valid",
            consent="valid", emergency=basis == "EMERGENCY", at_ms=at_ms, assurance=3,
            filing=True, impact_assessment=True, onward=False, records_this_year=1,
        )  # fmt: skip


def _way(policies: PolicySet, asked: AccessRequest, decision: Decision) -> Way:
    needs = tuple(
        said
        for name, missing, said in _NEEDS
        if getattr(asked, name) != missing
        and not decide(policies, replace(asked, **{name: missing})).allowed
    )
    return Way(
        asked.route_from, asked.route_to, asked.action, asked.purpose, asked.actor_role,
        asked.legal_basis, needs, decision,
    )  # fmt: skip


def _routes(found: tuple[Way, ...]) -> Iterator[str]:
    yield "## Routes\n"
    for source in REGIONS:
        for target in REGIONS:
            here = [way for way in found if (way.source, way.target) == (source, target)]
            title = f"within {source}" if source == target else f"{source} → {target}"
            yield f"### {title}\n"
            yield "| action | purpose | role | legal basis | needs | by rule |"
            yield "|---|---|---|---|---|---|"
            yield from _merged(here)
            yield ""


def _merged(here: list[Way]) -> Iterator[str]:
    """A line for all bases that ask the same of the same request."""
    lines: dict[tuple[str, str, str, str, str], list[str]] = {}
    for way in here:
        rules = ", ".join(f"`{rule.id}`" for rule in way.decision.rules)
        needs = ", ".join(way.needs) or "–"
        lines.setdefault((way.action, way.purpose, way.role, needs, rules), []).append(way.basis)
    for (action, purpose, role, needs, rules), bases in lines.items():
        said = ", ".join(f"`{basis}`" for basis in bases)
        yield f"| {action} | {purpose} | {role} | {said} | {needs} | {rules} |"


def _rule_list(policies: PolicySet) -> Iterator[str]:
    yield "## Rules\n"
    yield "Where several apply, a forbid wins; every forbid that applies is named in the answer.\n"
    for source in sorted({rule.source for rule in policies.rules.values()}):
        yield f"### {source}\n"
        yield "| rule | | legal text | says |"
        yield "|---|---|---|---|"
        for rule in policies.rules.values():
            if rule.source == source:
                yield _rule_line(rule)
        yield ""


def _rule_line(rule: Rule) -> str:
    cells = (f"`{rule.id}`", rule.effect, rule.basis, rule.messages["en"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
