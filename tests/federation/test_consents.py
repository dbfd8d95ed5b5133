"""Consents and emergency reviews in a running space, through the broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataspace.identity.names import ActorUri
from dataspace.policy.emergencies import EmergencyUse
from dataspace.processes import now_ms
from node.emergencies import LedgerEmergencies
from node.ledger import Ledger
from tests.federation.shell import gba_in
from tests.spaces import Ran, Space

DOCUMENT = "hkid:A123456(3)"
GIVE = (
    "give", "--document", DOCUMENT, "--recipient", "macao/hospital", "--purpose", "TREAT",
    "--until", "2099-01-01",
)  # fmt: skip


def consent(space: Space, *arguments: str, actor: str = "hongkong/clinician") -> Ran:
    return gba_in(space, "consent", *arguments, "--as", actor, "--format", "json")


def test_a_consent_is_given_shown_and_withdrawn_at_once(asked_space: Space) -> None:
    given = consent(asked_space, *GIVE)
    assert given.code == 0, given.err
    (made,) = given.json["consents"]
    assert made["standing"] == "given"
    assert made["categories"] == ["*"]
    listed = consent(asked_space, "list", "--document", DOCUMENT, actor="hongkong/regulator")
    assert made["id"] in [each["id"] for each in listed.json["consents"]]
    assert "A123456" not in given.out + listed.out
    withdrawn = consent(asked_space, "withdraw", made["id"], actor="hongkong/operator")
    assert withdrawn.json["consents"][0]["standing"] == "withdrawn"
    (shown,) = consent(asked_space, "show", made["id"]).json["consents"]
    assert shown["standing"] == "withdrawn"


def test_a_persons_consents_are_found_in_the_log_by_the_regulator(asked_space: Space) -> None:
    assert consent(asked_space, *GIVE).code == 0
    found = gba_in(
        asked_space, "audit", "search", "--document", DOCUMENT, "--kind", "consent.given", "--log",
        "hongkong", "--as", "hongkong/regulator", "--format", "json",
    )  # fmt: skip
    assert found.code == 0, found.err
    assert found.json["entries"]


@pytest.mark.parametrize("actor", ["hongkong/researcher", "hongkong/regulator"])
def test_others_give_no_consent(asked_space: Space, actor: str) -> None:
    ran = consent(asked_space, *GIVE, actor=actor)
    assert (ran.code, ran.error["rule"]) == (4, "consent-issuer")


@pytest.mark.parametrize(
    "changed", [("--until", "2020-01-01"), ("--purpose", "SPY"), ("--document", "hkid:A1234567")]
)
def test_a_consent_that_is_not_whole_is_malformed(
    asked_space: Space, changed: tuple[str, str]
) -> None:
    assert consent(asked_space, *GIVE, *changed).code == 3


def test_emergency_access_is_reviewed_over_the_broker(asked_space: Space) -> None:
    # The record path comes later: a use is put on the list as it will be there.
    ledger = Ledger.in_file(Path(asked_space.home / "hongkong" / "ledger.db"))
    doctor = ActorUri.parse("gba://macao/hospital/clinician/clinician-1")
    use = EmergencyUse(
        "use-1", doctor, "ETREAT", "unconscious after an accident", ("patients",), now_ms()
    )
    LedgerEmergencies(ledger).put(use)
    ledger.close()

    def audit(*arguments: str, actor: str = "hongkong/regulator") -> Ran:
        return gba_in(asked_space, "audit", *arguments, "--as", actor, "--format", "json")

    assert [each["use"] for each in audit("reviews").json["uses"]] == ["use-1"]
    assert audit("review", "use-1").code == 3
    assert audit("reviews", actor="hongkong/clinician").error["rule"] == "emergency-reviewer"
    objected = audit("review", "use-1", "--object", "--note", "look again")
    assert objected.json["uses"][0]["verdict"] == "objected"
    assert audit("review", "use-1", "--sign-off").json["uses"][0]["verdict"] == "signed_off"
    assert audit("reviews").json["uses"] == []
    assert audit("review", "use-1", "--sign-off").error["rule"] == "emergency-reviewed"
