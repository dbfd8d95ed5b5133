"""`gba crosscheck exists` over a running space."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dataspace
from dataspace.cli.supervising import start_party
from dataspace.errors import Malformed
from dataspace.linkage.documents import Document
from tests.attacks.existence_world import STRANGER, patient_of
from tests.federation.processes import await_ready, stop
from tests.federation.shell import gba_in
from tests.spaces import Ran, Space, contents

UNKNOWN = f"hkid:{STRANGER.number}"


def exists(space: Space, *arguments: str, actor: str = "hongkong/clinician") -> Ran:
    return gba_in(
        space, "crosscheck", "exists", *arguments, "--as", actor, "--format", "json"
    )  # fmt: skip


def written(document: Document) -> str:
    return f"{document.kind}:{document.number}"


@pytest.mark.parametrize("region", ["guangzhou", "hongkong", "macao"])
def test_a_clinician_of_any_region_learns_where_a_patient_is_known(
    asked_space: Space, region: str
) -> None:
    ran = exists(
        asked_space, "--document", written(patient_of("macao", 3)), actor=f"{region}/clinician"
    )
    assert ran.code == 0, ran.err
    assert "macao" in ran.json["known_at"]
    assert {each["answer"] for each in ran.json["regions"].values()} <= {"yes", "no"}
    nobody = exists(asked_space, "--document", UNKNOWN, "--region", "macao")
    assert nobody.json["regions"]["macao"]["answer"] == "no"
    assert list(nobody.json["regions"]) == ["macao"]


@pytest.mark.parametrize(
    ("actor", "purpose"), [("hongkong/clinician", "PATRQT"), ("macao/researcher", "HRESCH")]
)
def test_who_may_not_ask_hears_by_which_rule(asked_space: Space, actor: str, purpose: str) -> None:
    ran = exists(asked_space, "--document", UNKNOWN, "--purpose", purpose, actor=actor)
    assert ran.code == 4
    assert {each["answer"] for each in ran.json["regions"].values()} == {"not permitted"}
    assert ran.error["rule"]
    assert all(each["rule"] and each["message"] for each in ran.json["regions"].values())


@pytest.mark.parametrize(
    "arguments",
    [("--document", "hkid:A123456(4)"), ("--document", "A123456"), (),
     ("--document", UNKNOWN, "--region", "lisbon"), ("--document", UNKNOWN, "--require", "some"),
     ("--document", UNKNOWN, "--to", "x.csv")],
)  # fmt: skip
def test_what_is_no_question_is_malformed(asked_space: Space, arguments: tuple[str, ...]) -> None:
    ran = exists(asked_space, *arguments)
    assert ran.code == 3
    assert "123456" not in ran.err


def test_a_document_may_come_by_standard_input(asked_space: Space) -> None:
    command = (
        sys.executable, "-m", "dataspace.cli.main", "crosscheck", "exists", "--document", "-",
        "--home", str(asked_space.home), "--as", "macao/clinician",
    )  # fmt: skip
    done = subprocess.run(
        command, input=f"{written(patient_of('macao'))}\n", text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "yes" in done.stdout


def test_a_file_of_patients_is_answered_by_line_and_gone_on_with(
    asked_space: Space, tmp_path: Path
) -> None:
    file, to = tmp_path / "patients.csv", tmp_path / "answers.csv"
    known = [patient_of("hongkong", number) for number in (5, 6)]
    file.write_text("kind,number\n" + "".join(f"{each.kind},{each.number}\n" for each in known))
    first = exists(asked_space, "--file", str(file), "--to", str(to), "--region", "hongkong")
    assert first.code == 0, first.err
    file.write_text(file.read_text() + f"hkid,{STRANGER.number}\n")
    again = exists(asked_space, "--file", str(file), "--to", str(to), "--region", "hongkong")
    assert again.code == 0, again.err
    rows = [line.split(",")[:3] for line in to.read_text().splitlines()[1:]]
    assert rows == [["2", "hongkong", "yes"], ["3", "hongkong", "yes"], ["4", "hongkong", "no"]]
    assert not any(each.number in to.read_text() for each in known)
    printed = exists(asked_space, "--file", str(file), "--region", "hongkong")
    assert [each["answer"] for each in printed.json["answers"]] == ["yes", "yes", "no"]


def test_a_region_that_is_away_is_named_and_the_others_answer(asked_space: Space) -> None:
    stop(asked_space, "macao")
    try:
        ran = exists(asked_space, "--document", UNKNOWN)
        assert ran.code == 5
        assert ran.json["regions"]["macao"]["answer"] == "unavailable"
        assert ran.json["regions"]["hongkong"]["answer"] == "no"
        some = exists(asked_space, "--document", UNKNOWN, "--require", "any")
        assert some.code == 0
    finally:
        start_party(asked_space.home, "macao")
        await_ready(asked_space, "macao")
    assert exists(asked_space, "--document", UNKNOWN).code == 0


def test_python_asks_by_the_same_way(asked_space: Space) -> None:
    with dataspace.connect(asked_space.home, "guangzhou/clinician") as session:
        found = session.exists(patient_of("guangzhou"), purpose="TREAT")
        assert "guangzhou" in found.known_at
        assert found["guangzhou"].rule == "treatment-existence"
        found.require()


def test_no_number_is_anywhere_but_in_the_warehouse(asked_space: Space) -> None:
    planted = Document("hkid", _hkid("P987654"))
    people = [planted, patient_of("macao", 7)]
    for person in people:
        assert exists(asked_space, "--document", written(person)).code == 0
    wrong = exists(asked_space, "--document", f"hkid:{planted.number[:-1]}Z")
    assert wrong.code == 3
    for path, data in contents(asked_space.home).items():
        if "warehouse" in path.parts:
            continue
        for person in people:
            assert person.number.encode() not in data, path
            assert person.number[:-1].encode() not in data, path


def test_the_decisions_are_replayed_and_the_broker_names_nobody(asked_space: Space) -> None:
    assert exists(asked_space, "--document", UNKNOWN).code == 0
    replayed = gba_in(asked_space, "policy", "replay", "--log", "hongkong", "--format", "json")
    assert replayed.code == 0, replayed.err
    seen = gba_in(
        asked_space, "audit", "search", "--kind", "existence.forwarded", "--log", "broker",
        "--as", "hongkong/regulator", "--format", "json",
    )  # fmt: skip
    assert seen.json["entries"]


def test_an_operator_settles_what_was_looked_into(asked_space: Space) -> None:
    assert exists(asked_space, "--document", UNKNOWN, "--region", "macao").code == 0

    def settle(member: str) -> Ran:
        return gba_in(asked_space, "crosscheck", "settle", "macao", member, "--format", "json")

    assert settle("hongkong/hospital").json["settled"] >= 1
    assert settle("hongkong/hospital").json["settled"] == 0
    assert settle("hong kong").code == 3
    seen = gba_in(
        asked_space, "audit", "search", "--kind", "existence.settled", "--log", "macao",
        "--as", "macao/regulator", "--format", "json",
    )  # fmt: skip
    assert len(seen.json["entries"]) == 2


def _valid(number: str) -> bool:
    try:
        Document("hkid", number)
    except Malformed:
        return False
    return True


def _hkid(body: str) -> str:
    return next(body + sign for sign in "0123456789A" if _valid(body + sign))
