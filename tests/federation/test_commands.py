"""`gba` as people mistype it, and spaces that are half there: the exit code, and what is said."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataspace.cli.supervising import PARTIES, find_process, status_of, stop_space
from dataspace.home import PartyHome
from tests.attacks.forgery import COUNT, EVERYBODY, log_sizes
from tests.federation.copies import running_copy, still_copy
from tests.federation.processes import await_true
from tests.federation.shell import gba, gba_in, query
from tests.spaces import Space


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("commands")) as running:
        yield running


# --- what a caller gets wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "code", "kind"),
    [
        ("SELECT FROM WHERE", 3, "malformed"),
        ("SELECT brca, count(*) FROM conditions GROUP BY brca", 4, "refused"),
    ],
)
def test_the_shell_sees_the_code_and_one_json_object(
    space: Space, sql: str, code: int, kind: str
) -> None:
    asked = space.query(sql)
    assert (asked.code, asked.error["error"], asked.out) == (code, kind, "")
    assert set(asked.error) == {"error", "code", "rule", "basis", "message"}
    assert len(asked.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("sql", "code", "kind", "name"),
    [
        ("SELECT FROM WHERE", 3, "malformed", "syntax"),
        ("SELECT count(*) FROM patients; DROP TABLE patients", 3, "malformed", None),
        ("DELETE FROM patients", 3, "malformed", None),
        ("SELECT max(age) FROM patients", 3, "malformed", "unlisted"),
        ("SELECT read_csv('/etc/passwd') FROM patients", 3, "malformed", None),
        ("SELECT count(*) FROM read_csv('/etc/passwd')", 3, "malformed", None),
        ("SELECT count(nothing) FROM patients", 3, "malformed", "unknown-column"),
        ("SELECT count(*) FROM nowhere", 3, "malformed", "product"),
        ("SELECT count(*) FROM atlantis.patients", 3, "malformed", None),
        ("SELECT person FROM patients", 3, "malformed", None),
        ("SELECT hkid, count(*) FROM patients GROUP BY hkid", 4, "refused", "withheld"),
        ("SELECT count(*) FROM patients WHERE birth_date > DATE '2000-01-01'", 4, "refused",
         "withheld"),
        ("SELECT brca, count(*) FROM conditions GROUP BY brca", 4, "refused", "policy"),
    ],
)  # fmt: skip
def test_bad_sql_gets_the_code_of_who_must_act(
    space: Space, sql: str, code: int, kind: str, name: str | None
) -> None:
    asked = query(space, sql)
    assert (asked.code, asked.error["error"]) == (code, kind), asked.err
    assert asked.out == ""
    if name is not None:
        assert asked.error["code"] == name
    if kind == "refused":
        assert asked.error["rule"]
        assert asked.error["basis"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["query", COUNT], 2),
        (["query", "--purpose", "HRESCH"], 2),
        (["query", COUNT, "--purpose", "HRESCH"], 2),
        (["query", COUNT, "--purpose", "HRESCH", "--require", "some"], 2),
        (["query", COUNT, "--purpose", "HRESCH", "--nonsense"], 2),
        (["nonsense"], 2),
        (["query", COUNT, "--purpose", "HRESCH", "--as", "hongkong/emperor"], 3),
        (["query", COUNT, "--purpose", "HRESCH", "--as", "atlantis/researcher"], 3),
        (["query", COUNT, "--purpose", "", "--as", "hongkong/researcher"], 3),
        (["query", COUNT, "--purpose", "FUN", "--as", "hongkong/researcher"], 3),
        (["query", COUNT, "--purpose", "TREAT", "--as", "hongkong/researcher"], 4),
        (["query", COUNT, "--purpose", "HRESCH", "--as", "hongkong/operator"], 4),
        (["query", COUNT, "--purpose", "HRESCH", "--as", "hongkong/clinician"], 4),
    ],
)
def test_a_mistyped_command_ends_with_its_exit_code(
    space: Space, arguments: list[str], code: int
) -> None:
    ran = gba_in(space, *arguments)
    assert ran.code == code, ran.err
    assert ran.out == ""


def test_a_home_that_is_none_is_unavailable(tmp_path: Path) -> None:
    for home in (tmp_path / "absent", tmp_path):
        ran = gba("query", COUNT, "--purpose", "HRESCH", "--home", str(home), "--as", "a/b")
        assert (ran.code, ran.error["code"]) == (5, "home-missing")
        for command in ("up", "down", "status"):
            ran = gba("space", command, str(home))
            assert (ran.code, ran.error["code"]) == (5, "home-missing")


def test_a_space_is_made_into_no_other_and_started_once(space: Space) -> None:
    before = {party: find_process(space.home, party) for party in PARTIES}
    made = gba("space", "init", str(space.home), "--empty")
    assert (made.code, made.error["code"]) == (3, "home-exists")
    started = space.up()
    assert (started.code, started.error["code"]) == (5, "space-running")
    assert {party: find_process(space.home, party) for party in PARTIES} == before
    assert query(space, COUNT).code == 0


def test_one_changed_byte_in_a_log_is_found_and_the_log_named(space: Space) -> None:
    log = space.home / "guangzhou/log"
    size = log_sizes(space)["guangzhou"]
    bundle = next((log / "tile/entries").rglob(str(size)))
    for file, at in ((bundle, 40), (log / f"tile/0/000.p/{size}", 3), (log / "checkpoint", 30)):
        good = file.read_bytes()
        file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        try:
            verified = gba_in(space, "audit", "verify", "--format", "json")
        finally:
            file.write_bytes(good)
        assert verified.code == 6
        assert "guangzhou" in verified.error["message"]
        assert [log["owner"] for log in verified.json["logs"] if not log["verified"]] == [
            "guangzhou"
        ]
    assert gba_in(space, "audit", "verify").code == 0


def test_a_log_that_lost_its_end_is_found(space: Space) -> None:
    log = space.home / "macao/log"
    size = log_sizes(space)["macao"]
    bundle = next((log / "tile/entries").rglob(str(size)))
    aside = bundle.rename(bundle.with_name("aside"))
    try:
        verified = gba_in(space, "audit", "verify")
    finally:
        aside.rename(bundle)
    assert verified.code == 6
    assert "macao" in verified.error["message"]


# --- spaces that do not start ------------------------------------------------------------------


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Space]:
    """An empty space for one test; whatever it left running is stopped."""
    space = still_copy(tmp_path, "--empty")
    yield space
    stop_space(space.home)


def nothing_runs(space: Space) -> bool:
    return not any(find_process(space.home, party) for party in PARTIES)


def _half_made(space: Space) -> None:
    (space.home / "macao/half-made").touch()


def _without_log(space: Space) -> None:
    shutil.rmtree(space.home / "macao/log")


def _open_key(space: Space) -> None:
    (space.home / "macao/keys/signing.key").chmod(0o644)


def _anothers_key(space: Space) -> None:
    key = space.home / "macao/keys/signing.key"
    key.write_bytes((space.home / "hongkong/keys/signing.key").read_bytes())


def _noise_for_configuration(space: Space) -> None:
    (space.home / "macao/party.toml").write_text("space = [")


def _unknown_setting(space: Space) -> None:
    with (space.home / "macao/party.toml").open("a") as file:
        file.write('colour = "red"\n')


def _noise_for_pin(space: Space) -> None:
    file = space.home / "macao/party.toml"
    text = file.read_text()
    digest = PartyHome(space.home / "macao").config.trust_sha256
    file.write_text(text.replace(digest, "not hexadecimal"))


def _noise_for_trust_list(space: Space) -> None:
    (space.home / "macao/trust/1.dsse").write_bytes(b"\xff" * 50)


def _broken_rule(space: Space) -> None:
    (space.home / "macao/policies/macao.cedar").write_text("permit everything;")


def _changed_log(space: Space) -> None:
    (space.home / "macao/log/checkpoint").write_text("gba.dataspace/macao\n7\n")


@pytest.mark.parametrize(
    ("harm", "code", "words"),
    [
        (_half_made, 5, "half made"),
        (_without_log, 5, "log is missing"),
        (_open_key, 4, "chmod 600"),
        (_anothers_key, 3, "not the one of its certificate"),
        (_noise_for_configuration, 3, "party's configuration"),
        (_unknown_setting, 3, "party's configuration"),
        (_noise_for_pin, 3, "party's configuration"),
        (_noise_for_trust_list, 6, "trust list"),
        (_broken_rule, 3, ""),
        (_changed_log, 6, ""),
    ],
)
def test_a_party_that_cannot_start_is_named_and_nothing_is_left_running(
    still: Space, harm: Callable[[Space], None], code: int, words: str
) -> None:
    harm(still)
    started = gba_in(still, "space", "up", "--detach")
    assert started.code == code, started.err
    assert "macao" in started.error["message"]
    assert words in started.error["message"]
    assert nothing_runs(still)


def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(still: Space) -> None:
    address = PartyHome(still.home / "broker").listen_address
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        started = gba_in(still, "space", "up", "--detach")
    assert (started.code, started.error["code"]) == (5, "port-taken")
    assert address in started.error["message"]
    assert nothing_runs(still)
    assert gba_in(still, "space", "up", "--detach").code == 0
    assert gba_in(still, "space", "status").code == 0
    stopped = gba_in(still, "space", "down")
    assert stopped.code == 0
    assert all(party in stopped.out for party in EVERYBODY)
    again = gba_in(still, "space", "down")
    assert (again.code, again.out.strip()) == (0, "nothing was running")
    assert gba_in(still, "space", "status").code == 5
    assert {each.stage for each in status_of(still.home)} == {"stopped"}


def test_an_init_that_was_cut_off_is_called_half_made(tmp_path: Path) -> None:
    home = tmp_path / "space"
    making = subprocess.Popen(
        [sys.executable, "-m", "dataspace.cli.main", "space", "init", str(home)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    await_true((home / "macao/party.toml").exists, "init did not come that far", 120)
    os.killpg(making.pid, signal.SIGKILL)
    making.wait()
    started = gba("space", "up", str(home))
    assert (started.code, started.error["code"]) == (5, "home-half-made")
    again = gba("space", "init", str(home), "--empty")
    assert (again.code, again.error["code"]) == (3, "home-half-made")


def test_an_init_that_is_interrupted_takes_back_what_it_made(tmp_path: Path) -> None:
    home = tmp_path / "space"
    making = subprocess.Popen(
        [sys.executable, "-m", "dataspace.cli.main", "space", "init", str(home)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    await_true((home / "macao/party.toml").exists, "init did not come that far", 120)
    time.sleep(0.2)
    making.send_signal(signal.SIGINT)
    assert making.wait(120) != 0
    assert not [path for path in home.rglob("*") if path.is_file()]
    assert gba("space", "init", str(home), "--empty").code == 0
