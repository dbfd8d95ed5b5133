"""Starting, watching and stopping a space's processes. Rim: processes and signals.

Each party is a process of its own that is given its own directory and nothing else. What
is stopped is what was started: a process id counts only with its start time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from dataspace.cli.founding import WITNESS
from dataspace.cli.founding_trust import REVOCATION
from dataspace.errors import KINDS, DataspaceError, Unavailable
from dataspace.home import CONFIG, PartyHome, brokers_of
from dataspace.identity.names import REGIONS
from dataspace.identity.replicas import is_broker
from dataspace.processes import read_state

Tell = Callable[[str], None]

WITNESSES = tuple(f"{region}/{WITNESS}" for region in REGIONS)
SIGNERS = tuple(f"{region}/{REVOCATION}" for region in REGIONS)
PARTIES = ("broker", *SIGNERS, *REGIONS, *WITNESSES)
START_SECONDS = 60.0
STOP_SECONDS = 15.0
_MODULES = {
    "broker": "broker",
    "node": "node",
    "witness": "node.witness",
    "revocation": "node.revocation",
}


@dataclass(frozen=True)
class PartyStatus:
    """One party's process: `stage` is `serving`, `attached`, `waiting`, `failed`, `stopped`."""

    party: str
    pid: int | None
    stage: str
    reason: str
    memory_mb: float | None


def parties_of(home: Path) -> tuple[str, ...]:
    """The parties of a space, brokers first. One that was made before there were signers has
    none."""
    others = (
        party for party in PARTIES[1:] if party not in SIGNERS or (home / party / CONFIG).is_file()
    )
    return (*(brokers_of(home) or PARTIES[:1]), *others)


def start_party(home: Path, party: str) -> subprocess.Popen[bytes]:
    """Start one party in a session of its own; its log goes to run/log.jsonl."""
    own = PartyHome(home / party)
    own.check_whole()
    run_folder = own.folder("run")
    (run_folder / "state.json").unlink(missing_ok=True)
    module = _MODULES[own.config.kind]
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("PYTHONPATH")
    }
    with (run_folder / "log.jsonl").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
            [sys.executable, "-m", module, "--home", str(own.path.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=own.path,
            env=environment,
        )
    mark = {"pid": process.pid, "created": psutil.Process(process.pid).create_time()}
    (run_folder / "process.json").write_text(json.dumps(mark))
    return process


def find_process(home: Path, party: str) -> psutil.Process | None:
    """The process that was started for a party, if it still runs."""
    try:
        mark = json.loads((home / party / "run" / "process.json").read_text())
        process = psutil.Process(int(mark["pid"]))
        same = abs(process.create_time() - float(mark["created"])) < 1
    except (FileNotFoundError, ValueError, KeyError, psutil.Error):
        return None
    return process if same and _runs(process) else None


def status_of(home: Path) -> list[PartyStatus]:
    """The processes of a space as they are now."""
    found = []
    for party in parties_of(home):
        process = find_process(home, party)
        state = read_state(home / party / "run")
        stage = str(state.get("stage", "stopped"))
        if process is None:
            stage = "failed" if stage == "failed" else "stopped"
        reason = str(state.get("message") or state.get("reason") or "")
        memory = None
        if process is not None:
            try:
                memory = round(process.memory_info().rss / 2**20, 1)
            except psutil.Error:
                process = None
        found.append(PartyStatus(party, process.pid if process else None, stage, reason, memory))
    return found


def start_space(home: Path) -> None:
    """Start all parties and return once every node and witness is attached.

    Raises the error that stopped a party, naming it; the others are then stopped again.
    """
    parties = parties_of(home)
    running = [party for party in parties if find_process(home, party)]
    if running:
        raise Unavailable(
            f"{', '.join(running)} of {home} runs already; see `gba space status`",
            code="space-running",
        )
    for party in parties:
        PartyHome(home / party).check_whole()
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for party in parties:
            processes[party] = start_party(home, party)
        _await_ready(home, processes)
    except BaseException:
        stop_space(home)
        raise


def _await_ready(home: Path, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        late = [party for party in processes if not _is_ready(home, party)]
        if not late:
            return
        for party, process in processes.items():
            if process.poll() is not None:
                raise _dead(home, party, process.returncode)
        if time.monotonic() > deadline:
            reason = read_state(home / late[0] / "run").get("reason") or "it is not ready"
            raise Unavailable(
                f"{late[0]} did not come up within {START_SECONDS:g} s: {reason}",
                code="start-timeout",
            )
        time.sleep(0.05)


def _is_ready(home: Path, party: str) -> bool:
    """Whether a party serves, or is attached to every broker."""
    state = read_state(home / party / "run")
    wanted = "serving" if is_broker(party) else "attached"
    return state.get("stage") == wanted and not state.get("away")


def _dead(home: Path, party: str, code: int) -> DataspaceError:
    state = read_state(home / party / "run")
    log = home / party / "run" / "log.jsonl"
    if state.get("stage") == "failed":
        kind = KINDS.get(str(state.get("error")), Unavailable)
        return kind(f"{party}: {state.get('message')}", code=str(state.get("code")))
    return Unavailable(f"{party} died at start (exit {code}); its log is {log}", code="party-died")


def stop_space(home: Path) -> list[str]:
    """Stop what was started; returns the parties that ran. Nodes first, brokers last."""
    stopped: list[str] = []
    parties = parties_of(home)
    brokers = [party for party in parties if is_broker(party)]
    for group in ([party for party in parties if party not in brokers], brokers):
        found = {party: find_process(home, party) for party in group}
        living = {party: process for party, process in found.items() if process is not None}
        for process in living.values():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in _await_end(list(living.values())):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        stopped += living
    return stopped


def _await_end(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after `STOP_SECONDS`."""
    deadline = time.monotonic() + STOP_SECONDS
    while (running := [each for each in processes if _runs(each)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def _runs(process: psutil.Process) -> bool:
    """Whether a process does anything still; one that waits to be reaped has ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def watch(home: Path) -> None:
    """Stay in the foreground; raises when a party ends. Ctrl-C raises KeyboardInterrupt."""
    while True:
        for party in parties_of(home):
            if find_process(home, party) is None:
                raise _dead(home, party, -1)
        time.sleep(0.5)


def run_node_load(node_home: Path, jobs: Path) -> dict[str, object]:
    """Have a region's node load products, as a process of its own.

    Raises the error that it ends with.
    """
    command = [sys.executable, "-m", "node", "--home", str(node_home), "load", str(jobs)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - ours
    try:
        reply = json.loads(done.stdout.decode().strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise Unavailable(
            f"the load at {node_home.name} ended without a word (exit {done.returncode})",
            code="load-died",
        ) from None
    if done.returncode != 0:
        kind = KINDS.get(str(reply.get("error")), Unavailable)
        raise kind(str(reply.get("message")), code=str(reply.get("code")))
    return dict(reply)
