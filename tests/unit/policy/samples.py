"""Requests and small policy sets that the tests here start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dataspace.policy.requests import AccessRequest

POLICIES = Path(__file__).parents[3] / "policies"
SCHEMA = (POLICIES / "schema.cedarschema").read_bytes()

_STATISTICS = AccessRequest(
    actor_uri="gba://hongkong/uni-harbour/researcher/a",
    actor_region="hongkong",
    actor_member="uni-harbour",
    actor_role="researcher",
    action="aggregate",
    product="patients",
    product_region="guangzhou",
    purpose="HRESCH",
    project="trial-1",
    columns=frozenset({"age"}),
    categories=frozenset(),
    route_from="guangzhou",
    route_to="hongkong",
    legal_basis="AGGREGATE",
    agreement="absent",
    consent="absent",
    emergency=False,
    at_ms=1_790_000_000_000,
)


def statistics(**changed: Any) -> AccessRequest:
    """A researcher in Hong Kong asking Guangzhou for statistics, with some fields changed."""
    return replace(_STATISTICS, **changed)


def rule(name: str, body: str, *, without: str = "") -> str:
    """A rule with every annotation but `without`."""
    values = {
        "id": name,
        "basis": f"basis of {name}",
        "message_en": f"{name} says",
        "message_zh_hans": "简体",
        "message_zh_hant": "繁體",
        "message_pt": "português",
    }
    return "\n".join(
        [*(f'@{key}("{said}")' for key, said in values.items() if key != without), body]
    )


PERMIT_ALL = rule("permit-all", "permit (principal, action, resource);")


def files(*rules: str, **more: bytes) -> dict[str, bytes]:
    """A policy folder's files: the space's schema, these rules in `rules.cedar`, and more."""
    return {"schema.cedarschema": SCHEMA, "rules.cedar": "\n".join(rules).encode(), **more}


def forbid(name: str, condition: str) -> str:
    """A forbid rule over everything, under one condition."""
    return rule(name, f"forbid (principal, action, resource) when {{ {condition} }};")


NEGATIVE_LIST = """
id = "list-1"
title = "A list"
issuing_body = "A body"
basis = "A law"
valid_from = 2024-01-01
valid_to = 2024-12-31
categories = ["genetic"]
[messages]
en = "on the list"
zh_hans = "简体"
zh_hant = "繁體"
pt = "português"
"""
