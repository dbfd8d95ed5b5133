"""What is counted: codes and rules, whatever somebody brings."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dataspace.observing.calls import Calls
from dataspace.observing.counts import OTHER, SEVERAL, Counts
from dataspace.observing.readings import Reading, Readings, single

DIGEST = "ab" * 32


def requests(counts: Counts) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in counts.registry.collect()
        for sample in family.samples
        if sample.name == "gba_requests_total"
    }


def test_an_answer_counts_by_kind_outcome_and_rule() -> None:
    counts = Counts()
    fields = {"request_sha256": DIGEST, "outcome": "refused", "rule": "default-deny"}
    counts.recorded("query.refused", fields, 0)
    counts.recorded("query.refused", fields, 1)
    permitted = {"request_sha256": DIGEST, "outcome": "released", "rules": ["research-statistics"]}
    counts.recorded("query.released", permitted, 2)
    counts.recorded("query.released", {**permitted, "rules": ["a", "b"]}, 3)
    assert requests(counts) == {
        ("query", "refused", "default-deny"): 2,
        ("query", "released", "research-statistics"): 1,
        ("query", "released", SEVERAL): 1,
    }


def test_what_is_no_answer_does_not_count_as_one() -> None:
    counts = Counts()
    counts.recorded("query.forwarded", {"request_sha256": DIGEST}, 0)
    counts.recorded("policy.loaded", {"policy_sha256": DIGEST}, 1)
    assert requests(counts) == {}


@pytest.mark.parametrize(
    "rule",
    [
        "陳大文",
        "gba://hongkong/hospital/clinician/chan",
        "a b",
        "x" * 65,
        'a"} 1\nevil',
        "-a",
        "a\n",
    ],
)
def test_a_rule_that_is_no_id_is_counted_as_other(rule: str) -> None:
    counts = Counts()
    fields = {"request_sha256": DIGEST, "outcome": "refused", "rule": rule}
    counts.recorded("query.refused", fields, 0)
    assert requests(counts) == {("query", "refused", OTHER): 1}
    assert rule not in generate_latest(counts.registry).decode()


def test_however_many_rules_there_are_the_page_stays_small() -> None:
    counts = Counts()
    for number in range(2_000):
        fields = {"request_sha256": DIGEST, "outcome": "refused", "rule": f"rule-{number}"}
        counts.recorded("query.refused", fields, number)
    found = requests(counts)
    assert len(found) <= 513
    assert sum(found.values()) == 2_000


def test_who_asks_and_what_is_in_no_label() -> None:
    counts = Counts()
    fields = {
        "request_sha256": DIGEST, "outcome": "released", "rules": ["research-statistics"],
        "actor": "gba://hongkong/hospital/clinician/chan", "sql": "SELECT 1", "purpose": "HRESCH",
    }  # fmt: skip
    counts.recorded("query.released", fields, 0)
    page = generate_latest(counts.registry).decode()
    assert not any(each in page for each in ("chan", "SELECT", "HRESCH", DIGEST[:16]))


def test_an_alarm_counts_by_its_rule() -> None:
    counts = Counts()
    counts.recorded("alarm.raised", {"rule": "many-refusals"}, 0)
    counts.recorded("policy.rejected", {"rule": "anything", "code": "policy-set"}, 1)
    page = generate_latest(counts.registry).decode()
    assert 'gba_alarms_total{rule="many-refusals"} 1.0' in page
    assert 'gba_alarms_total{rule="policy.rejected"} 1.0' in page


def test_a_call_counts_once_with_its_last_word() -> None:
    counts = Counts()
    calls = Calls(counts)
    call, other = calls.begin("query", b"a"), calls.begin("query", b"a")
    assert calls.open == 2
    for stage in ("received", "decided", "running", "running", "released"):
        call.stage(stage)
    call.end()
    call.end("failed")
    other.end()
    page = generate_latest(counts.registry).decode()
    assert calls.open == 0
    assert 'gba_call_seconds_count{kind="query",outcome="released"} 1.0' in page
    assert 'gba_call_seconds_count{kind="query",outcome="failed"} 1.0' in page
    assert "gba_decision_seconds_count 1.0" in page


def test_a_reading_that_fails_is_counted_and_the_others_stand() -> None:
    registry = CollectorRegistry()

    def fails() -> float:
        raise OSError("/home/chan-tai-man is gone")

    Readings(
        registry,
        (
            single("gba_bad", "Fails.", fails),
            single("gba_absent", "None yet.", lambda: None),
            Reading("gba_good", "Stands.", lambda: [(("macao",), 1.0)], ("region",)),
        ),
    )
    page = generate_latest(registry).decode()
    assert 'gba_good{region="macao"} 1.0' in page
    assert 'gba_reading_failures_total{metric="gba_bad"} 1.0' in page
    assert "gba_absent " not in page.replace("# HELP gba_absent ", "").replace(
        "# TYPE gba_absent ", ""
    )
    assert "chan-tai-man" not in page
