"""Evidence of what a running space answered: real nodes, logs and witnesses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dataspace.cli.supervising import start_party
from dataspace.client import connect
from dataspace.client.evidence import fetch_evidence, trust_lists_in
from dataspace.errors import Refused
from dataspace.evidence.pinned import pin
from dataspace.evidence.quorum import trusted_quorum
from dataspace.evidence.verification import verify_evidence
from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, stop
from tests.spaces import Space

SQL = "SELECT sex, count(distinct person) AS n FROM patients GROUP BY sex"
JOINED = """SELECT p.sex, avg(o.value) AS mean FROM patients p
JOIN observations o ON p.person = o.person WHERE o.loinc = '8480-6' GROUP BY p.sex"""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("evidence")) as running:
        yield running


def exported(space: Space, actor: str, release_id: str) -> bytes:
    home = PartyHome(space.home / "actors" / actor.replace("/", "-"))
    lists = trust_lists_in(home.path / "trust")
    pinned = pin(lists, bytes.fromhex(home.config.trust_sha256))
    with connect(space.home, actor) as session:
        data = fetch_evidence(
            session.audit, release_id, lists, pinned, trusted_quorum, wait_seconds=10
        )
    assert verify_evidence(data, pinned, trusted_quorum).failed is None
    return data


@pytest.mark.parametrize("sql", [SQL, JOINED])
def test_a_release_is_proved_by_who_asked_and_by_its_regulator(space: Space, sql: str) -> None:
    release = space.query(sql).json["release"]
    exported(space, "hongkong/researcher", release)
    exported(space, "hongkong/regulator", release)


def test_an_answer_that_a_region_refuses_is_proved_with_its_refusal(space: Space) -> None:
    folder = space.home / "macao" / "policies"
    rule = (folder / "space.cedar").read_text()
    (folder / "space.cedar").write_text(rule.replace('Purpose::"HRESCH"', 'Purpose::"PATRQT"'))
    try:
        ran = space.query(SQL, extra=["--require", "any"])
    finally:
        (folder / "space.cedar").write_text(rule)
    told = {node["region"]: node["status"] for node in ran.json["nodes"]}
    assert told["macao"] == "refused", told
    exported(space, "hongkong/researcher", ran.json["release"])


def test_a_region_that_was_away_is_in_the_evidence_by_the_brokers_word(space: Space) -> None:
    stop(space, "guangzhou")
    try:
        ran = space.query(SQL, extra=["--require", "any"])
    finally:
        start_party(space.home, "guangzhou")
        await_ready(space)
    told = {node["region"]: node["status"] for node in ran.json["nodes"]}
    assert told["guangzhou"] == "unreachable"
    exported(space, "hongkong/researcher", ran.json["release"])


def test_evidence_outlives_new_rules_and_new_data(space: Space) -> None:
    release = space.query(SQL).json["release"]
    folder = space.home / "macao" / "policies"
    rule = (folder / "space.cedar").read_text()
    (folder / "space.cedar").write_text(rule + "\n// counsel looked at this\n")
    try:
        later = space.query(SQL).json["release"]
        exported(space, "hongkong/researcher", release)
        exported(space, "hongkong/researcher", later)
    finally:
        (folder / "space.cedar").write_text(rule)


@pytest.mark.parametrize("actor", ["hongkong/clinician", "macao/researcher", "macao/regulator"])
def test_others_are_refused_by_rule(space: Space, actor: str) -> None:
    release = space.query(SQL).json["release"]
    with pytest.raises(Refused) as caught:
        exported(space, actor, release)
    assert caught.value.rule == "evidence-regulator"


def test_every_look_is_recorded_before_it_is_answered(space: Space) -> None:
    release = space.query(SQL).json["release"]
    before = {owner: kinds(space.home / owner) for owner in ("broker", *REGIONS)}
    exported(space, "hongkong/researcher", release)
    for owner in ("broker", *REGIONS):
        assert kinds(space.home / owner) == before[owner] + 1, owner


def kinds(home: Path) -> int:
    """Entries `evidence.read` in a log."""
    bundles = (home / "log" / "tile" / "entries").rglob("*")
    return max(
        (file.read_bytes().count(b'"kind":"evidence.read"') for file in bundles if file.is_file()),
        default=0,
    )


@pytest.fixture
def unwitnessed(space: Space) -> Iterator[Space]:
    """The space, without two of its witnesses."""
    away = ("guangzhou/witness", "macao/witness")
    for witness in away:
        stop(space, witness)
    yield space
    for witness in away:
        start_party(space.home, witness)
    await_ready(space)


def test_an_answer_comes_with_the_file_that_proves_it(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "e.evidence"
    ran = space.query(SQL, extra=["--evidence", str(file)])
    assert ran.code == 0, ran.err
    assert (ran.json["evidence"], ran.json["provisional"]) == (str(file), False)
    folder = space.home / "actors" / "hongkong-researcher" / "trust"
    verified = space.gba("evidence", "verify", str(file), "--trust", str(folder / "1.dsse"))
    assert verified.code == 0, verified.err


def test_an_answer_comes_without_its_file_while_nobody_cosigns(
    unwitnessed: Space, tmp_path: Path
) -> None:
    file = tmp_path / "e.evidence"
    ran = unwitnessed.query(SQL, extra=["--evidence", str(file)])
    assert ran.code == 0, ran.err
    assert ran.json["evidence"] is None
    assert ran.json["rows"]
    assert "not cosigned yet" in ran.err
    assert not file.exists()


def test_an_export_that_is_not_cosigned_is_unavailable(unwitnessed: Space, tmp_path: Path) -> None:
    release = unwitnessed.query(SQL).json["release"]
    file = tmp_path / "e.evidence"
    ran = unwitnessed.gba(
        "audit", "export", release, "--out", str(file), actor="hongkong/researcher"
    )
    assert (ran.code, ran.error["code"]) == (5, "not-cosigned")
    assert not file.exists()


def test_a_file_that_cannot_be_written_stops_the_query_before_it_is_asked(space: Space) -> None:
    ran = space.query(SQL, extra=["--evidence", "/nonexistent/e"])
    assert (ran.code, ran.error["code"]) == (3, "evidence-path")
