"""What is wrong with a valid policy set: rules that no request reaches, products with no rule.

Each rule is put to the engine by itself, over the values of the fields that it looks at and of
no others; the tables that come out are then joined over the whole space of requests: role ×
regions × action × purpose × basis × emergency × each single category × {absent, valid, expired}
agreement and consent, and what else rules look at. Pure; the time is handed in.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cedarpy
import numpy as np
import numpy.typing as npt

from dataspace.policy.decisions import entities, question
from dataspace.policy.mentions import Mentions, mentions
from dataspace.policy.requests import ACTIONS, PURPOSES, REGIONS, ROLES, STATES, AccessRequest
from dataspace.policy.rules import PolicySet, Rule, legal_bases

Table = npt.NDArray[np.bool_]
Domain = tuple[Any, ...]

_TRUTHS: Final = (False, True)
_OTHER: Final = "any-other"
_MOST_VALUES: Final = 24  # of a field without closed values, when forbids are joined
_TEXTS: Final = ("actor_uri", "actor_member", "product", "project")
_SETS: Final = ("columns", "categories")
_NUMBERS: Final = {"at_ms": 0, "records_this_year": 0}


@dataclass(frozen=True)
class Offered:
    """A product at a region, with the categories of its columns."""

    region: str
    product: str
    categories: frozenset[str]


@dataclass(frozen=True)
class CheckReport:
    """`unreachable`: no request makes the rule apply. `overruled`: permits that apply, but never
    without a forbid beside them. `unruled`: products of which nothing may ever leave.
    `closed_categories`: (product, category) that no request may touch. `evaluated` counts what
    was put to the engine.
    """

    policy_sha256: str
    unreachable: tuple[Rule, ...]
    overruled: tuple[Rule, ...]
    unruled: tuple[Offered, ...]
    closed_categories: tuple[tuple[Offered, str], ...]
    evaluated: int

    @property
    def passed(self) -> bool:
        """Whether every rule can decide something, and every product has a rule."""
        return not (self.unreachable or self.overruled or self.unruled)


def check(policies: PolicySet, products: Iterable[Offered], at_ms: int) -> CheckReport:
    """The report on a set, over the products that are offered; `at_ms` is today."""
    space = _Space(policies, at_ms)
    rules = tuple(policies.rules.values())
    unreachable = [rule for rule in rules if not space.applies_somewhere(rule)]
    permits = [rule for rule in rules if rule.effect == "permit" and rule not in unreachable]
    overruled = [rule for rule in permits if not space.decides_somewhere(rule, {})]
    open_ = [rule for rule in permits if rule not in overruled]
    unruled, closed = [], []
    for offered in products:
        at = {"product": (offered.product,), "product_region": (offered.region,)}
        plain = at | {"categories": (frozenset[str](),)}
        if not any(space.decides_somewhere(rule, plain) for rule in open_):
            unruled.append(offered)
        for category in sorted(offered.categories):
            touched = at | {"categories": (frozenset({category}),)}
            if not any(space.decides_somewhere(rule, touched) for rule in open_):
                closed.append((offered, category))
    return CheckReport(
        policies.sha256, tuple(unreachable), tuple(overruled), tuple(unruled), tuple(closed),
        space.evaluated,
    )  # fmt: skip


class _Space:
    """The requests there can be, and which of them each rule applies to."""

    def __init__(self, policies: PolicySet, at_ms: int) -> None:
        self.evaluated = 0
        self._policies = policies
        self._at_ms = at_ms
        self._mentions = {rule.id: mentions(rule) for rule in policies.rules.values()}
        self._engines: dict[str, Any] = {}
        self._tables: dict[tuple[str, tuple[Domain, ...]], Table] = {}
        self._closed: dict[str, Domain] = {
            "actor_role": ROLES, "actor_region": REGIONS, "action": ACTIONS,
            "product_region": REGIONS, "purpose": PURPOSES, "route_from": REGIONS,
            "route_to": REGIONS, "legal_basis": legal_bases(policies), "agreement": STATES,
            "consent": STATES, "emergency": _TRUTHS, "assurance": (1, 2, 3), "filing": _TRUTHS,
            "impact_assessment": _TRUTHS, "onward": _TRUTHS,
        }  # fmt: skip

    def applies_somewhere(self, rule: Rule) -> bool:
        """Whether some request makes the rule apply by itself."""
        seen = self._mentions[rule.id]
        names = sorted(seen.fields)
        domains = [self._domain(name, seen, every_time=True) for name in names]
        return any(self._applies(rule, names, values) for values in itertools.product(*domains))

    def decides_somewhere(self, permit: Rule, fixed: Mapping[str, Domain]) -> bool:
        """Whether some request is permitted by this rule, with some fields fixed."""
        own = self._mentions[permit.id]
        against = [rule for rule in self._policies.rules.values() if rule.effect == "forbid"]
        names = sorted(own.fields.union(*(self._mentions[rule.id].fields for rule in against)))
        domains = {
            name: fixed.get(name) or self._domain(name, self._together(permit, against, name))
            for name in names
        }
        first = sorted(own.fields)
        rest = [name for name in names if name not in own.fields]
        for values in itertools.product(*(domains[name] for name in first)):
            if not self._applies(permit, first, values):
                continue
            at = {name: (value,) for name, value in zip(first, values, strict=True)}
            allowed = np.ones([len(domains[name]) for name in rest], dtype=np.bool_)
            for rule in against:
                allowed &= ~self._over(rule, rest, domains | at)
                if not allowed.any():
                    break
            else:
                return True
        return False

    def _together(self, permit: Rule, against: list[Rule], name: str) -> Mentions:
        """What a permit and the forbids compare a field with, where that is not too much."""
        own = self._mentions[permit.id]
        looking = [own] if name in own.fields else []
        looking += [seen for rule in against if name in (seen := self._mentions[rule.id]).fields]
        texts = frozenset[str]().union(*(seen.texts for seen in looking))
        numbers = frozenset[int]().union(*(seen.numbers for seen in looking))
        if len(texts) > _MOST_VALUES or len(numbers) > _MOST_VALUES:
            return own
        return Mentions(frozenset({name}), texts, numbers)

    def _over(self, rule: Rule, axes: Sequence[str], domains: Mapping[str, Domain]) -> Table:
        """Where a rule applies, over these axes; one of each where it does not look."""
        names = sorted(self._mentions[rule.id].fields)
        table = self._table(rule, names, tuple(domains[name] for name in names))
        # INVARIANT: axes are sorted as `names` are, and what is no axis has one value.
        return table.reshape([len(domains[name]) if name in names else 1 for name in axes])

    def _table(self, rule: Rule, names: list[str], domains: tuple[Domain, ...]) -> Table:
        key = (rule.id, domains)
        if key not in self._tables:
            found = [self._applies(rule, names, values) for values in itertools.product(*domains)]
            shape = [len(domain) for domain in domains]
            self._tables[key] = np.array(found, dtype=np.bool_).reshape(shape)
        return self._tables[key]

    def _applies(self, rule: Rule, names: Sequence[str], values: Sequence[Any]) -> bool:
        """Whether the rule applies, or errs, which closes as well."""
        engine = self._engines.get(rule.id)
        if engine is None:
            engine = self._engines[rule.id] = cedarpy.PolicySet.from_str(rule.text)
        self.evaluated += 1
        asked = replace(_PLAIN, at_ms=self._at_ms) if not names else replace(
            _PLAIN, **{"at_ms": self._at_ms, **dict(zip(names, values, strict=True))}
        )  # fmt: skip
        answer = cedarpy.is_authorized(
            question(self._policies, asked),
            engine,
            entities(self._policies, asked),
            self._policies.engine_schema,
        )
        return bool(answer.diagnostics.reasons or answer.diagnostics.errors)

    def _domain(self, name: str, seen: Mentions, *, every_time: bool = False) -> Domain:
        """The values of a field that can matter to a rule."""
        if name in self._closed:
            return self._closed[name]
        texts = sorted(text for text in seen.texts if name in seen.fields)
        if name in _TEXTS:
            # Members and products stand as `region/name` where rules name the entity itself.
            return tuple(dict.fromkeys((_OTHER, *texts, *(t.split("/")[-1] for t in texts))))
        if name in _SETS:
            sets = [frozenset[str](), *(frozenset({text}) for text in texts), frozenset(texts)]
            return tuple(dict.fromkeys(sets))
        if name == "at_ms" and not every_time:
            return (self._at_ms,)
        base = self._at_ms if name == "at_ms" else _NUMBERS[name]
        near = (number + step for number in seen.numbers for step in (-1, 0, 1))
        return tuple(dict.fromkeys((base, *(n for n in near if 0 <= n < 2**53))))


_PLAIN: Final = AccessRequest(
    actor_uri=_OTHER,
    actor_region="guangzhou",
    actor_member=_OTHER,
    actor_role="researcher",
    action="aggregate",
    product=_OTHER,
    product_region="guangzhou",
    purpose="HRESCH",
    project="",
    columns=frozenset(),
    categories=frozenset(),
    route_from="guangzhou",
    route_to="guangzhou",
    legal_basis="AGGREGATE",
    agreement="valid",
    consent="valid",
    emergency=False,
    at_ms=0,
)
