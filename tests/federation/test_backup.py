"""A node is backed up under load, loses its disk, and comes back without forking its log.

The commands of docs/backup.md are typed as they stand there.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import RESTORED, LogStore
from dataspace.backup.recovery_keys import make_recovery_key
from dataspace.cli.supervising import find_process, start_party
from dataspace.errors import Unavailable
from dataspace.home import MAKING, PartyHome
from dataspace.identity.keystore import load_private_key
from dataspace.processes import read_state
from tests.docs.blocks import blocks, commands
from tests.federation.copies import running_copy, still_copy
from tests.federation.processes import await_ready, await_true, stop
from tests.federation.shell import gba, query
from tests.spaces import Ran, Space, contents

SQL = "SELECT sex, count(*) AS n FROM patients GROUP BY sex"
LONG = 60.0  # that a busy machine may take
GUIDE = "docs/backup.md"
OTHER_PARTIES = ("witness", "revocation", "authority")


@dataclass(frozen=True)
class Kept:
    """A space, and what its operator in Hong Kong keeps apart."""

    space: Space
    folder: Path

    @property
    def home(self) -> Path:
        return self.space.home / "hongkong"

    @property
    def key(self) -> Path:
        return self.folder / "recovery.key"

    def back_up(self, name: str) -> Path:
        file = self.folder / name
        ran = gba(
            "backup", "--home", str(self.home), "--out", str(file),
            "--recovery-key", f"{self.key}.pub", "--format", "json",
        )  # fmt: skip
        assert ran.code == 0, ran.err
        return file

    def restore(self, file: Path, home: Path, key: Path | None = None) -> Ran:
        return gba("restore", str(file), "--key", str(key or self.key), "--home", str(home))

    def lose_disk(self) -> None:
        """The node's own files are gone; its witness and its signer are on other disks."""
        lost = self.folder / f"lost-{time.time_ns()}"
        self.home.rename(lost)
        for each in OTHER_PARTIES:
            (lost / each).rename(self.folder / each)

    def put_others_back(self) -> None:
        for each in OTHER_PARTIES:
            (self.folder / each).rename(self.home / each)

    def type(self, words: str) -> None:
        """The commands of the one block of the guide that holds these words, as they stand."""
        (block,) = [each for each in blocks(GUIDE) if words in each.text]
        broker = PartyHome(self.space.home / "broker").config.http
        for line in commands(block):
            typed = line.replace("/safe", str(self.folder)).replace("BROKER", broker)
            environment = {
                **os.environ,
                "GBA_HOME": str(self.space.home),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            }
            ran = subprocess.run(
                ["bash", "-c", typed], env=environment, capture_output=True, check=False
            )
            assert ran.returncode == 0, (typed, ran.stderr)

    def let_time_pass(self) -> None:
        """As if the minutes after a restore were over."""
        with closing(sqlite3.connect(self.home / "ledger.db")) as ledger, ledger:
            ledger.execute("update marks set at_ms = at_ms - 400000")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("kept")
    with running_copy(folder) as space:
        kept = Kept(space, folder)
        kept.type("backup keygen")
        yield kept


@contextmanager
def asked_all_the_time(space: Space) -> Iterator[list[int]]:
    """Questions, one after the other, from another thread."""
    codes: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            codes.append(space.query(SQL).code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield codes
    finally:
        over.set()
        asking.join()


def kill_everything_of(kept: Kept) -> None:
    """The machine's disk dies under load: no process has time for anything."""
    stop(kept.space, "hongkong", kill=True)


def size_of(home: Path) -> int:
    return int(DirectoryReader(home / "log").checkpoint().split("\n")[1])


def node_alone(home: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "node", "--home", str(home)]
    return subprocess.run(command, capture_output=True, timeout=LONG, check=False)


def test_a_node_of_the_release_before_works_with_this_broker_and_this_node_with_that_broker(
    kept: Kept,
) -> None:
    for party, kind in (("macao", "node"), ("broker", "broker")):
        stop(kept.space, party)
        home = kept.space.home / party
        command = [sys.executable, "-m", "tests.federation.previous", kind, "--home", str(home)]
        with (home / "run" / "log.jsonl").open("ab") as log:
            previous = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            await_true(
                lambda: query(kept.space, SQL).code == 0, f"no answer with that {kind}", LONG
            )
        finally:
            previous.terminate()
            previous.wait(LONG)
        start_party(kept.space.home, party)
        await_ready(kept.space, seconds=LONG)


def test_backed_up_under_load_and_restored_a_node_goes_on_as_the_same_history(kept: Kept) -> None:
    with asked_all_the_time(kept.space) as codes:
        await_true(lambda: len(codes) > 0, "nobody asks", LONG)
        kept.type("--out /safe/hongkong.backup")
        await_true(lambda: len(codes) > 2, "nobody asks any more", LONG)
    assert set(codes) == {0}
    assert (kept.folder / "hongkong.backup").stat().st_mode & 0o077 == 0
    kept.type("/safe/rehearsal")
    before = size_of(kept.home)
    kill_everything_of(kept)
    kept.lose_disk()

    kept.type("/safe/recovery.key --home $GBA_HOME/hongkong")
    kept.put_others_back()
    backed_up = size_of(kept.home)
    assert backed_up < before

    # The older log cannot grow: not by its node, and not by anything that opens it.
    files = contents(kept.home / "log")
    died = node_alone(kept.home)
    assert died.returncode == 5
    assert b"log-behind" in died.stderr
    assert b"--catch-up" in died.stderr
    with pytest.raises(Unavailable) as caught:
        config = PartyHome(kept.home).config
        key = load_private_key(kept.home / "keys/log.key")
        LogStore.open(kept.home / "log", config.log_origin, key)  # type: ignore[arg-type]
    assert caught.value.code == "log-restored"
    assert contents(kept.home / "log") == files

    kept.type("--catch-up --home")
    start_party(kept.space.home, "hongkong")
    await_ready(kept.space, seconds=LONG)
    assert not (kept.home / "log" / RESTORED).exists()

    # Requests that may have been used since the backup are refused, whatever they are.
    refused = query(kept.space, SQL)
    assert refused.error["rule"] == "restored"
    stop(kept.space, "hongkong")
    kept.let_time_pass()
    start_party(kept.space.home, "hongkong")
    await_ready(kept.space, seconds=LONG)
    assert query(kept.space, SQL).code == 0
    await_true(
        lambda: gba("audit", "verify", "--home", str(kept.space.home)).code == 0, "logs", LONG
    )
    verified = gba("audit", "verify", "--home", str(kept.space.home), "--format", "json")
    lost = {log["owner"]: log["lost"] for log in verified.json["logs"]}
    assert lost == {"broker": 0, "guangzhou": 0, "hongkong": before - backed_up, "macao": 0}
    for kind in ("backup.begun", "log.restored", "entry.lost"):
        searched = gba(
            "audit", "search", "--as", "hongkong/regulator", "--home", str(kept.space.home),
            "--format", "json", "--log", "hongkong", "--kind", kind, "--limit", "1",
        )  # fmt: skip
        assert searched.json["entries"], kind


def test_a_backup_after_which_nothing_happened_is_confirmed_by_witnesses_alone(kept: Kept) -> None:
    stop(kept.space, "hongkong")
    file = kept.back_up("at-rest")
    # What the backup recorded of itself, no witness has seen yet.
    kept.lose_disk()
    assert kept.restore(file, kept.home).code == 0
    kept.put_others_back()
    size = size_of(kept.home)
    stop(kept.space, "macao/witness")
    start_party(kept.space.home, "hongkong")
    await_true(
        lambda: "witnesses" in str(read_state(kept.home / "run").get("reason")),
        "it does not wait",
        LONG,
    )
    time.sleep(2)
    # With one witness away it waits, and records nothing.
    assert size_of(kept.home) == size
    assert (kept.home / "log" / RESTORED).exists()
    start_party(kept.space.home, "macao/witness")
    await_ready(kept.space, seconds=LONG)
    assert size_of(kept.home) > size
    assert find_process(kept.space.home, "hongkong") is not None


def test_only_a_whole_backup_with_its_key_is_put_back_and_only_into_nothing(
    kept: Kept, tmp_path: Path
) -> None:
    file = kept.back_up("to-attack")
    good = file.read_bytes()
    other = tmp_path / "other.key"
    make_recovery_key(other)
    home = tmp_path / "home"
    attacks = {
        "cut": good[:-1000],
        "cut at a chunk": good[: len(good) - (len(good) % 65_552)],
        "changed": good[:-5000] + bytes([good[-5000] ^ 1]) + good[-4999:],
        "longer": good + b"x",
        "empty": b"",
        "another file": b"PK\x03\x04" + bytes(1000),
    }
    for name, data in attacks.items():
        attacked = tmp_path / "attacked"
        attacked.write_bytes(data)
        ran = kept.restore(attacked, home)
        assert ran.code in {3, 6}, name
        assert not home.exists(), name
    assert kept.restore(file, home, other).error["code"] == "sealed"
    assert kept.restore(tmp_path / "absent", home).code == 5
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "something").touch()
    ran = kept.restore(file, volume)
    assert ran.error["code"] == "restore-not-empty"
    assert [each.name for each in volume.iterdir()] == ["something"]
    (volume / "something").unlink()
    (volume / "lost+found").mkdir()
    assert kept.restore(file, volume).code == 0
    assert not (volume / MAKING).exists()
    assert stat_of_keys(volume) == {0o600}
    assert PartyHome(volume).config == PartyHome(kept.home).config
    for left_out in ("run", "index.db", "existence", *OTHER_PARTIES):
        assert not (volume / left_out).exists()
    # Everything else is there as it was; what grows was as of the backup.
    theirs = contents(volume)
    for name in ("keys", "certs", "policies", "trust", "charters", "warehouse"):
        for path, data in contents(kept.home / name).items():
            if path.name != "lock":
                assert theirs[volume / path.relative_to(kept.home)] == data


def stat_of_keys(home: Path) -> set[int]:
    return {file.stat().st_mode & 0o777 for file in (home / "keys").iterdir()}


# As a full disk: files end where they may not grow. Set once everything is imported.
SMALL = """
import resource, signal, sys
from dataspace.cli.main import app
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
app(sys.argv[1:])
"""


def without_room(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", SMALL, *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def test_without_room_a_backup_or_restore_leaves_nothing(kept: Kept, tmp_path: Path) -> None:
    file, home = kept.back_up("no-room"), tmp_path / "home"
    ran = without_room("restore", str(file), "--key", str(kept.key), "--home", str(home))
    assert ran.returncode == 5, ran.stderr
    assert b'"disk"' in ran.stderr
    assert not home.exists()
    out = kept.folder / "no-room-either"
    ran = without_room("backup", "--home", str(kept.home), "--out", str(out),
                       "--recovery-key", f"{kept.key}.pub")  # fmt: skip
    assert ran.returncode == 5, ran.stderr
    assert not [each for each in kept.folder.iterdir() if "no-room-either" in each.name]


def test_no_backup_of_another_party_over_a_file_or_without_a_key(
    kept: Kept, tmp_path: Path
) -> None:
    public = f"{kept.key}.pub"
    for party in ("broker", "hongkong/witness", "hongkong/revocation"):
        ran = gba("backup", "--home", str(kept.space.home / party), "--out", str(tmp_path / "b"),
                  "--recovery-key", public)  # fmt: skip
        assert ran.error["code"] == "home-kind"
    there = tmp_path / "there"
    there.write_text("precious")
    for out, key, code in (
        (there, public, "backup-no-overwrite"),
        (tmp_path / "no folder" / "b", public, "disk"),
        (tmp_path / "b", str(kept.key), "recovery-key"),
        (tmp_path / "b", str(tmp_path / "absent"), "key-missing"),
    ):
        ran = gba("backup", "--home", str(kept.home), "--out", str(out), "--recovery-key", key)
        assert ran.error["code"] == code
    assert there.read_text() == "precious"
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_what_was_planted_in_a_home_is_nowhere_readable_in_its_backup(tmp_path: Path) -> None:
    space = still_copy(tmp_path)
    home = space.home / "macao"
    make_recovery_key(tmp_path / "key")
    file = tmp_path / "backup"
    ran = gba("backup", "--home", str(home), "--out", str(file), "--recovery-key",
              str(tmp_path / "key.pub"))  # fmt: skip
    assert ran.code == 0, ran.err
    data = file.read_bytes()
    for name in ("keys/signing.key", "keys/log.key", "keys/subject-index.key"):
        planted = home / name
        if planted.exists():
            assert planted.read_bytes()[30:60] not in data
    assert b"PRIVATE KEY" not in data
    assert b"manifest" not in data
    os.symlink("/etc/passwd", home / "linked")
    ran = gba("backup", "--home", str(home), "--out", str(tmp_path / "b"), "--recovery-key",
              str(tmp_path / "key.pub"))  # fmt: skip
    assert ran.error["code"] == "backup-link"
    shutil.rmtree(space.home)
