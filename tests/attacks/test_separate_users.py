"""One home per party: each process reads its own directory and could not read another's.

Broker and nodes run as four Unix users, each the owner of one party's directory (mode 0700),
and the client as a fifth. The kernel enforces it: a process without capabilities under a user
that owns nothing of the others cannot open what is theirs, whatever its code would like.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dataspace.cli.supervising import SIGNERS
from dataspace.processes import read_state
from tests.attacks.forgery import COUNT, EVERYBODY
from tests.federation.copies import still_copy
from tests.federation.processes import await_true
from tests.spaces import Space

PROJECT = Path(__file__).parents[2]
USERS = {party: 20_001 + number for number, party in enumerate((*EVERYBODY, "actors"))}
PARTIES = (*SIGNERS, *EVERYBODY)  # a region's signer is in the region's directory, and its user
READY = {"serving", "attached"}

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes as other users"),
]


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    # Not under pytest's own directory, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="gba-users-"))
    try:
        folder.chmod(0o711)
        if not _lists(20_001, folder / "."):
            pytest.skip(f"other users cannot reach {folder}: set TMPDIR to where they can")
        space = still_copy(folder)
        space.home.chmod(0o711)
        for party, uid in USERS.items():
            _give(space.home / party, uid)
        yield space
    finally:
        shutil.rmtree(folder)


def _lists(uid: int, folder: Path) -> bool:
    """Whether a user may look into a directory at all (`-d` of its inside asks just that)."""
    done = subprocess.run(
        ["ls", "-d", f"{folder}/."], user=uid, group=uid, extra_groups=[],
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def _give(folder: Path, uid: int) -> None:
    os.lchown(folder, uid, uid)
    for path in folder.rglob("*"):
        os.lchown(path, uid, uid)


@pytest.fixture(scope="module")
def processes(space: Space) -> Iterator[dict[str, psutil.Process]]:
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for party in PARTIES:
            owner, _, service = party.partition("/")
            module = f"node.{service}" if service else "broker" if party == "broker" else "node"
            home = space.home / party
            (home / "run").mkdir(mode=0o700, exist_ok=True)
            os.chown(home / "run", USERS[owner], USERS[owner])
            with (home / "run/log.jsonl").open("ab") as log:
                started[party] = subprocess.Popen(
                    [sys.executable, "-m", "tests.attacks.as_user", str(USERS[owner]), module,
                     str(home)],
                    cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip

        def ready() -> bool:
            stages = {party: read_state(space.home / party / "run") for party in PARTIES}
            return all(state.get("stage") in READY for state in stages.values())

        logs = [space.home / party / "run/log.jsonl" for party in PARTIES]
        try:
            await_true(ready, "", 60)
        except AssertionError:
            pytest.fail("not up: " + "".join(log.read_text()[-1500:] for log in logs))
        yield {party: psutil.Process(one.pid) for party, one in started.items()}
    finally:
        for one in reversed(started.values()):
            one.terminate()
        for one in started.values():
            one.wait(20)


def test_each_process_is_another_user_without_any_privilege(
    processes: dict[str, psutil.Process],
) -> None:
    for party, process in processes.items():
        uid = USERS[party.partition("/")[0]]
        assert set(process.uids()) == set(process.gids()) == {uid}
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")} == {0}
        assert status["Groups"].split() == []


def test_no_partys_user_reads_anothers_directory(space: Space) -> None:
    for party, uid in USERS.items():
        for other in USERS:
            assert _lists(uid, space.home / other) == (party == other), (party, other)


def test_a_question_is_answered_though_nobody_reads_anothers_directory(
    space: Space, processes: dict[str, psutil.Process]
) -> None:
    asked = space.query(COUNT)
    assert asked.code == 0, asked.err
    assert {node["status"] for node in asked.json["nodes"]} == {"released"}
    for party, process in processes.items():
        own = space.home / party
        opened = [Path(file.path) for file in process.open_files()]
        assert any(path.is_relative_to(own) for path in opened)
        strange = [
            path
            for path in opened
            if path.is_relative_to(space.home) and not path.is_relative_to(own)
        ]
        assert strange == []


def test_what_the_processes_wrote_is_theirs_alone(
    space: Space, processes: dict[str, psutil.Process]
) -> None:
    assert processes
    for party in EVERYBODY:
        for path in (space.home / party).rglob("*"):
            if path.is_symlink() or path.is_socket() or path.name == "log.jsonl":
                continue
            assert path.stat().st_uid == USERS[party], path
