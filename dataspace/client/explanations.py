"""What nodes said they would do with a question: signed by each, checked here. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dataspace.client.across import AcrossQuestion, across
from dataspace.client.catalogue import Catalogue
from dataspace.errors import Refused, Unverified
from dataspace.evidence.answers import check_answer, error_of
from dataspace.evidence.offers import regions_asked
from dataspace.evidence.releases import PER_BROKER, UNSIGNED
from dataspace.identity.trustlist import TrustList
from dataspace.query.bind import bind_query
from dataspace.query.hints import nearest_form
from dataspace.query.parse import parse_query
from dataspace.v1 import query_pb2


@dataclass(frozen=True)
class NodeExplanation:
    """One region's: `content` has the keys `tree` and `products` (across regions also `round`), or
    `error` and `nearest`."""

    region: str
    status: str
    content: dict[str, Any]


def what_explains(
    sql: str, distinct: str, tier: str, catalogue: Callable[[], Catalogue]
) -> tuple[list[str], AcrossQuestion | None]:
    """The regions that can explain a question, sorted, and the question where it needs a round.

    Raises `Malformed` where the SQL is not in the language.
    """
    question = across(sql, distinct, tier)
    if question is not None:
        found = AcrossQuestion.of(question, catalogue().offers, distinct, tier)
        return list(found.query.regions), found
    unbound = parse_query(sql)
    offers = regions_asked(unbound, catalogue().offers)
    first = next(iter(offers.values()))
    with suppress(Refused):  # each node says so itself
        bind_query(unbound, *(each.offer for each in first.values()))
    return sorted(offers), None


def read_explanations(
    explanations: query_pb2.Explanations,
    audience: Sequence[str],
    request_sha256: bytes,
    trust: TrustList,
    now_ms: int,
) -> tuple[NodeExplanation, ...]:
    """One for each region asked. Raises `Unverified` where a region did not sign its own, and
    where the broker words more than that a region is away."""
    if sorted(node.region for node in explanations.nodes) != list(audience):
        raise Unverified("not every region asked is accounted for", code="release-nodes")
    spoken = [node for node in explanations.nodes if node.body_sha256]
    for node in explanations.nodes:
        if not node.body_sha256 and not _is_away(node):
            raise Unverified(f"{node.region} did not sign its own word", code="release-nodes")
    if len(spoken) != len(explanations.answers):
        raise Unverified("explanations and their regions do not fit", code="release-nodes")
    found = {
        node.region: check_answer(answer, node.region, request_sha256, trust, now_ms)
        for node, answer in zip(spoken, explanations.answers, strict=True)
    }
    return tuple(
        _explanation(node, found[node.region].explanation, found[node.region].refusal)
        if node.region in found
        else NodeExplanation(node.region, node.status, {"error": node.reason})
        for node in explanations.nodes
    )


def _is_away(node: query_pb2.NodeOutcome) -> bool:
    return node.status in UNSIGNED and node.reason.endswith(PER_BROKER)


def _explanation(
    node: query_pb2.NodeOutcome,
    said: query_pb2.Explanation | None,
    refusal: query_pb2.Refusal | None,
) -> NodeExplanation:
    if said is not None:
        return NodeExplanation(node.region, "explained", _content(node.region, said))
    if refusal is None:
        raise Unverified(f"{node.region} answers where it should explain", code="partial-kind")
    error = error_of(refusal.status)
    content = {
        "error": error.message,
        "rule": error.rule,
        "basis": error.basis,
        "nearest": nearest_form(error),
    }
    return NodeExplanation(node.region, error.kind, content)


def _content(region: str, said: query_pb2.Explanation) -> dict[str, Any]:
    try:
        content = json.loads(said.explanation_json)
    except ValueError:
        content = None
    if not isinstance(content, dict) or set(content) - {"round"} != {"tree", "products"}:
        raise Unverified(f"the explanation of {region} cannot be read", code="explanation")
    return content
