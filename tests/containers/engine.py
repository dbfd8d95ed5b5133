"""A container engine, had where it can be had.

Promises an engine that answers, or the reason why there is none, and the few things that every
container test asks of this machine. Stops nothing: an engine started here is left running for the
next test process.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

SYSTEM_PATH: Final = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
# Debian's packages, installed together when the first of them is missing.
PACKAGES: Final = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "docker-compose": "docker-compose",
}
ENGINE_PATIENCE: Final = 60.0


def cache_directory() -> Path:
    """Where logs, locks and wheels of the container tests stay between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(home) / "gba-dataspace-tests"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def alone(task: str) -> Iterator[None]:
    """Let one process at a time do `task`; the others wait."""
    with (cache_directory() / f"{task}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_engine() -> str | None:
    """Have an engine that answers; `None`, or the reason why there is none and what to do."""
    with alone("engine"):
        if reason := ensure_program("docker"):
            return reason
        if _answers():
            return None
        if address := os.environ.get("DOCKER_HOST"):
            return f"the container engine at DOCKER_HOST={address} does not answer"
        if os.geteuid() != 0:
            return "no container engine answers this user; start dockerd as root, join group docker"
        if reason := ensure_program("dockerd"):
            return reason
        return None if _answers() else _start()


def ensure_program(name: str) -> str | None:
    """Have a program, installed if need be; `None`, or the reason why it is missing."""
    if tool(name):
        return None
    missing = f"{name} is not installed; install it with 'apt-get install {PACKAGES[name]}'"
    failure = _install()
    if failure is None and tool(name):
        return None
    return f"{missing}; trying it failed: {failure}" if failure else missing


@cache
def _install() -> str | None:
    """Install `PACKAGES` where that is nobody's machine: as root in a CI job. Why it failed."""
    if os.geteuid() != 0 or not os.environ.get("CI") or shutil.which("apt-get") is None:
        return None
    log = cache_directory() / "apt-get.log"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    log.unlink(missing_ok=True)
    for command in (("update",), ("install", "-y", *sorted(set(PACKAGES.values())))):
        code = run_logged(log, "apt-get", *command, environment=environment)
    return None if code == 0 else last_line(log)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`docker …`, to its end, with nothing on its standard input."""
    return run("docker", *arguments)


def run(
    *command: str, environment: Mapping[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """A command's outcome; `environment` is added to this process's own."""
    return subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def run_logged(log: Path, *command: str, environment: Mapping[str, str] | None = None) -> int:
    """A command's exit code; what it says is added to `log`."""
    with log.open("a") as output:
        return subprocess.run(
            command,
            env={**os.environ, "PATH": SYSTEM_PATH, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def tool(name: str) -> str | None:
    """The path of a program, also of those that only root has in its path."""
    return shutil.which(name, path=SYSTEM_PATH)


def last_line(log: Path) -> str:
    """The last thing that was said in a log."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _answers() -> bool:
    return docker("version", "--format", "{{.Server.Version}}").returncode == 0


def _start() -> str | None:
    """Start dockerd in a session of its own, so that it outlives the tests."""
    daemon = tool("dockerd")
    assert daemon is not None
    log = cache_directory() / "dockerd.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [daemon],
            cwd="/",
            env={**os.environ, "PATH": SYSTEM_PATH},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Do not let the engine hold this process's lock files open.
            close_fds=True,
        )
    deadline = time.monotonic() + ENGINE_PATIENCE
    while time.monotonic() < deadline:
        # One that the installation started counts as well: ours then ends at once.
        if _answers():
            # It is meant to outlive us: do not let Popen warn that it still runs.
            process.returncode = 0
            return None
        if process.poll() is not None and "already running" not in last_line(log):
            return f"dockerd ended at once: {last_line(log)}"
        time.sleep(0.2)
    if process.poll() is None:
        process.terminate()
        process.wait()
    return f"dockerd does not answer after {ENGINE_PATIENCE:.0f} s: {last_line(log)}"
