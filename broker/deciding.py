"""What the broker's own rules say of a question, noted for its log. No node relies on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from dataspace.audit.entries import FieldValue
from dataspace.evidence.archive import Archive
from dataspace.policy.decisions import decide
from dataspace.policy.requests import AccessRequest
from dataspace.policy.standing import Noted
from dataspace.policy.store import PolicyStore
from dataspace.v1 import query_pb2


class Rules(Protocol):
    """The rules in force, and where each set of them is kept."""

    policies: PolicyStore
    archive: Archive


def put_to_rules(
    rules: Rules,
    request: query_pb2.QueryRequest,
    questions: Sequence[AccessRequest],
    state: Noted,
    facts: dict[str, FieldValue],
    body: dict[str, object],
) -> None:
    """Decide, and note it for the entry. Raises what is refused, unless all is only explained."""
    policies = rules.policies.current()
    rules.archive.keep_policies(policies)
    decisions = [decide(policies, question) for question in questions]
    facts |= {
        # SECURITY: only now is it certain to be a purpose, and not any text of the caller.
        "purpose": request.purpose,
        "policy_sha256": decisions[0].policy_sha256,
        "rules": sorted({rule.id for decision in decisions for rule in decision.rules}),
    }
    body["access_requests"] = [json.loads(question.to_json()) for question in questions]
    body["agreements"] = state.agreements
    body["decisions"] = [json.loads(decision.to_json()) for decision in decisions]
    for decision in decisions:
        if not request.explain:
            decision.require()
