"""Rules in a running space: changed while it runs, recorded, replayed and explained."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataspace.policy.store import read_folder
from tests.federation.copies import running_copy
from tests.spaces import Ran, Space, run_gba
from tests.unit.policy.samples import NEGATIVE_LIST, POLICIES, forbid

SQL = "select sex, count(*) from patients group by sex"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("policies")) as running:
        yield running


def kinds(space: Space, kind: str) -> list[dict[str, Any]]:
    """Whole entries of a kind in Macao's log, as its regulator sees them."""
    ran = space.gba(
        "audit", "search", "--kind", kind, "--log", "macao", "--format", "json",
        actor="macao/regulator",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    found = []
    for row in ran.json["entries"]:
        shown = space.gba(
            "audit", "show", "macao", str(row["index"]), "--format", "json",
            actor="macao/regulator",
        )  # fmt: skip
        assert shown.code == 0, shown.err
        found.append(shown.json)
    return found


def replayed(space: Space, *options: str, actor: str | None = "macao/regulator") -> Ran:
    return space.gba("policy", "replay", "--format", "json", *options, actor=actor)


def test_a_bad_file_changes_nothing_and_an_entry_names_file_line_and_rule(space: Space) -> None:
    file = space.home / "macao/policies/macao.cedar"
    good = file.read_text("utf-8")
    file.write_text(good + "\n" + forbid("misspelt", 'context.purpse == Purpose::"TREAT"'), "utf-8")
    try:
        time.sleep(2)
        assert space.query(SQL).code == 0
        (rejected,) = kinds(space, "policy.rejected")
    finally:
        file.write_text(good, "utf-8")
    text = json.dumps(rejected)
    in_force = read_folder(space.home / "macao/policies").sha256
    line = good.count("\n") + 2
    for said in ('"file": "macao.cedar"', f'"line": {line}', '"rule": "misspelt"', in_force):
        assert said in text, text


def test_a_new_set_acts_within_a_second_and_stands_in_the_log(space: Space) -> None:
    file = space.home / "macao/policies/macao.cedar"
    good = file.read_text("utf-8")
    file.write_text(good + "\n" + forbid("closed-today", "true"), "utf-8")
    try:
        time.sleep(1)
        closed = read_folder(file.parent).sha256
        ran = space.query(SQL, extra=["--require", "any"])
        told = {node["region"]: node["status"] for node in ran.json["nodes"]}
        assert told["macao"] == "refused"
        assert any(closed in json.dumps(each) for each in kinds(space, "policy.loaded"))
    finally:
        file.write_text(good, "utf-8")
        time.sleep(1)
    assert space.query(SQL).code == 0


def test_recorded_decisions_come_out_the_same_for_a_regulator_and_for_the_party(
    space: Space,
) -> None:
    assert space.query(SQL).code == 0
    asked = replayed(space)
    assert asked.code == 0, asked.err
    assert asked.json["decisions"] > 0
    own = run_gba("policy", "replay", "--home", str(space.home / "macao"), "--format", "json")
    assert own.code == 0, own.err
    assert own.json["decisions"] == asked.json["decisions"]
    broker = replayed(space, "--log", "broker", actor=None)
    assert (broker.code, broker.json["decisions"] > 0) == (0, True)


def test_a_new_list_shows_what_it_would_change_and_changes_nothing(
    space: Space, tmp_path: Path
) -> None:
    assert space.query(SQL).code == 0
    listed = NEGATIVE_LIST.replace("valid_to = 2024-12-31\n", "").replace(
        'categories = ["genetic"]', 'columns = ["patients.sex"]'
    )
    (tmp_path / "sex.toml").write_text(listed, "utf-8")
    for ran in (
        replayed(space, "--with", str(tmp_path / "sex.toml"), "--last", "5"),
        replayed(space, "--with", str(tmp_path / "sex.toml"), "--log", "macao", actor=None),
    ):
        assert ran.code == 0, ran.err
        changed = [each for each in ran.json["changed"] if each["before"]["outcome"] == "permit"]
        assert changed
        assert {each["after"]["outcome"] for each in changed} == {"deny"}
        assert {tuple(each["after"]["rules"]) for each in changed} == {("list-1",)}
    assert space.query(SQL).code == 0


def test_a_regulator_of_another_region_replays_nothing(space: Space) -> None:
    ran = replayed(space, "--log", "macao", actor="hongkong/regulator")
    assert (ran.code, ran.error["code"]) == (5, "not-whole")


def test_a_recorded_decision_is_explained_by_the_rules_of_its_time(space: Space) -> None:
    ran = space.query(SQL)
    assert ran.code == 0
    released = space.gba(
        "audit", "search", "--kind", "query.released", "--log", "macao", "--newest", "--limit",
        "1", "--format", "json", actor="macao/regulator",
    )  # fmt: skip
    index = released.json["entries"][0]["index"]
    shown = space.gba(
        "policy", "explain", "--entry", str(index), "--format", "json", "--lang", "pt",
        actor="macao/regulator",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    (explained,) = shown.json["explanations"]
    assert explained["outcome"] == "permit"
    assert "investigador" in explained["rules"][0]["message"]
    assert explained["policy_sha256"] == read_folder(space.home / "macao/policies").sha256


def test_the_catalogues_products_are_checked_against_the_rules(space: Space) -> None:
    ran = space.gba("policy", "check", "--format", "json", actor="macao/researcher")
    assert ran.code == 0, ran.err
    assert ran.json["products"] >= 3
    assert ran.json["products_without_rule"] == []


def test_a_body_that_was_changed_is_never_replayed(space: Space) -> None:
    """Last: it harms the space."""
    for file in (space.home / "macao/bodies").rglob("*"):
        if file.is_file() and b'"access_requests"' in file.read_bytes():
            file.write_bytes(file.read_bytes().replace(b"HRESCH", b"PATRQT"))
    ran = replayed(space, "--log", "macao", actor=None)
    assert (ran.code, ran.error["code"]) == (6, "body-hash")


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(POLICIES, folder / "policies"))


def test_tables_and_checks_fail_with_what_to_change(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    assert run_gba("policy", "test", "--policies", str(folder)).code == 0
    table = folder / "tests/patients.toml"
    table.write_text(table.read_text("utf-8").replace('"permit"', '"deny"', 1), "utf-8")
    tested = run_gba("policy", "test", "--policies", str(folder), "--format", "json")
    assert (tested.code, tested.error["code"]) == (3, "decision-table")
    assert tested.json["failures"][0]["source"] == "patients.toml"
    never = forbid("never", "context.emergency && !context.emergency")
    (folder / "more.cedar").write_text(never, "utf-8")
    checked = run_gba("policy", "check", "--policies", str(folder), "--format", "json")
    assert (checked.code, checked.error["code"]) == (3, "policy-check")
    assert checked.json["unreachable"] == [{"rule": "never", "file": "more.cedar", "line": 1}]
    (folder / "more.cedar").write_text("permit (", "utf-8")
    broken = run_gba("policy", "test", "--policies", str(folder))
    assert (broken.code, broken.error["code"]) == (3, "policy-set")
    assert "more.cedar" in broken.error["message"]


def test_an_explanation_needs_no_space() -> None:
    ran = run_gba(
        "policy", "explain", "--action", "record", "--role", "clinician", "--purpose", "TREAT",
        "--lang", "zh-Hans", "--format", "json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (explained,) = ran.json["explanations"]
    assert explained["outcome"] == "deny"
    assert [[change["field"] for change in changes] for changes in explained["permitted_with"]] == [
        ["consent", "agreement"]
    ]
