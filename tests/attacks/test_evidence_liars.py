"""Log owners who record what they please, and sign and log all of it: evidence tells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataspace.audit.entries import commitment
from dataspace.evidence.bundle import parse_evidence
from dataspace.identity.envelopes import seal
from dataspace.policy.rules import load
from dataspace.v1 import catalogue_pb2, evidence_pb2, query_pb2
from tests.attacks.evidence_case import altered, case, fails_at, record, whole
from tests.unit.evidence.world import (
    POLICIES,
    SQL,
    STRICT_POLICIES,
    Case,
    files,
    make_world,
    part,
    release,
    verify,
)
from tests.unit.identity.world import NOW_MS, make_signing, sha256

Said = dict[str, dict[str, Any]]  # an entry's fields and its context
Lie = Callable[[str, Said], None]


def lying(change: Lie, owner: str) -> Case:
    """A release whose `owner` records a context of its own making."""
    world = case().world
    recorder = world.parties[owner].recorder
    honest = recorder.record

    def record_lie(kind, at_ms, fields, body=None):  # type: ignore[no-untyped-def]  # as `record`
        said = {"fields": dict(fields), "body": json.loads(json.dumps(body)) if body else {}}
        change(kind, said)
        return honest(kind, at_ms, said["fields"], said["body"] or None)

    class Liar:
        log, bodies, origin = recorder.log, recorder.bodies, recorder.origin
        record = staticmethod(record_lie)

    world.parties[owner].recorder = Liar()  # type: ignore[assignment]  # as a recorder
    try:
        return release(world)
    finally:
        world.parties[owner].recorder = recorder


@pytest.mark.parametrize("owner", ["broker", "macao"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("purpose", "TREAT"),
        ("columns", []),
        ("actor_role", "regulator"),
        ("legal_basis", "GBA-SC"),
        ("route_to", "guangzhou"),
        ("at_ms", NOW_MS + 120_000),
        ("at_ms", NOW_MS + 20),
        ("project", "p2"),
    ],
)
def test_a_question_that_the_request_does_not_give_is_refused(
    owner: str, name: str, value: object
) -> None:
    def change(_: str, said: Said) -> None:
        for question in said["body"].get("access_requests", []):
            question[name] = value

    fails_at(lying(change, owner).file(), "questions")


@pytest.mark.parametrize("owner", ["broker", "macao"])
@pytest.mark.parametrize("name", ["actor", "sql", "project"])
def test_a_context_of_another_actor_or_question_is_refused(owner: str, name: str) -> None:
    def change(_: str, said: Said) -> None:
        if said["body"]:
            said["body"][name] = "another"

    assert name in fails_at(lying(change, owner).file(), "contexts")


@pytest.mark.parametrize("owner", ["broker", "macao"])
def test_a_decision_that_the_rules_do_not_give_is_refused(owner: str) -> None:
    def change(_: str, said: Said) -> None:
        if said["body"]:
            said["body"]["decisions"][0]["allowed"] = False

    fails_at(lying(change, owner).file(), "decisions")


@pytest.mark.parametrize(
    ("name", "value", "step"),
    [
        ("rules", ["figures"], "decisions"),
        ("decision", "deny", "decisions"),
        ("policy_sha256", "0" * 64, "decisions"),
        ("catalogue_sha256", "0" * 64, "catalogue"),
        ("cells", 3, "answers"),
        ("products", ["patients"], "answers"),
        ("request_sha256", "0" * 64, "request"),
        ("body_sha256", "0" * 64, "answers"),
    ],
)
def test_an_entry_that_tells_of_something_else_is_refused(
    name: str, value: object, step: str
) -> None:
    def change(_: str, said: Said) -> None:
        said["fields"][name] = value

    fails_at(lying(change, "macao").file(), step)


def test_a_commitment_is_salted_so_that_nobody_can_guess() -> None:
    for mine in parse_evidence(whole()).records:
        if mine.context:
            committed = json.loads(mine.entry)["fields"]["context"]
            assert commitment(mine.salt, mine.context).hex() == committed
            assert hashlib.sha256(mine.context).hexdigest() != committed


def test_a_denial_is_proved_like_any_answer(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    permitting = world.policies
    world.policies, world.policy_files = load(STRICT_POLICIES), STRICT_POLICIES
    denied = release(world, broker_rules=permitting)
    denied.parts["broker"].policies.CopyFrom(files(POLICIES))
    report = verify(denied.file(), world)
    assert report.failed is None, report.failed
    assert "default-deny" in report.steps[-2].words


def test_a_node_that_releases_what_its_rules_deny_is_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    permitting = world.policies
    world.policies, world.policy_files = load(STRICT_POLICIES), STRICT_POLICIES
    world.defiant = "macao"
    defied = release(world, broker_rules=permitting)
    defied.parts["broker"].policies.CopyFrom(files(POLICIES))
    assert "otherwise than its rules" in fails_at(defied.file(), "decisions", defied)


def test_a_broker_that_forwards_what_its_rules_deny_is_refused() -> None:
    lax = release(case().world, broker_rules=load(STRICT_POLICIES))
    lax.parts["broker"].policies.CopyFrom(files(STRICT_POLICIES))
    assert "what its rules forbid" in fails_at(lax.file(), "decisions")


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        (lambda partial: partial.rules.append("figures"), "signed other rules"),
        (lambda partial: partial.bases.__setitem__(0, "none"), "signed other rules"),
        (lambda partial: setattr(partial, "policy_sha256", bytes(32)), "signed other rules"),
        (lambda partial: setattr(partial, "decided_at_ms", NOW_MS - 1), "another time"),
    ],
)
def test_a_partial_that_signs_another_decision_is_refused(
    tmp_path: Path, twist: Callable[[query_pb2.Partial], None], words: str
) -> None:
    world = make_world(tmp_path)
    world.twist = lambda region, partial: twist(partial) if region == "macao" else None
    twisted = release(world)
    assert words in fails_at(twisted.file(), "decisions", twisted)


def test_an_answer_that_the_partials_do_not_combine_to_is_refused() -> None:
    wrong = release(case().world, answer_sha256=bytes(32))
    assert "not what the partials combine to" in fails_at(wrong.file(), "combination")


@pytest.mark.parametrize(
    ("owner", "step", "words"),
    [
        ("broker", "questions", "questions to its rules are missing"),
        ("macao", "decisions", "without a decision on record"),
    ],
)
def test_an_answer_without_a_decision_on_record_is_refused(
    owner: str, step: str, words: str
) -> None:
    def change(_: str, said: Said) -> None:
        if said["body"]:
            said["body"] |= {"access_requests": [], "decisions": []}

    assert words in fails_at(lying(change, owner).file(), step)


def test_questions_without_their_decisions_are_refused() -> None:
    def change(_: str, said: Said) -> None:
        if said["body"]:
            said["body"]["decisions"] = []

    assert "without their decisions" in fails_at(lying(change, "macao").file(), "contexts")


@pytest.mark.parametrize(
    ("name", "value"), [("nodes", {"macao": "refused"}), ("partials", []), ("body_sha256", "0")]
)
def test_a_broker_that_records_another_release_is_refused(name: str, value: object) -> None:
    def change(kind: str, said: Said) -> None:
        if kind == "query.released":
            said["fields"][name] = value

    fails_at(lying(change, "broker").file(), "release")


@pytest.mark.parametrize("early", [70_000, -60_000])
def test_a_broker_that_signs_another_time_than_it_records_is_refused(early: int) -> None:
    dated = release(case().world, released_ms=NOW_MS - early)
    assert "another time" in fails_at(dated.file(), "release")


def test_a_record_that_is_not_the_receipts_is_refused() -> None:
    twice = release(case().world)
    recorder = case().world.parties["macao"].recorder
    entry = json.loads(twice.bundle.answers[2].receipt.entry)
    again = recorder.record(entry["kind"], entry["at_ms"], entry["fields"])
    twice.parts["macao"].records[0].CopyFrom(part(case().world, "macao", [again.index]).records[0])
    assert "not the one of its receipt" in fails_at(twice.file(), "answers")
    twice = release(case().world)
    recorder = case().world.parties["broker"].recorder
    entry = json.loads(twice.bundle.receipt.entry)
    again = recorder.record(entry["kind"], entry["at_ms"], entry["fields"])
    twice.parts["broker"].records[1].CopyFrom(
        part(case().world, "broker", [again.index]).records[0]
    )
    assert "not the one of its receipt" in fails_at(twice.file(), "release")


def test_a_salt_that_opens_nothing_is_refused() -> None:
    def add(evidence: evidence_pb2.Evidence) -> None:
        record(evidence, "broker", 1).salt = bytes(32)

    assert "commits to none" in fails_at(altered(add), "contexts")


def test_a_revocation_list_of_nobody_is_refused() -> None:
    fails_at(altered(lambda e: e.revocation_lists.append(e.request)), "revocation")


def test_a_trust_list_that_had_expired_when_the_log_was_seen_is_refused(tmp_path: Path) -> None:
    stale = release(make_world(tmp_path, expires_at_ms=NOW_MS + 1_000))
    assert "expired" in fails_at(stale.file(), "times", stale)


def test_a_trust_list_of_later_than_the_release_is_refused(tmp_path: Path) -> None:
    later = release(make_world(tmp_path, issued_at_ms=NOW_MS + 30_000))
    assert "came after the release" in fails_at(later.file(), "release", later)


def test_a_product_offered_twice_is_refused() -> None:
    world = case().world
    mine = world.offers["macao"]
    operator = make_signing(world.space.members["macao"], "gba://macao/h1/operator/op")
    wire = catalogue_pb2.ProductOffer.FromString(mine.payload)
    while True:
        wire.published_at_ms += 1
        other_offer = seal(wire, operator)
        if sha256(other_offer.payload) < sha256(mine.payload):
            break
    assert "twice" in fails_at(
        altered(lambda e: e.catalogues[2].offers.insert(0, other_offer)), "catalogue"
    )


def test_offers_of_a_region_that_was_not_asked_are_refused() -> None:
    alone = release(case().world, sql=SQL.replace("trial", "hongkong.trial"), regions=["hongkong"])
    assert verify(alone.file(), case().world).failed is None
    alone.parts["broker"].catalogues.append(case().parts["macao"].catalogues[0])
    assert "not asked" in fails_at(alone.file(), "catalogue")
