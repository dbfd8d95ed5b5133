"""What regions share, changed in a running space: propose, review, sign, apply, roll back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataspace.audit.entries import Entry
from dataspace.charter_files import read_charters
from dataspace.cli.supervising import start_party
from dataspace.client.local_logs import read_entries
from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from dataspace.policy.charter import SHARED_FILES
from dataspace.policy.store import read_folder
from dataspace.processes import now_ms
from dataspace.synthetic import product_text
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, restart, stop
from tests.federation.shell import gba_in, query
from tests.spaces import Ran, Space
from tests.unit.policy.samples import forbid

SQL = "select count(*) from patients"
OWNERS = ("broker", *REGIONS)
COLUMN = "  cost: {type: double, role: measure, bounds: [0, 1000000], categories: [cost]}\n"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("governing")) as running:
        yield running


def govern(space: Space, *arguments: str, actor: str) -> Ran:
    return gba_in(space, "govern", *arguments, "--format", "json", "--as", actor)


def ok(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err or ran.out
    return ran.json


def proposed(space: Space, *options: str, by: str = "guangzhou", reason: str = "a test") -> str:
    """The id of a new proposal."""
    made = ok(govern(space, "propose", "--reason", reason, *options, actor=f"{by}/operator"))
    assert (made["signed_by"], made["state"]) == ([by], "wants a signature")
    return str(made["id"])


def applied(space: Space, proposal: str, second: str = "hongkong") -> dict[str, Any]:
    """What came of a proposal that a second region signs and applies."""
    signed = ok(govern(space, "sign", proposal, actor=f"{second}/operator"))
    assert signed["state"] == "ready to apply"
    return ok(govern(space, "apply", proposal, actor=f"{second}/operator"))


def version_of(space: Space, owner: str) -> int:
    home = PartyHome(space.home / owner)
    return read_charters(home, home.trust_lists(now_ms()))[-1].version


def shared(space: Space, folder: Path, *more: str) -> Path:
    """space.cedar as it is in force, with rules at its end."""
    shown = govern(space, "show", "--out", str(folder), actor="macao/operator")
    assert shown.code == 0, shown.err
    file = folder / "space.cedar"
    file.write_text("\n".join((file.read_text("utf-8"), *more)), "utf-8")
    return file


def entries(space: Space, owner: str, kind: str) -> list[Entry]:
    """The entries of a kind in one log, the newest first; the log is verified."""
    read = map(Entry.from_bytes, read_entries(space.home / owner, owner, now_ms()))
    return [each for each in read if each.kind == kind][::-1]


def test_two_regions_change_the_rules_of_all_and_every_log_says_so(
    space: Space, tmp_path: Path
) -> None:
    assert query(space, SQL).code == 0
    before = version_of(space, "macao")
    closed = forbid("research-closed", 'context.purpose == Purpose::"HRESCH"')
    proposal = proposed(space, "--space-rules", str(shared(space, tmp_path, closed)))

    looked = ok(govern(space, "review", proposal, actor="hongkong/operator"))
    (change,) = looked["changes"]
    assert (change["what"], change["name"]) == ("file", "space.cedar")
    assert any('+@id("research-closed")' in line for line in change["diff"])
    assert looked["tables"]["otherwise_now"] == 0
    assert looked["tables"]["otherwise_then"] > 0
    assert looked["tables"]["turned"]
    assert looked["replay"]["decisions"] == looked["replay"]["outcomes_changed"] > 0
    regulator = ok(govern(space, "review", proposal, actor="macao/regulator"))
    assert regulator["replay"]["outcomes_changed"] > 0
    assert query(space, SQL).code == 0  # a proposal alone changes nothing

    early = govern(space, "apply", proposal, actor="guangzhou/operator")
    assert (early.code, early.error["code"]) == (6, "charter-quorum")
    again = govern(space, "sign", proposal, actor="guangzhou/operator")
    assert (again.code, again.error["code"]) == (3, "proposal-signed")

    signed = ok(govern(space, "sign", proposal, actor="hongkong/operator"))
    assert signed["signed_by"] == ["guangzhou", "hongkong"]
    restart(space, "broker", kill=True)  # halfway: what was signed is kept
    await_ready(space)
    came = ok(govern(space, "apply", proposal, actor="macao/operator"))
    assert [each["in_force"] for each in came["regions"]] == [True] * 3
    refused = query(space, SQL)
    assert (refused.code, refused.error["rule"]) == (4, "research-closed")

    for owner in OWNERS:
        assert version_of(space, owner) == before + 1
        newest = entries(space, owner, "charter.applied")[0].fields
        assert (newest["charter"], newest["charter_sha256"]) == (before + 1, proposal)
        assert newest["signed_by"] == ("guangzhou", "hongkong")
        loaded = entries(space, owner, "policy.loaded")[0].fields
        assert loaded["policy_sha256"] == read_folder(space.home / owner / "policies").sha256
        assert (loaded["charter"], loaded["charter_sha256"]) == (before + 1, proposal)
    twice = ok(govern(space, "apply", proposal, actor="macao/operator"))
    assert all(each["already"] for each in twice["regions"])
    assert len(entries(space, "macao", "charter.applied")) == 1


def test_what_was_changed_is_rolled_back_in_the_same_way(space: Space) -> None:
    overtaken = ok(govern(space, "list", actor="macao/regulator"))["charters"][-1]
    before = overtaken["version"] - 1
    back = proposed(space, "--rollback-to", str(before), by="macao")
    applied(space, back, "guangzhou")
    assert query(space, SQL).code == 0
    old = govern(space, "apply", overtaken["id"], actor="macao/operator")
    assert (old.code, old.error["code"]) == (6, "charter-rollback")
    for owner in OWNERS:
        assert entries(space, owner, "charter.applied")[0].fields["restores"] == before


def test_an_outdated_proposal_is_overtaken(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "floors.toml"
    file.write_text("min_subjects = 6\n")
    first = proposed(space, "--floors", str(file))
    file.write_text("min_subjects = 7\n")
    out = tmp_path / "second.proposal"
    ok(govern(space, "propose", "--reason", "late", "--floors", str(file), "--out", str(out),
              actor="macao/operator"))  # fmt: skip
    applied(space, first)
    for verb in ("review", "sign", "apply"):
        late = govern(space, verb, str(out), actor="hongkong/operator")
        assert (late.code, late.error["code"]) == (6, "charter-rollback"), verb
    assert ok(govern(space, "list", actor="macao/regulator"))["proposals"] == []


def test_a_shared_file_edited_at_one_node_changes_nothing_and_raises_an_alarm(
    space: Space,
) -> None:
    file = space.home / "macao/policies/space.cedar"
    good = file.read_text("utf-8")
    file.write_text(good + "\n" + forbid("alone", "true"), "utf-8")
    try:
        await_true(
            lambda: any(
                each.fields["file"] == "space.cedar"
                for each in entries(space, "macao", "policy.rejected")
            ),
            "no alarm",
        )
        assert query(space, SQL).code == 0
    finally:
        file.write_text(good, "utf-8")


def test_a_region_whose_rules_do_not_load_keeps_its_charter_and_says_so(
    space: Space, tmp_path: Path
) -> None:
    own = space.home / "macao/policies/macao.cedar"
    good = own.read_text("utf-8")
    own.write_text(good + "\n" + forbid("counted", "context.records_this_year > 10"), "utf-8")
    shown = govern(space, "show", "--out", str(tmp_path), actor="hongkong/operator")
    assert shown.code == 0, shown.err
    schema = tmp_path / SHARED_FILES[0]
    # A word of the schema becomes another, and with it every rule that uses it.
    schema.write_text(schema.read_text().replace('enum ["absent"', 'enum ["never", "absent"'))
    before = version_of(space, "macao")
    try:
        clash = forbid("clash", "true")
        rules = shared(space, tmp_path, clash)
        own.write_text(good + "\n" + clash, "utf-8")  # Macao's own has the id that space.cedar gets
        proposal = proposed(space, "--schema", str(schema), "--space-rules", str(rules))
        looked = ok(govern(space, "review", proposal, actor="macao/operator"))
        assert not looked["loads"]
        assert "clash" in looked["fault"]
        ok(govern(space, "sign", proposal, actor="hongkong/operator"))
        partly = govern(space, "apply", proposal, actor="hongkong/operator")
        assert (partly.code, partly.error["code"]) == (4, "policy-set")
        assert "macao keeps the charter that it has" in partly.error["message"]
        assert [version_of(space, owner) for owner in OWNERS] == [
            before + 1, before + 1, before + 1, before,
        ]  # fmt: skip
        alarm = entries(space, "macao", "charter.rejected")[0].fields
        assert (alarm["rule"], alarm["charter"]) == ("clash", before + 1)
    finally:
        own.write_text(good, "utf-8")
    mended = ok(govern(space, "apply", proposal, actor="hongkong/operator"))
    assert [each["already"] for each in mended["regions"]] == [True, True, False]
    back = proposed(space, "--rollback-to", str(before))
    stop(space, "macao")  # whoever is away follows when it attaches
    came = applied(space, back)
    assert [each["in_force"] for each in came["regions"]] == [True, True, False]
    start_party(space.home, "macao")
    await_ready(space, "macao")
    await_true(lambda: version_of(space, "macao") == before + 2, "does not follow")
    assert query(space, SQL).code == 0


def test_a_trust_list_comes_with_its_charter_also_without_the_broker_and_reaches_everybody(
    space: Space, tmp_path: Path
) -> None:
    draft, file = tmp_path / "next.json", tmp_path / "profiles.proposal"
    assert gba_in(space, "trust", "draft", str(draft)).code == 0
    wanted = json.loads(draft.read_text())
    for region in wanted["regions"]:
        if region["region"] == "macao":
            region["profiles"][0]["assurance"] = 1
    draft.write_text(json.dumps(wanted))
    ok(govern(space, "propose", "--reason", "profiles", "--trust-list", str(draft), "--out",
              str(file), actor="guangzhou/operator"))  # fmt: skip
    signed = ok(govern(space, "sign", str(file), "--out", str(file), actor="hongkong/operator"))
    assert "macao" in signed["wanted"]  # what is its own changes with its own signature alone
    early = govern(space, "apply", str(file), actor="hongkong/operator")
    assert (early.code, early.error["code"]) == (6, "charter-quorum")
    ok(govern(space, "sign", str(file), "--out", str(file), actor="macao/operator"))
    before = version_of(space, "macao")
    stop(space, "broker")
    try:
        alone = ok(govern(space, "apply", str(file), actor="macao/operator"))
    finally:
        start_party(space.home, "broker")
    assert [each["in_force"] for each in alone["regions"]] == [False, False, True]
    await_ready(space)
    came = ok(govern(space, "apply", str(file), actor="hongkong/operator"))
    # The others may have it from Macao's node by now, which hands on what it has.
    assert came["regions"][2]["already"]
    assert {version_of(space, owner) for owner in OWNERS} == {before + 1}
    for party in ("broker", "macao", "guangzhou/witness", "hongkong/revocation"):
        await_true(lambda home=space.home / party: (home / "trust/2.dsse").is_file(), party)  # type: ignore[misc]
    assert query(space, SQL).code == 0
    assert (space.home / "actors/hongkong-researcher/trust/2.dsse").is_file()


def test_the_schema_of_a_product_that_two_regions_offer_changes_by_a_proposal(
    space: Space, tmp_path: Path
) -> None:
    file = tmp_path / "encounters.yaml"
    whole = product_text("macao", "encounters").decode()
    file.write_text(whole.replace(COLUMN, ""))
    assert file.read_text() != whole

    alone = gba_in(space, "node", "load", "macao", str(file))
    assert (alone.code, alone.error["code"]) == (3, "product-schema")
    assert "gba govern propose" in alone.error["message"]
    proposal = proposed(space, "--product", str(file), by="macao")
    looked = ok(govern(space, "review", proposal, actor="hongkong/operator"))
    (change,) = looked["changes"]
    assert (change["what"], change["name"]) == ("product", "encounters")
    assert [line for line in change["diff"] if line.startswith("-cost")]
    applied(space, proposal)
    sql = "select count(*) from encounters"
    assert query(space, sql).error["code"] == "product"  # nobody offers it as it has to be
    loaded = gba_in(space, "node", "load", "macao", str(file))
    assert loaded.code == 0, loaded.err
    found = query(space, sql)
    assert [node["region"] for node in found.json["nodes"]] == ["macao"]

    file.write_text("min_subjects = 12\nround_to = 5\n")
    applied(space, proposed(space, "--floors", str(file)))
    refused = query(space, sql)
    assert (refused.code, refused.error["code"]) == (4, "product-floor")
