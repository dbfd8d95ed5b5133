"""Evidence of what a running space answered, and what scripts see of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dataspace.cli.supervising import WITNESSES, start_party
from dataspace.client import connect
from dataspace.identity.names import REGIONS
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, stop
from tests.spaces import Space, contents, run_gba
from tests.unit.policy.samples import forbid

SQL = "SELECT sex, count(distinct person) AS n FROM patients GROUP BY sex"
JOINED = """SELECT p.sex, avg(o.value) AS mean FROM patients p
JOIN observations o ON p.person = o.person WHERE o.loinc = '8480-6' GROUP BY p.sex"""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("evidence")) as running:
        yield running


def exported(space: Space, actor: str, release_id: str, tmp_path: Path) -> bytes:
    """`gba audit export`, then `gba evidence verify` with nothing but the first trust list."""
    file, trust = tmp_path / "exported.evidence", tmp_path / "1.dsse"
    ran = space.gba("audit", "export", release_id, "--out", str(file), actor=actor)
    assert ran.code == 0, ran.err
    shutil.copy(space.home / "macao" / "trust" / "1.dsse", trust)
    verified = run_gba("evidence", "verify", str(file), "--trust", str(trust), "--format", "json")
    assert verified.code == 0, verified.err
    assert verified.json["verified"] is True
    return file.read_bytes()


@pytest.mark.parametrize("sql", [SQL, JOINED])
def test_a_release_is_proved_by_who_asked_and_by_its_regulator(
    space: Space, sql: str, tmp_path: Path
) -> None:
    release = space.query(sql).json["release"]
    exported(space, "hongkong/researcher", release, tmp_path)
    exported(space, "hongkong/regulator", release, tmp_path)


def test_an_answer_that_a_region_refuses_is_proved_with_its_refusal(
    space: Space, tmp_path: Path
) -> None:
    folder = space.home / "macao" / "policies"
    rule = (folder / "macao.cedar").read_text()
    closed = forbid("research-closed", 'context.purpose == Purpose::"HRESCH"')
    (folder / "macao.cedar").write_text(f"{rule}\n{closed}")
    try:
        ran = space.query(SQL, extra=["--require", "any"])
    finally:
        (folder / "macao.cedar").write_text(rule)
    told = {node["region"]: node["status"] for node in ran.json["nodes"]}
    assert told["macao"] == "refused", told
    exported(space, "hongkong/researcher", ran.json["release"], tmp_path)


def test_a_region_that_was_away_is_in_the_evidence_by_the_brokers_word(
    space: Space, tmp_path: Path
) -> None:
    stop(space, "guangzhou")
    try:
        ran = space.query(SQL, extra=["--require", "any"])
    finally:
        start_party(space.home, "guangzhou")
        await_ready(space)
    told = {node["region"]: node["status"] for node in ran.json["nodes"]}
    assert told["guangzhou"] == "unreachable"
    exported(space, "hongkong/researcher", ran.json["release"], tmp_path)


def test_evidence_outlives_new_rules_and_new_data(space: Space, tmp_path: Path) -> None:
    release = space.query(SQL).json["release"]
    folder = space.home / "macao" / "policies"
    rule = (folder / "macao.cedar").read_text()
    (folder / "macao.cedar").write_text(rule + "\n// counsel looked at this\n")
    try:
        later = space.query(SQL).json["release"]
        exported(space, "hongkong/researcher", release, tmp_path)
        exported(space, "hongkong/researcher", later, tmp_path)
    finally:
        (folder / "macao.cedar").write_text(rule)


@pytest.mark.parametrize("actor", ["hongkong/clinician", "macao/researcher", "macao/regulator"])
def test_others_are_refused_by_rule(space: Space, actor: str, tmp_path: Path) -> None:
    release = space.query(SQL).json["release"]
    file = tmp_path / "e.evidence"
    ran = space.gba("audit", "export", release, "--out", str(file), actor=actor)
    assert (ran.code, ran.error["rule"]) == (4, "evidence-regulator")
    assert not file.exists()


def test_a_query_writes_its_evidence_at_once(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "e.evidence"
    ran = space.query(SQL, extra=["--evidence", str(file)])
    assert (ran.code, ran.json["evidence"]) == (0, str(file)), ran.err
    told = space.gba("evidence", "verify", str(file))
    assert told.code == 0, told.err
    assert "every step holds" in told.out
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    told = space.gba("evidence", "verify", str(file), "--format", "json")
    assert (told.code, told.json["failed"]) == (6, "file")
    assert "at step file" in told.error["message"]


def test_a_session_gives_the_evidence_of_its_release(space: Space) -> None:
    with connect(space.home, "macao/researcher") as session:
        release = session.query(SQL, purpose="HRESCH")
        assert release.evidence.startswith(b"gba-evidence/v1 ")


def test_every_look_is_recorded(space: Space, tmp_path: Path) -> None:
    release = space.query(SQL).json["release"]
    before = {owner: looks(space, owner) for owner in ("broker", *REGIONS)}
    exported(space, "hongkong/researcher", release, tmp_path)
    for owner in ("broker", *REGIONS):
        await_true(partial(_looked, space, owner, before[owner]), f"{owner}: no look")


def _looked(space: Space, owner: str, before: int) -> bool:
    return looks(space, owner) > before


def looks(space: Space, owner: str) -> int:
    """Entries `evidence.read` in the newest tile of a log."""
    bundles = contents(space.home / owner / "log" / "tile" / "entries").values()
    return max((data.count(b'"kind":"evidence.read"') for data in bundles), default=0)


def test_an_answer_comes_without_its_file_while_nobody_cosigns(
    space: Space, tmp_path: Path
) -> None:
    witnesses = list(WITNESSES)
    for name in witnesses:
        stop(space, name)
    file = tmp_path / "e.evidence"
    try:
        ran = space.query(SQL, extra=["--evidence", str(file)])
        assert ran.code == 0, ran.err
        assert ran.json["evidence"] is None
        assert ran.json["rows"]
        assert "not cosigned yet" in ran.err
        assert not file.exists()
        later = ["audit", "export", ran.json["release"], "--out", str(file)]
        told = space.gba(*later, actor="hongkong/researcher")
        assert (told.code, told.error["code"]) == (5, "not-cosigned")
    finally:
        for name in witnesses:
            start_party(space.home, name)
        await_ready(space)
    assert space.gba(*later, actor="hongkong/researcher").code == 0
    assert space.gba("evidence", "verify", str(file)).code == 0


def test_a_file_that_cannot_be_written_stops_the_query_before_it_is_asked(
    space: Space, tmp_path: Path
) -> None:
    ran = space.query(SQL, extra=["--evidence", "/nonexistent/e"])
    assert (ran.code, ran.error["code"]) == (3, "evidence-path")


def test_evidence_is_a_clients_account_for_reconciliation(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "mine.evidence"
    assert space.query(SQL, extra=["--evidence", str(file)]).code == 0
    ran = space.gba("audit", "reconcile", "--client", str(file), actor="hongkong/regulator")
    assert ran.code == 0, ran.err
    changed = tmp_path / "changed.evidence"
    changed.write_bytes(file.read_bytes()[:-1])
    ran = space.gba("audit", "reconcile", "--client", str(changed), actor="hongkong/regulator")
    assert ran.code == 6, ran.out
