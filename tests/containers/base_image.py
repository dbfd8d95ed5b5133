"""A container engine and a base image, without an image registry.

Promises an engine that answers, or the reason why there is none; and, once, a local image that
stands in for the Dockerfile's own base: Debian with Python, certificates and tini.
Pushes nothing, stops nothing: an engine started here is left running for the next test process.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SUITE: Final = "bookworm"
BASE: Final = f"gba-test-base:{SUITE}"
SHIPPED_BASE: Final = f"python:3.11-slim-{SUITE}"
# debootstrap does not follow virtual packages: python3-distutils is what python3.11-venv asks for.
PACKAGES: Final = (
    "ca-certificates",
    "netbase",
    "python3-distutils",
    "python3.11",
    "python3.11-venv",
    "tini",
    "tzdata",
)
CA_BUNDLE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
SYSTEM_PATH: Final = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
ENGINE_PATIENCE: Final = 60.0
NOT_IMPORTED: Final = (
    "./dev/*",
    "./proc/*",
    "./sys/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
)
IMPORT_CHANGES: Final = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    f"ENV PIP_CERT={CA_BUNDLE}",
    'CMD ["python3.11"]',
)


class NoBaseImage(Exception):
    """Neither a mirror nor a registry gave a base image; the message says what was tried."""


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
        if shutil.which("docker") is None and (reason := _install()):
            return reason
        if _answers():
            return None
        if address := os.environ.get("DOCKER_HOST"):
            return f"the container engine at DOCKER_HOST={address} does not answer"
        if os.geteuid() != 0:
            return "no container engine answers this user; start dockerd as root, join group docker"
        if _tool("dockerd") is None and (reason := _install()):
            return reason
        return _start()


def ensure_base() -> str:
    """The tag of a base image, built (or, where that is impossible, pulled) when it is missing.

    Raises `NoBaseImage`. Needs an engine: call `ensure_engine` first.
    """
    with alone("base"):
        if _docker("image", "inspect", BASE).returncode == 0:
            return BASE
        hindrance = _hindrance()
        if hindrance is None:
            _build()
        elif _docker("pull", SHIPPED_BASE).returncode == 0:
            _docker("tag", SHIPPED_BASE, BASE)
        else:
            raise NoBaseImage(f"{SHIPPED_BASE} cannot be pulled, nor a base be made: {hindrance}")
        return BASE


def _answers() -> bool:
    return _docker("version", "--format", "{{.Server.Version}}").returncode == 0


def _start() -> str | None:
    """Start dockerd in a session of its own, so that it outlives the tests."""
    daemon = _tool("dockerd")
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
        if _answers():
            # It is meant to outlive us: do not let Popen warn that it still runs.
            process.returncode = 0
            return None
        if process.poll() is not None:
            return f"dockerd ended at once: {_last_line(log)}"
        time.sleep(0.2)
    process.terminate()
    process.wait()
    return f"dockerd does not answer after {ENGINE_PATIENCE:.0f} s: {_last_line(log)}"


def _install() -> str | None:
    """Install the engine where that is nobody's machine: as root in a CI job."""
    wanted = ("docker.io", "debootstrap")
    missing = f"no container engine is installed; install it with 'apt-get install {wanted[0]}'"
    if os.geteuid() != 0 or not os.environ.get("CI") or shutil.which("apt-get") is None:
        return missing
    log = cache_directory() / "apt-get.log"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("w") as output:
        for command in (("update",), ("install", "-y", *wanted)):
            done = subprocess.run(
                ["apt-get", *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
    return None if done.returncode == 0 else f"{missing}; trying it failed: {_last_line(log)}"


def _hindrance() -> str | None:
    """Why no base can be made here, if so."""
    if os.geteuid() != 0:
        return "debootstrap needs root"
    for tool in ("debootstrap", "unshare"):
        if _tool(tool) is None:
            return f"{tool} is missing; install it with apt-get"
    if not CA_BUNDLE.is_file():
        return f"{CA_BUNDLE} is missing; install ca-certificates"
    if _mirror() is None:
        return f"apt knows no mirror of {SUITE}"
    return None


def _mirror() -> str | None:
    """The Debian mirror that this machine's own apt uses, or `None`."""
    if shutil.which("apt-get") is None:
        return None
    fields = "$(SITE) $(RELEASE) $(CODENAME) $(COMPONENT)"
    targets = _run("apt-get", "indextargets", "--format", fields, "Created-By: Packages").stdout
    for target in targets.splitlines():
        site, *suites, component = target.split()
        if SUITE in suites and component == "main":
            return site
    return None


def _apt_proxy() -> dict[str, str]:
    """The proxy of this machine's apt, in the form that debootstrap's downloader reads."""
    found = _run("apt-config", "shell", "http_proxy", "Acquire::http::Proxy").stdout.strip()
    return {"http_proxy": found.split("=", 1)[1].strip("'")} if found else {}


def _build() -> None:
    """Debian's minimal system and `PACKAGES`, imported as one layer."""
    mirror = _mirror()
    assert mirror is not None
    # /var/tmp, because /tmp is often mounted nodev, which debootstrap refuses.
    with tempfile.TemporaryDirectory(prefix="gba-test-base-", dir="/var/tmp") as scratch:
        root = Path(scratch) / "root"
        _debootstrap(root, mirror)
        shutil.copyfile(CA_BUNDLE, root / CA_BUNDLE.relative_to("/"))
        _import(root)


def _debootstrap(root: Path, mirror: str) -> None:
    log = cache_directory() / "debootstrap.log"
    # A mount namespace of its own: /proc mounted in the tree is gone when this ends, even when it
    # is killed, so that removing the tree never reaches the host's.
    command = ["unshare", "--mount", "debootstrap", "--variant=minbase"]
    command += [f"--include={','.join(PACKAGES)}", SUITE, str(root), mirror]
    with log.open("w") as output:
        done = subprocess.run(
            command,
            env={**os.environ, "PATH": SYSTEM_PATH, **_apt_proxy()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise NoBaseImage(f"debootstrap failed: {_last_line(log)}; see {log}")


def _import(root: Path) -> None:
    changes = [part for change in IMPORT_CHANGES for part in ("--change", change)]
    excluded = [f"--exclude={pattern}" for pattern in NOT_IMPORTED]
    with subprocess.Popen(
        ["tar", "--create", "--numeric-owner", *excluded, "--directory", str(root), "."],
        stdout=subprocess.PIPE,
    ) as archive:
        done = subprocess.run(
            ["docker", "import", *changes, "-", BASE],
            stdin=archive.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0 or archive.returncode != 0:
        raise NoBaseImage(f"the engine did not import the base: {done.stderr.strip()}")


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("docker", *arguments)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _tool(name: str) -> str | None:
    return shutil.which(name, path=SYSTEM_PATH)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def main() -> int:
    """Prepare engine and base by hand, ahead of the tests."""
    if reason := ensure_engine():
        print(reason, file=sys.stderr)
        return 5
    try:
        print(ensure_base())
    except NoBaseImage as hindrance:
        print(hindrance, file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
