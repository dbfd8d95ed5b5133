"""Recorded decisions come out the same again, and a new set's changes are shown."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dataspace.audit.entries import Entry
from dataspace.errors import Unverified
from dataspace.evidence.redeciding import (
    RecordedDecision,
    check_same,
    differences,
    read_recorded,
)
from dataspace.policy.decisions import decide
from dataspace.policy.requests import PURPOSES, ROLES, STATES, AccessRequest
from dataspace.policy.rules import PolicySet, legal_bases, load
from dataspace.policy.store import read_folder, read_tables
from tests.unit.policy.samples import NEGATIVE_LIST, POLICIES, statistics

SPACE = read_folder(POLICIES)


TABLED = [case.request for table in read_tables(POLICIES) for case in table.cases]


def requests() -> Iterator[AccessRequest]:
    """A thousand: those of the decision tables, then the same with some fields thrown."""
    dice = random.Random(5)
    yield from TABLED
    for _ in range(1_000 - len(TABLED)):
        yield replace(
            dice.choice(TABLED),
            actor_role=dice.choice(ROLES),
            purpose=dice.choice(PURPOSES),
            consent=dice.choice(STATES),
            legal_basis=dice.choice(legal_bases(SPACE)),
            at_ms=dice.randint(1_700_000_000_000, 2_100_000_000_000),
        )


def recorded_entry(policies: PolicySet, *asked: AccessRequest) -> tuple[Entry, dict[str, Any]]:
    """What a gate records of a decision: the entry's bytes and its body's, read back."""
    decisions = [decide(policies, each) for each in asked]
    body = {
        "actor": asked[0].actor_uri,
        "access_requests": [json.loads(each.to_json()) for each in asked],
        "decisions": [json.loads(each.to_json()) for each in decisions],
    }
    entry = Entry("query.released", asked[0].at_ms, {"policy_sha256": policies.sha256})
    return Entry.from_bytes(entry.to_bytes()), json.loads(json.dumps(body))


def recorded(policies: PolicySet, *asked: AccessRequest) -> RecordedDecision:
    entry, body = recorded_entry(policies, *asked)
    found = read_recorded("guangzhou", 7, entry, body)
    assert found is not None
    return found


def test_a_thousand_recorded_decisions_come_out_the_same_again() -> None:
    count, exercised = 0, set[str]()
    fresh = load(SPACE.files)
    for asked in requests():
        again = recorded(SPACE, asked)
        check_same(again, fresh)
        count += 1
        exercised |= {rule.id for each in again.decisions for rule in each.rules}
    assert count == 1_000
    assert set(SPACE.rules) <= exercised


def test_a_record_whose_decision_was_altered_does_not_pass() -> None:
    asked = statistics()
    entry, body = recorded_entry(SPACE, asked)
    rule = body["decisions"][0]["rules"][0]
    for name, change in (
        ("decisions", {"allowed": False}),
        ("decisions", {"rules": [rule | {"id": "another-rule"}]}),
        ("access_requests", {"purpose": "HPAYMT"}),
        ("access_requests", {"categories": ["genetic"]}),
    ):
        forged = body | {name: [body[name][0] | change]}
        found = read_recorded("guangzhou", 7, entry, forged)
        assert found is not None
        with pytest.raises(Unverified, match="entry 7 of guangzhou"):
            check_same(found, SPACE)


@pytest.mark.parametrize(
    "broken",
    [
        {"decisions": []},
        {"decisions": [{}]},
        {"access_requests": [{"purpose": "TREAT"}]},
        {"access_requests": 1},
        {"access_requests": [], "decisions": []},
    ],
)
def test_a_record_that_cannot_be_read_is_unverified_and_not_passed_over(broken: Any) -> None:
    entry, body = recorded_entry(SPACE, statistics())
    with pytest.raises(Unverified):
        read_recorded("guangzhou", 7, entry, body | broken)


def test_questions_without_as_many_decisions_are_unverified() -> None:
    entry, body = recorded_entry(SPACE, statistics(), statistics())
    with pytest.raises(Unverified, match="without their decisions"):
        read_recorded("guangzhou", 7, entry, body | {"decisions": body["decisions"][:1]})


def test_an_entry_that_names_another_set_than_its_decisions_is_unverified() -> None:
    entry, body = recorded_entry(SPACE, statistics())
    other = Entry(entry.kind, entry.at_ms, {"policy_sha256": "0" * 64})
    with pytest.raises(Unverified, match="another policy set"):
        read_recorded("guangzhou", 7, other, body)


def test_a_decision_is_not_replayed_by_another_set_than_its_own() -> None:
    other = load(dict(SPACE.files) | {"more.cedar": b"// nothing"})
    with pytest.raises(Unverified, match="another set"):
        check_same(recorded(SPACE, statistics()), other)


def test_entries_without_a_decision_are_none() -> None:
    entry, body = recorded_entry(SPACE, statistics())
    assert read_recorded("broker", 1, entry, None) is None
    assert read_recorded("broker", 1, entry, {"actor": body["actor"]}) is None


def test_a_new_negative_list_shows_just_the_decisions_that_it_would_turn() -> None:
    at = 1_717_200_000_000  # in the list's year
    age = statistics(at_ms=at, categories=frozenset({"age"}))
    income = statistics(at_ms=at, categories=frozenset({"income"}))
    later = replace(income, at_ms=1_790_000_000_000)
    listed = NEGATIVE_LIST.replace('["genetic"]', '["income"]').encode()
    stricter = load(dict(SPACE.files) | {"negative-lists/income.toml": listed})
    found = differences([recorded(SPACE, age, income), recorded(SPACE, later)], stricter)
    assert [(each.question, each.outcome_changes) for each in found] == [(income, True)]
    assert [rule.id for rule in found[0].after.rules] == ["list-1"]
    assert found[0].before.allowed
    assert differences([recorded(SPACE, age, income, later)], SPACE) == ()


def test_the_same_answer_by_other_rules_is_shown_as_such() -> None:
    genetic = statistics(at_ms=1_717_200_000_000, categories=frozenset({"genetic"}))
    more = load(dict(SPACE.files) | {"negative-lists/more.toml": NEGATIVE_LIST.encode()})
    (found,) = differences([recorded(SPACE, genetic)], more)
    assert not found.outcome_changes
    assert [rule.id for rule in found.after.rules] == ["gba-health-2024", "list-1"]
