"""`gba doctor`: each fault is found, said in words with what to do, and ends with its exit code."""

from __future__ import annotations

import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.entries import Entry
from dataspace.audit.store import LogStore
from dataspace.cli.doctor import outcome
from dataspace.cli.founding import free_port
from dataspace.doctor.examining import examine
from dataspace.doctor.findings import Examined, Finding, Level
from dataspace.exits import UNAVAILABLE, UNVERIFIED, exit_code
from dataspace.home import BROKER_ADDRESS_VARIABLE, CONFIG, PartyHome
from dataspace.identity.keystore import load_private_key, write_private_key
from dataspace.processes import now_ms
from tests.federation.copies import still_copy
from tests.federation.processes import await_ready
from tests.spaces import Ran, Space, run_gba

PLANTED = "Wong Kei Ying"


def doctor(home: Path, *arguments: str) -> Ran:
    return run_gba("doctor", "--home", str(home), "--format", "json", *arguments)


def look(home: Path) -> Examined:
    """What the command finds, without a process for it."""
    return examine("it", PartyHome(home))


def failures(examined: Examined) -> dict[str, Finding]:
    return {finding.code: finding for finding in examined.of(Level.FAILURE)}


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Space:
    return still_copy(tmp_path_factory.mktemp("still"))


@pytest.fixture
def party(still: Space, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one party's home, to break."""

    def copied(name: str) -> Path:
        return Path(shutil.copytree(still.home / name, tmp_path / PLANTED / name))

    return copied


def no_broker(home: Path) -> None:
    """Nothing of a party's own is wrong: only nothing runs."""


def open_key(home: Path) -> None:
    (home / "keys/tls.key").chmod(0o644)


def other_key(home: Path) -> None:
    shutil.copy(home / "keys/witness.key", home / "keys/tls.key")


def no_key(home: Path) -> None:
    (home / "keys/signing.key").unlink()


def other_log_key(home: Path) -> None:
    shutil.copy(home / "witness/keys/witness.key", home / "keys/log.key")


def other_witness_key(home: Path) -> None:
    (home / "keys/witness.key").unlink()
    write_private_key(home / "keys/witness.key", Ed25519PrivateKey.generate())


def damaged_memory(home: Path) -> None:
    (home / "seen.db").write_bytes(b"SQLite format 3\0" + os.urandom(8192))


def changed_trust(home: Path) -> None:
    file = home / "trust/1.dsse"
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)


def no_trust(home: Path) -> None:
    (home / "trust/1.dsse").unlink()


def bad_policy(home: Path) -> None:
    with (home / "policies/macao.cedar").open("a") as file:
        file.write("permit (")


def opened_log(home: Path) -> LogStore:
    key = load_private_key(home / "keys/log.key")
    assert isinstance(key, Ed25519PrivateKey)
    return LogStore.open(home / "log", PartyHome(home).config.log_origin, key)


def changed_log(home: Path) -> None:
    with opened_log(home) as log:
        log.append(Entry("test.one", now_ms(), {"number": 1}))
    for file in (home / "log/tile/entries").rglob("*"):
        if file.is_file():
            data = bytearray(file.read_bytes())
            data[-3] ^= 1
            file.write_bytes(data)


def forgotten_log(home: Path) -> None:
    (home / "log/checkpoint").unlink()


def damaged_ledger(home: Path) -> None:
    (home / "ledger.db").write_bytes(b"SQLite format 3\0" + os.urandom(8192))


def damaged_warehouse(home: Path) -> None:
    for file in (home / "warehouse").rglob("data.duckdb"):
        file.write_bytes(os.urandom(8192))


def unsigned_product(home: Path) -> None:
    file = next((home / "warehouse").rglob("products/patients.yaml"))
    file.write_text(file.read_text().replace("min_subjects: 11", "min_subjects: 5") + "\n# x\n")


def newer_data(home: Path) -> None:
    (home / "storage.json").write_text('{"log": 9}')


def ledger_elsewhere(home: Path) -> None:
    with (home / CONFIG).open("a") as file:
        file.write(f'ledger = "postgresql+psycopg://gba@/none?host={home}"\n')


def half_made(home: Path) -> None:
    (home / "half-made").touch()


@pytest.mark.parametrize(
    ("breaks", "code", "ends"),
    [
        (no_broker, "broker-unreachable", UNAVAILABLE),
        (open_key, "keystore-key-mode", UNAVAILABLE),
        (other_key, "bad-identity", UNAVAILABLE),
        (no_key, "home-half-made", UNAVAILABLE),
        (other_witness_key, "witness-key", UNAVAILABLE),
        (changed_trust, "trust-list-pin", UNVERIFIED),
        (no_trust, "trust-missing", UNAVAILABLE),
        (half_made, "home-half-made", UNAVAILABLE),
        (damaged_memory, "database-damaged", UNVERIFIED),
    ],
)
def test_a_fault_is_found_and_said_with_what_to_do(
    party: Callable[[str], Path], breaks: Callable[[Path], None], code: str, ends: int
) -> None:
    home = party("macao/witness")
    breaks(home)
    examined = look(home)
    found = failures(examined)
    assert code in found
    assert found[code].meaning and len(found[code].advice) > 20
    error = outcome([examined])
    assert error is not None and exit_code(error) == ends


def test_every_fault_of_a_node_is_found_beside_the_others(party: Callable[[str], Path]) -> None:
    home = party("macao")
    for breaks in (changed_log, other_log_key, bad_policy, damaged_ledger, damaged_warehouse):
        breaks(home)
    examined = look(home)
    found = failures(examined)
    assert found.keys() >= {"log-key", "policy-set", "database-damaged", "warehouse"}
    assert [each.check for each in found.values() if each.unverified] == ["databases", "log"]
    error = outcome([examined])
    assert error is not None and exit_code(error) == UNVERIFIED


def test_newer_data_and_a_ledger_on_a_server_that_is_away_are_found(
    party: Callable[[str], Path],
) -> None:
    home = party("macao")
    newer_data(home)
    ledger_elsewhere(home)
    found = failures(look(home))
    assert found.keys() >= {"storage-newer", "ledger"}
    assert "newer release" in found["storage-newer"].advice
    assert "keys/ledger.password" in found["ledger"].advice


def test_what_is_gone_or_unsigned_is_not_believed(party: Callable[[str], Path]) -> None:
    home = party("macao")
    forgotten_log(home)
    unsigned_product(home)
    found = failures(look(home))
    assert found["tile-missing"].unverified and found["product-signature"].unverified


def test_what_a_killed_process_left_in_the_journal_is_said_to_be_safe(
    party: Callable[[str], Path],
) -> None:
    home = party("macao")
    before = Path(shutil.copytree(home / "log", home / "log-before"))
    log = opened_log(home)
    log.append(Entry("test.one", now_ms(), {}))
    journal = Path(shutil.copytree(home / "log/journal", home / "journal-then"))
    log.close()
    # As a kill leaves it: the public files of before, and the journal with one entry more.
    shutil.rmtree(home / "log")
    before.rename(home / "log")
    shutil.rmtree(home / "log/journal", ignore_errors=True)
    journal.rename(home / "log/journal")
    found = {finding.code: finding for finding in look(home).findings}
    assert "nothing is lost" in found["journal-left"].advice


def test_a_look_changes_nothing(party: Callable[[str], Path]) -> None:
    home = party("macao")

    def files() -> dict[str, bytes]:
        kept = (file for file in home.rglob("*") if file.is_file())
        return {
            str(file.relative_to(home)): file.read_bytes()
            for file in kept
            if file.name not in {"highest"} and not file.name.endswith(("-wal", "-shm"))
        }

    before = files()
    look(home)
    assert files() == before


def test_a_port_that_another_program_holds_is_found(party: Callable[[str], Path]) -> None:
    home = party("broker")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = (home / CONFIG).read_text()
        own = PartyHome(home).config.http
        config = config.replace(own, f"127.0.0.1:{taken.getsockname()[1]}")
        (home / CONFIG).write_text(config)
        found = failures(look(home))
    assert "`http`" in found["port-taken"].advice


def test_a_page_for_others_is_found_before_the_start(party: Callable[[str], Path]) -> None:
    home = party("broker")
    with (home / CONFIG).open("a") as file:
        file.write('metrics = "0.0.0.0:9464"\n')
    assert "port-form" in failures(look(home))


def test_a_directory_that_is_nobodys_is_said(tmp_path: Path) -> None:
    ran = doctor(tmp_path)
    assert (ran.code, ran.error["code"]) == (5, "home-missing")


def test_a_space_that_is_well_has_no_failure_and_no_warning(asked_space: Space) -> None:
    await_ready(asked_space)
    ran = doctor(asked_space.home)
    assert ran.code == 0, ran.err
    levels = {one["level"] for party in ran.json["parties"] for one in party["findings"]}
    assert levels == {"ok"}
    parties = {party["party"] for party in ran.json["parties"]}
    assert {"broker", "macao", "macao/witness", "macao/revocation"} <= parties
    assert "actors/hongkong-researcher" in parties


def test_one_of_two_brokers_that_is_away_is_a_warning(
    asked_space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_ready(asked_space)
    home = asked_space.home / "macao"
    serving = PartyHome(home).broker_address
    monkeypatch.setenv(BROKER_ADDRESS_VARIABLE, f"127.0.0.1:{free_port()},{serving}")
    (away,) = look(home).of(Level.WARNING)
    assert away.code == "broker-unreachable"
    monkeypatch.setenv(BROKER_ADDRESS_VARIABLE, f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}")
    assert "broker-unreachable" in failures(look(home))


def test_a_report_has_neither_keys_nor_names_nor_places(asked_space: Space, tmp_path: Path) -> None:
    # A copy beside the running processes, whose pages it asks; it is in somebody's directory.
    home = Path(
        shutil.copytree(
            asked_space.home, tmp_path / PLANTED / "space", symlinks=True,
            ignore=shutil.ignore_patterns("*.sock"),
        )
    )  # fmt: skip
    for log in (home / "macao/run/log.jsonl", home / "broker/run/log.jsonl"):
        with log.open("a") as file:
            file.write(json.dumps({"event": "x", "reason": PLANTED, "code": PLANTED}) + "\n")
            file.write(f"Traceback (most recent call last): {PLANTED}\n")
    report = tmp_path / "report.zip"
    ran = doctor(home / "macao", "--report", str(report))
    whole = tmp_path / "whole.zip"
    assert doctor(home, "--report", str(whole)).code == ran.code == 0, ran.err
    secrets = {
        line
        for file in home.rglob("*.key")
        if b"PRIVATE KEY" in file.read_bytes()
        for line in file.read_text().splitlines()
        if not line.startswith("-") and len(line) > 20
    }
    secrets |= {
        file.read_bytes().hex() for file in home.rglob("*.key")
        if b"PRIVATE KEY" not in file.read_bytes()
    }  # fmt: skip
    assert len(secrets) > 50
    for each in (report, whole):
        with zipfile.ZipFile(each) as bundle:
            names = bundle.namelist()
            data = "\n".join(bundle.read(name).decode() for name in names)
        assert "findings.json" in names and any("metrics.txt" in name for name in names)
        for word in (PLANTED, PLANTED.replace(" ", "-"), str(home), "CERTIFICATE",
                     "researcher-1", "Traceback", *secrets):  # fmt: skip
            assert word not in data
    again = doctor(home / "macao", "--report", str(report))
    assert (again.code, again.error["code"]) == (3, "report-exists")
