"""What a rule looks at: fields of a request, and the values that it compares them with. Pure.

Read from Cedar's own JSON form of a policy, so that nothing here parses rules. What is not
recognised counts as looking at everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cedarpy

from dataspace.policy.rules import Rule

_ACTOR: Final = ("actor_uri", "actor_region", "actor_member")
_PRODUCT: Final = ("product", "product_region")
_FIELDS: Final = {
    "principal": _ACTOR,
    "principal.role": ("actor_role",),
    "principal.member": ("actor_member",),
    "principal.region": ("actor_region",),
    "principal.assurance": ("assurance",),
    "action": ("action",),
    "resource": _PRODUCT,
    "resource.name": ("product",),
    "resource.region": ("product_region",),
    "context.route": ("route_from", "route_to"),
    "context.route.from": ("route_from",),
    "context.route.to": ("route_to",),
    **{
        f"context.{name}": (name,)
        for name in (
            "purpose", "project", "columns", "categories", "legal_basis", "agreement", "consent",
            "emergency", "at_ms", "filing", "impact_assessment", "onward", "records_this_year",
        )
    },
}  # fmt: skip
EVERYTHING: Final = frozenset(name for names in _FIELDS.values() for name in names)


@dataclass(frozen=True)
class Mentions:
    """The request's fields that decide whether a rule applies, and the rule's own values.

    `texts` are strings, and the ids of entities whose kinds are not closed; `numbers` integers.
    """

    fields: frozenset[str]
    texts: frozenset[str]
    numbers: frozenset[int]


def mentions(rule: Rule) -> Mentions:
    """What a rule of a loaded set looks at."""
    parsed = json.loads(cedarpy.policies_to_json_str(rule.text))
    (policy,) = parsed["staticPolicies"].values()
    fields: set[str] = set()
    texts: set[str] = set()
    numbers: set[int] = set()
    for name in ("principal", "action", "resource"):
        if policy[name]["op"] not in {"All", "is"}:
            fields.update(_FIELDS[name])
    for path in _paths(policy["conditions"]):
        fields.update(_FIELDS.get(path, EVERYTHING))
    for value in _literals([policy["principal"], policy["resource"], policy["conditions"]]):
        if isinstance(value, bool):
            continue
        if isinstance(value, int):
            numbers.add(value)
        else:
            texts.add(value)
    return Mentions(frozenset(fields), frozenset(texts), frozenset(numbers))


def _paths(node: Any) -> Iterator[str]:
    """Every attribute path in an expression, as far as it goes: `context.route.from`."""
    if isinstance(node, list):
        for each in node:
            yield from _paths(each)
    elif isinstance(node, dict):
        path = _path(node)
        if path:
            yield path
            return
        for each in node.values():
            yield from _paths(each)


def _path(node: Any) -> str:
    if not isinstance(node, dict) or len(node) != 1:
        return ""
    ((kind, value),) = node.items()
    if kind == "Var":
        return str(value)
    if kind in {".", "has"} and isinstance(value, dict):
        left = _path(value.get("left"))
        return f"{left}.{value['attr']}" if left else ""
    return ""


def _literals(node: Any) -> Iterator[str | int]:
    if isinstance(node, list):
        for each in node:
            yield from _literals(each)
    elif isinstance(node, dict):
        if node.keys() == {"type", "id"}:
            yield str(node["id"])
        elif node.keys() == {"Value"} and isinstance(node["Value"], (str, int)):
            yield node["Value"]
        else:
            for each in node.values():
                yield from _literals(each)
