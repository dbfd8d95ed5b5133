"""One patient's record in a running space: the command, the logs, and what the broker saw."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhirclient.models.bundle import Bundle

import dataspace
from dataspace.client.summary.checks import problems
from tests.attacks.record_case import REASON, hkid, mtp, patients, rows_of
from tests.federation.copies import running_copy
from tests.federation.shell import gba_in
from tests.spaces import Ran, Space, contents

DOCTOR = "macao/clinician"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("records")) as running:
        yield running


@pytest.fixture(scope="module")
def consent(space: Space) -> str:
    given = gba_in(
        space, "consent", "give", "--document", hkid(patients()[0]), "--recipient",
        "macao/hospital", "--purpose", "TREAT", "--until", "2099-01-01", "--as",
        "hongkong/clinician", "--format", "json",
    )  # fmt: skip
    assert given.code == 0, given.err
    return str(given.json["consents"][0]["id"])


def record(space: Space, *arguments: str, actor: str = DOCTOR, form: str = "json") -> Ran:
    return gba_in(
        space, "crosscheck", "record", *arguments, "--as", actor, "--format", form
    )  # fmt: skip


def audit(space: Space, *arguments: str, actor: str = "hongkong/regulator") -> Any:
    ran = gba_in(space, "audit", *arguments, "--as", actor, "--format", "json")
    assert ran.code == 0, ran.err
    return ran.json


def test_a_consented_record_comes_from_where_it_is(
    space: Space, consent: str, tmp_path: Path
) -> None:
    file = tmp_path / "summary.json"
    ran = record(
        space, "--document", mtp(patients()[0]), "--purpose", "TREAT", "--consent", consent,
        "--fhir", str(file), "--lang", "zh-Hant", "--name", "陳大文", "--birth-date", "1970-01-31",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    nodes = {each["region"]: each for each in ran.json["nodes"]}
    assert {name: each["status"] for name, each in nodes.items()} == {
        "guangzhou": "not known", "hongkong": "released", "macao": "not known",
    }  # fmt: skip
    tables = {each["product"]: each for each in nodes["hongkong"]["tables"]}
    own = rows_of("conditions", patients()[0]["patient_id"])
    assert {row[0] for row in tables["conditions"]["rows"]} == {each["icd10"] for each in own}
    assert tables["conditions"]["left_out"][0]["rule"] == "gba-health-2024"
    assert "過敏" in tables["allergies"]["labels"][0] or "致敏原" in tables["allergies"]["labels"]
    bundle = json.loads(file.read_text())
    Bundle(bundle, strict=True)
    assert problems(bundle) == []
    assert file.stat().st_mode & 0o077 == 0


def test_a_record_is_shown_with_labels_in_four_languages(space: Space, consent: str) -> None:
    for language, label in (
        ("en", "since"), ("zh-Hans", "起病日期"), ("zh-Hant", "病發日期"), ("pt", "desde")
    ):  # fmt: skip
        ran = record(
            space, "--document", hkid(patients()[0]), "--purpose", "TREAT", "--consent", consent,
            "--region", "hongkong", "--lang", language, form="table",
        )  # fmt: skip
        assert ran.code == 0, ran.err
        assert label in ran.out


def test_a_region_that_does_not_know_the_patient_is_not_asked(space: Space, consent: str) -> None:
    def asked(region: str) -> int:
        found = [
            audit(space, "search", "--kind", kind, "--log", region, actor=f"{region}/regulator")
            for kind in ("record.released", "record.denied")
        ]
        return sum(len(each["entries"]) for each in found)

    before = {region: asked(region) for region in ("guangzhou", "hongkong", "macao")}
    known = record(
        space, "--document", hkid(patients()[0]), "--purpose", "TREAT", "--consent", consent
    )
    assert known.code == 0, known.err
    after = {region: asked(region) - number for region, number in before.items()}
    assert after == {"guangzhou": 0, "hongkong": 1, "macao": 0}
    nobody = record(space, "--document", "hkid:A123456(3)", "--purpose", "TREAT")
    assert nobody.code == 0, nobody.err
    assert {each["status"] for each in nobody.json["nodes"]} == {"not known"}


def test_a_refusal_everywhere_is_the_commands_own(space: Space) -> None:
    ran = record(space, "--document", hkid(patients()[1]), "--purpose", "TREAT")
    assert (ran.code, ran.error["rule"]) == (4, "default-deny")
    assert record(space, "--document", "hkid:A1234567", "--purpose", "TREAT").code == 3
    ran = record(
        space, "--document", hkid(patients()[1]), "--purpose", "ETREAT", "--region", "hongkong"
    )
    assert (ran.code, ran.error["rule"]) == (4, "emergency-reason")


def test_an_emergency_reaches_the_reviewers_list_and_raises_an_alarm(space: Space) -> None:
    ran = record(
        space, "--document", hkid(patients()[2]), "--purpose", "ETREAT", "--reason", REASON,
        "--region", "hongkong",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (use,) = (each["emergency_use"] for each in ran.json["nodes"])
    listed = {each["use"]: each for each in audit(space, "reviews")["uses"]}
    assert listed[use]["reason"] == REASON
    accesses = told_to(space, hkid(patients()[2]))
    assert [each["kind"] for each in accesses] == ["record.break_glass"]
    deadline = time.monotonic() + 20
    while not (found := audit(space, "search", "--kind", "alarm.raised", "--log", "hongkong")[
        "entries"
    ]):  # fmt: skip
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert any("emergency-access" in each["rules"] for each in found)
    signed = audit(space, "review", use, "--sign-off")
    assert signed["uses"][0]["verdict"] == "signed_off"


def told_to(space: Space, document: str) -> list[dict[str, Any]]:
    ran = audit(space, "subject", "--document", document, actor="hongkong/clinician")
    region = next(each for each in ran["regions"] if each["region"] == "hongkong")
    return list(region["accesses"])


def test_a_patient_learns_who_read_the_record_under_any_document(
    space: Space, consent: str
) -> None:
    before = len(told_to(space, hkid(patients()[0])))
    with dataspace.connect(space.home, DOCTOR) as session:
        found = session.record(
            mtp(patients()[0]), want=["conditions"], purpose="TREAT", consents=[consent],
            regions=["hongkong"],
        )  # fmt: skip
    assert found.regions[0].tables[0].rows
    after = told_to(space, hkid(patients()[0]))
    assert len(after) == before + 1
    assert (after[-1]["kind"], after[-1]["products"]) == ("record.released", ["conditions"])


def test_the_brokers_directory_holds_nothing_of_a_record(space: Space, consent: str) -> None:
    patient = patients()[0]
    both = ("--document", hkid(patient), "--document", mtp(patient))
    ran = record(
        space, *both, "--purpose", "TREAT", "--consent", consent, "--want", "patients,conditions"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    plain = patient["hkid"].replace("(", "").replace(")", "")
    secrets = [plain, patient["mtp"], patient["patient_id"], REASON, "treatment-record",
               "break-glass-record"]  # fmt: skip
    # Copies of the nodes' tiles come and go while they are read; policies and charters hold every
    # rule's name.
    folders = [
        each for each in (space.home / "broker").iterdir()
        if each.is_dir() and each.name not in {"mirrors", "policies", "charters"}
    ]  # fmt: skip
    kept = b"".join(data for each in folders for data in contents(each).values())
    for secret in secrets:
        assert secret.encode() not in kept, secret
    seen = audit(space, "search", "--kind", "record.relayed", "--log", "broker")["entries"]
    assert seen
    assert not any(each["purpose"] or each["products"] or each["rules"] for each in seen)


def test_a_region_that_refuses_is_shown_beside_the_others_answers(
    space: Space, consent: str
) -> None:
    ran = record(
        space, "--document", hkid(patients()[0]), "--purpose", "TREAT", "--consent", consent,
        "--region", "hongkong", "--region", "guangzhou", form="table",
    )  # fmt: skip
    assert ran.code == 0
    assert "guangzhou: no rule permits" in ran.out
