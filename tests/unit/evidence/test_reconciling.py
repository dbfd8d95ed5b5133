"""Reconciliation: honest logs agree, and each way to disagree has its name."""

from __future__ import annotations

import hashlib

import pytest

from dataspace.evidence.reconciling import (
    DIFFERENCES,
    GRACE_MS,
    Line,
    Reconciliation,
    reconcile,
)
from dataspace.v1 import audit_pb2

LOGS = ("broker", "guangzhou", "hongkong", "macao")
NOW = 10_000_000
REQUEST = hashlib.sha256(b"request").digest()


def digest(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()


def line(
    log: str, kind: str, body: str = "", at_ms: int = 1_000_000, outcome: str = "",
    said: dict[str, str] | None = None, request: bytes = REQUEST,
) -> Line:  # fmt: skip
    outcomes = [
        audit_pb2.AuditOutcome(region=region, status="released", body_sha256=digest(word))
        if not word.startswith("!")
        else audit_pb2.AuditOutcome(region=region, status=word[1:])
        for region, word in (said or {}).items()
    ]
    entry = audit_pb2.AuditEntry(
        index=1, at_ms=at_ms, kind=kind, outcome=outcome, request_sha256=request,
        body_sha256=digest(body) if body else b"", outcomes=outcomes,
    )  # fmt: skip
    return Line(log, entry)


def released(region: str, word: str = "") -> Line:
    return line(region, "query.released", word or region, outcome="released")


FORWARDED = line("broker", "query.forwarded")


def broker(**said: str) -> list[Line]:
    return [FORWARDED, line("broker", "query.released", "release", said=said)]


def held(lines: list[Line], **given: object) -> Reconciliation:
    return reconcile(lines, LOGS, now_ms=NOW, **given)  # type: ignore[arg-type]


def codes(lines: list[Line]) -> list[tuple[str, str]]:
    return [(each.code, each.log) for each in held(lines).differences]


def test_honest_logs_agree() -> None:
    lines = [*broker(macao="macao", hongkong="hongkong"), released("macao"), released("hongkong")]
    found = held(lines)
    assert (found.requests, found.differences, found.remarks) == (1, (), ())


def test_an_answer_to_an_attempt_that_was_given_up_is_a_remark() -> None:
    answered = line("macao", "overlap.released", "macao", outcome="released")
    given_up = line("broker", "overlap.given_up")
    found = held([*broker(macao="!unreachable"), given_up, answered])
    assert found.differences == ()
    assert [(each.code, each.log) for each in found.remarks] == [("given-up", "macao")]


CASES = [
        ([released("macao")], "broker-denies", "macao"),
        ([line("broker", "query.refused"), released("macao")], "broker-denies", "macao"),
        (broker(macao="macao"), "node-never-logged", "macao"),
        ([*broker(macao="forged"), released("macao")], "answer-differs", "macao"),
        ([*broker(macao="!unreachable"), released("macao")], "broker-withholds", "macao"),
        ([*broker(macao="!unverified"), released("macao")], "broker-withholds", "macao"),
        ([*broker(macao="macao"), released("macao"), released("hongkong")], "broker-omits",
         "hongkong"),
    ]  # fmt: skip


@pytest.mark.parametrize(("lines", "code", "log"), CASES)
def test_what_one_side_has_and_another_lacks_is_found(
    lines: list[Line], code: str, log: str
) -> None:
    assert codes(lines) == [(code, log)]
    (found,) = held(lines).differences
    assert log in found.message
    assert found.request_sha256 == REQUEST.hex()


def test_every_difference_but_the_clients_has_a_case_above() -> None:
    assert {code for _, code, _ in CASES} | {"broker-never-logged"} == set(DIFFERENCES)


def test_a_release_that_the_broker_never_logged_is_found() -> None:
    lines = [*broker(macao="macao"), released("macao")]
    assert held(lines, releases=[digest("release").hex()]).differences == ()
    (found,) = held(lines, releases=[digest("other").hex()]).differences
    assert found.code == "broker-never-logged"


def test_entries_that_are_young_are_under_way() -> None:
    lines = [line("macao", "query.released", "m", NOW - GRACE_MS + 1, "released")]
    found = held(lines)
    assert (found.differences, found.in_flight) == ((), (REQUEST.hex(),))


def test_a_request_cut_off_by_the_start_is_left_out() -> None:
    lines = [line("macao", "query.released", "m", 1_000_000, "released")]
    assert held(lines, from_ms=999_000).differences == ()
    assert held(lines, from_ms=900_000).differences != ()


def test_a_late_answer_is_a_remark() -> None:
    found = held([*broker(macao="!timeout"), released("macao")])
    assert found.differences == ()
    assert [each.code for each in found.remarks] == ["late"]


def test_cancelled_explained_and_replayed_requests_are_no_difference() -> None:
    cancelled = [FORWARDED, line("broker", "query.cancelled"), released("macao")]
    explained = [FORWARDED, line("macao", "query.explained", "m", outcome="explained")]
    refused = [line("broker", "query.refused")]
    replayed = [
        *broker(macao="macao"), *broker(macao="no"), released("macao"),
        line("macao", "query.refused", "no", outcome="refused"),
    ]  # fmt: skip
    for lines in (cancelled, explained, refused, replayed):
        assert codes(lines) == []


def test_a_forwarded_request_without_an_outcome_is_a_remark() -> None:
    assert [each.code for each in held([FORWARDED]).remarks] == ["unfinished"]


def test_entries_without_a_request_are_left_out() -> None:
    assert held([line("macao", "product.loaded", request=b"")]).requests == 0
