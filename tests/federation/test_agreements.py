"""Agreements in a running space: made, used by the gate, revoked within seconds, exported."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dataspace.cli.supervising import start_party
from dataspace.client import agreeing, connect
from dataspace.client.agreeing import agreements_at, revoke
from dataspace.errors import Refused, Unverified
from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from dataspace.v1.agreement_pb2 import AgreementAnswer, AgreementRequest
from tests.attacks.forgery import COUNT
from tests.federation.copies import running_copy, still_copy
from tests.federation.processes import await_ready, await_true, stop
from tests.federation.shell import gba_in
from tests.spaces import Ran, Space

SECONDS = 5.0  # within which a revocation acts everywhere
TERMS = (
    "--provider", "hongkong", "--consumer", "macao", "--product", "patients", "--purpose", "TREAT",
    "--basis", "HK-PDPO+MO-PDPA", "--retention-days", "7",
)  # fmt: skip


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("agreements")) as running:
        yield running


def agreement(space: Space, *arguments: str, region: str) -> Ran:
    actor = f"{region}/operator"
    return gba_in(space, "agreement", *arguments, "--as", actor, "--format", "json")


def finalised(space: Space, *terms: str) -> str:
    """A new agreement that Macao requests of Hong Kong, signed to the end; its id."""
    made = agreement(space, "propose", *(terms or TERMS), region="macao")
    assert made.code == 0, made.err
    name = str(made.json["id"])
    for region, state in (("hongkong", "agreed"), ("macao", "verified"), ("hongkong", "finalised")):
        ran = agreement(space, "accept", name, region=region)
        assert ran.code == 0, ran.err
        assert ran.json["state"] == state
    return name


def standing_at(space: Space, region: str, name: str) -> str:
    ran = agreement(space, "show", name, region=region)
    return str(ran.json["standing"]) if ran.code == 0 else ""


def newest(space: Space, kind: str, log: str) -> dict[str, Any]:
    """The newest entry of a kind, whole."""
    regulator = ("--as", f"{log}/regulator", "--format", "json")
    found = gba_in(
        space, "audit", "search", "--kind", kind, "--log", log, "--newest", "--limit", "1",
        *regulator,
    )  # fmt: skip
    index = str(found.json["entries"][0]["index"])
    shown = gba_in(space, "audit", "show", log, index, *regulator)
    assert shown.code == 0, shown.err
    return shown.json


def decided(space: Space, region: str) -> dict[str, Any]:
    """What the node's newest released query was decided on."""
    body = newest(space, "query.released", region)["body"]
    assert isinstance(body, dict)
    return body


def ask(space: Space) -> None:
    with connect(space.home, "macao/researcher") as session:
        session.query(COUNT, purpose="HRESCH")


def test_a_new_space_has_agreements_between_all_pairs_over_everything(space: Space) -> None:
    pairs = set()
    for region in ("guangzhou", "hongkong", "macao"):
        ran = agreement(space, "list", region=region)
        for each in ran.json["agreements"]:
            if each["terms"]["products"] == ["*"] and each["standing"] == "in force":
                pairs.add((each["terms"]["provider"], each["terms"]["consumer"]))
                assert [step["state"] for step in each["steps"]] == [
                    "requested", "agreed", "verified", "finalised",
                ]  # fmt: skip
    assert len(pairs) == 6


def test_each_transition_is_in_both_parties_logs(space: Space) -> None:
    name = finalised(space)
    digests: dict[str, list[str]] = {"hongkong": [], "macao": []}
    for log, found in digests.items():
        for state in ("requested", "agreed", "verified", "finalised"):
            fields = newest(space, f"agreement.{state}", log)["entry"]["fields"]
            assert fields["agreement"] == name
            found.append(fields["step_sha256"])
    assert digests["hongkong"] == digests["macao"]
    assert gba_in(space, "audit", "verify").code == 0


def test_the_gate_records_the_state_and_the_agreement_and_evidence_still_verifies(
    space: Space, tmp_path: Path
) -> None:
    with connect(space.home, "hongkong/researcher") as session:
        (demo,) = [
            each
            for each in agreements_at_operator(space, "macao")
            if each["terms"]["provider"] == "macao" and each["terms"]["consumer"] == "hongkong"
        ]
        release = session.query(COUNT, purpose="HRESCH", cosigned_seconds=10)
        data = session.evidence(release.id)
    body = decided(space, "macao")
    assert [each["agreement"] for each in body["access_requests"]] == ["valid"]
    assert body["agreements"] == [[demo["sha256"]]]
    file = tmp_path / "evidence"
    file.write_bytes(data)
    verified = gba_in(space, "evidence", "verify", str(file))
    assert verified.code == 0, verified.err


def agreements_at_operator(space: Space, region: str) -> list[dict[str, Any]]:
    found = agreement(space, "list", region=region).json["agreements"]
    assert isinstance(found, list)
    return found


def test_a_revocation_by_either_party_acts_everywhere_within_five_seconds(space: Space) -> None:
    for revoking, other in (("macao", "hongkong"), ("hongkong", "macao")):
        name = finalised(space)
        began = time.monotonic()
        assert agreement(space, "revoke", name, "--reason", "over", region=revoking).code == 0
        assert standing_at(space, other, name) == "terminated"
        assert time.monotonic() - began < SECONDS
        assert agreement(space, "accept", name, region=other).error["rule"] == "agreement-turn"


def test_a_node_that_was_away_knows_of_a_revocation_before_it_answers(space: Space) -> None:
    name = finalised(space)
    stop(space, "hongkong")
    ran = agreement(space, "revoke", name, region="macao")
    assert ran.code == 0, ran.err
    assert ran.json["waiting"] == ["hongkong"]
    start_party(space.home, "hongkong")
    await_ready(space)
    began = time.monotonic()
    assert standing_at(space, "hongkong", name) == "terminated"
    assert time.monotonic() - began < SECONDS


def test_an_agreement_is_ended_without_the_broker_and_the_other_learns_later(
    space: Space,
) -> None:
    name = finalised(space)
    stop(space, "broker")
    try:
        ran = agreement(space, "revoke", name, region="hongkong")
        assert ran.code == 0, ran.err
        assert (ran.json["state"], ran.json["waiting"]) == ("terminated", ["macao"])
    finally:
        start_party(space.home, "broker")
        # Nodes dial again, each by itself, after a pause that grows to five seconds.
        for each in REGIONS:
            back = partial(agreement, space, "list", region=each)
            await_true(lambda back=back: back().code == 0, f"{each} is not attached again", 60)  # type: ignore[misc]
    assert standing_at(space, "hongkong", name) == "terminated"
    # Its node hands on what it has, so that nobody has to say it again.
    known = partial(standing_at, space, "macao", name)
    await_true(lambda: known() == "terminated", "the other party has not learned of it")
    assert agreement(space, "revoke", name, region="hongkong").code == 0


def test_a_revoked_agreement_is_expired_at_the_gate_and_aggregates_go_on(space: Space) -> None:
    with connect(space.home, "guangzhou/operator") as session:
        home = PartyHome(space.home / "guangzhou" / "operator")
        (held,) = [
            each
            for each in agreements_at(session, "guangzhou")
            if each.agreement.terms.provider == "macao"
        ]
        signed = revoke(session, home.uri, held.agreement, "no longer")
        assert signed.waiting == []
    with connect(space.home, "guangzhou/researcher") as session:
        session.query(COUNT, purpose="HRESCH")
    body = decided(space, "macao")
    assert [each["agreement"] for each in body["access_requests"]] == ["expired"]
    assert body["agreements"] == [[held.agreement.finalised_sha256]]


def test_an_agreement_that_overlaps_is_shown_when_it_is_proposed(space: Space) -> None:
    made = agreement(space, "propose", *TERMS, "--column", "patients.age", region="macao")
    wide = [
        each["id"] for each in agreements_at_operator(space, "macao")
        if each["terms"]["provider"] == "hongkong" and each["terms"]["products"] == ["*"]
    ]  # fmt: skip
    assert set(wide) <= set(made.json["overlaps"])


@pytest.mark.parametrize(
    ("arguments", "region", "code", "error"),
    [
        (("propose", *TERMS), "guangzhou", 3, "terms"),
        (("propose", *TERMS, "--purpose", "SPY"), "macao", 3, "terms"),
        (("propose", *TERMS, "--until", "2020-01-01"), "macao", 3, "terms"),
        (("propose", "--provider", "hongkong", "--consumer", "guangzhou", "--purpose", "TREAT",
          "--basis", "GBA-SC"), "guangzhou", 3, "terms"),
        (("accept", "ffff"), "macao", 3, "agreement-unknown"),
        (("show", "f"), "macao", 3, "agreement-unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_code(
    space: Space, arguments: tuple[str, ...], region: str, code: int, error: str
) -> None:
    ran = agreement(space, *arguments, region=region)
    assert (ran.code, ran.error["code"]) == (code, error)


def test_only_an_operator_signs(space: Space) -> None:
    ran = gba_in(
        space, "agreement", "propose", *TERMS, "--as", "macao/researcher", "--format", "json"
    )
    assert (ran.code, ran.error["rule"]) == (4, "agreement-party")
    looked = gba_in(space, "agreement", "list", "--as", "macao/researcher", "--format", "json")
    assert (looked.code, looked.error["rule"]) == (4, "agreement-reader")


def test_an_agreement_and_the_catalogue_are_exported(space: Space) -> None:
    name = finalised(space)
    odrl = gba_in(space, "agreement", "export", name, "--as", "odrl", "--as", "macao/operator")
    assert odrl.code == 0, odrl.err
    assert odrl.json["@type"] == "Agreement"
    assert odrl.json["assignee"] == "gba://macao"
    dcat = gba_in(space, "agreement", "export", name, "--as", "dcat", "--as", "macao/operator")
    assert [each["@id"] for each in dcat.json["dataset"]] == ["urn:gba:dataset:hongkong:patients"]
    whole = gba_in(space, "agreement", "export", "--as", "dcat", "--as", "macao/researcher")
    assert len(whole.json["dataset"]) > 3
    assert gba_in(space, "agreement", "export", name, "--as", "macao/operator").code == 3


def test_a_space_without_agreements_has_none_and_still_answers_statistics(tmp_path: Path) -> None:
    space = still_copy(tmp_path, "--patients", "300", "--no-agreements")
    try:
        assert space.up().code == 0
        assert agreements_at_operator(space, "macao") == []
        ask(space)
        body = decided(space, "hongkong")
        assert [each["agreement"] for each in body["access_requests"]] == ["absent"]
        assert body["agreements"] == [[]]
    finally:
        space.down()


def test_a_node_that_leaves_out_a_signature_is_not_believed(space: Space) -> None:
    finalised(space)
    with connect(space.home, "macao/operator") as session:
        (answer,) = session.audit(AgreementRequest(), ["macao"])
        assert answer.answer is not None
        body = answer.answer.body
        assert isinstance(body, AgreementAnswer)
        assert agreeing._held(session, answer)
        for held in [each for each in body.held if len(each.chain.steps) > 1]:
            del held.chain.steps[1]
            del held.received_ms[1]
        with pytest.raises((Refused, Unverified)):
            agreeing._held(session, answer)


def test_all_parties_run_on(space: Space) -> None:
    await_true(lambda: space.gba("space", "status").code == 0, "a party has stopped")
