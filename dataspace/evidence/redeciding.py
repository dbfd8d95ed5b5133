"""Recorded decisions, decided again: by the set of their time, or by one that may come. Pure.

The questions and answers are an entry's body, the set is named in the entry. What is decided
again by its own set must come out the same, to the letter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataspace.audit.entries import Entry
from dataspace.errors import Malformed, Unverified
from dataspace.policy.decisions import Decision, decide
from dataspace.policy.requests import AccessRequest, request_from
from dataspace.policy.rules import PolicySet


@dataclass(frozen=True)
class RecordedDecision:
    """What one entry says was asked of the rules, and what they said: one for each question."""

    log: str
    index: int
    at_ms: int
    policy_sha256: str
    questions: tuple[AccessRequest, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class Difference:
    """One question that another set decides otherwise: a no for a yes, or by other rules."""

    recorded: RecordedDecision
    question: AccessRequest
    before: Decision
    after: Decision

    @property
    def outcome_changes(self) -> bool:
        """Whether it is another outcome, and not the same by other rules."""
        return self.before.allowed != self.after.allowed


def read_recorded(
    log: str, index: int, entry: Entry, body: Mapping[str, Any] | None
) -> RecordedDecision | None:
    """The decision in an entry with its body, or None where it records none.

    Raises `Unverified` (code `evidence-replay`) where questions and answers cannot be read.
    """
    if body is None or "access_requests" not in body:
        return None
    try:
        questions = tuple(map(request_from, body["access_requests"]))
        decisions = tuple(Decision.from_json(json.dumps(each)) for each in body["decisions"])
    except (Malformed, KeyError, TypeError) as error:
        raise _unverified(
            f"entry {index} of {log} records a decision that cannot be read"
        ) from error
    if not questions or len(questions) != len(decisions):
        raise _unverified(f"entry {index} of {log} records questions without their decisions")
    named = str(entry.fields.get("policy_sha256"))
    if {each.policy_sha256 for each in decisions} != {named}:
        raise _unverified(f"entry {index} of {log} names another policy set than its decisions")
    return RecordedDecision(log, index, entry.at_ms, named, questions, decisions)


def decide_again(questions: Iterable[AccessRequest], policies: PolicySet) -> tuple[Decision, ...]:
    """The decisions of a set on recorded questions."""
    return tuple(decide(policies, question) for question in questions)


def check_same(recorded: RecordedDecision, policies: PolicySet) -> None:
    """Raise `Unverified` unless the set of that time decides just what was recorded."""
    if policies.sha256 != recorded.policy_sha256:
        raise _unverified(
            f"entry {recorded.index} of {recorded.log} was decided by another set than this"
        )
    if decide_again(recorded.questions, policies) != recorded.decisions:
        raise _unverified(
            f"entry {recorded.index} of {recorded.log} records another decision than its rules give"
        )


def differences(
    recorded: Sequence[RecordedDecision], policies: PolicySet
) -> tuple[Difference, ...]:
    """What another set would decide otherwise, question by question."""
    return tuple(
        Difference(each, question, before, after)
        for each in recorded
        for question, before, after in zip(
            each.questions, each.decisions, decide_again(each.questions, policies), strict=True
        )
        if (before.allowed, _ids(before)) != (after.allowed, _ids(after))
    )


def _ids(decision: Decision) -> list[str]:
    return [rule.id for rule in decision.rules]


def _unverified(message: str) -> Unverified:
    return Unverified(f"{message}; do not rely on it", code="evidence-replay")
