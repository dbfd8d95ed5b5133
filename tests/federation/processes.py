"""The processes of a space, one by one: stop, kill, start, wait."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from dataspace.cli.supervising import PARTIES, find_process, start_party, status_of
from tests.spaces import Space

SECONDS = 15.0


def process_of(space: Space, party: str) -> psutil.Process:
    """A party's process, which has to run."""
    process = find_process(space.home, party)
    assert process is not None, f"{party} does not run"
    return process


def stop(space: Space, party: str, *, kill: bool = False) -> None:
    """End a party's process, gently or at once, and wait for its end."""
    process = process_of(space, party)
    if kill:
        process.kill()
    else:
        process.terminate()
    await_true(lambda: gone(process), f"{party} runs on")


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended; one that waits to be reaped has."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def restart(space: Space, party: str, *, kill: bool = False) -> None:
    """End a party's process and start it anew; does not wait until it is ready."""
    stop(space, party, kill=kill)
    start_party(space.home, party)


def await_ready(space: Space, *parties: str, seconds: float = SECONDS) -> None:
    """Wait until these parties (all, if none is named) serve or are attached."""

    def ready() -> bool:
        found = [each for each in status_of(space.home) if each.party in (parties or PARTIES)]
        return all(each.stage in {"serving", "attached"} for each in found)

    await_true(ready, "not ready", seconds)


def await_true(holds: Callable[[], bool], otherwise: str, seconds: float = SECONDS) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
