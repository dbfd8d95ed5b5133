"""A base image, without an image registry.

Promises, once, a local image that stands in for the Dockerfile's own base: Debian with Python,
certificates and tini. Pushes nothing, and leaves having an engine to `engine`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from .engine import (
    alone,
    cache_directory,
    docker,
    ensure_engine,
    ensure_program,
    last_line,
    run,
    run_logged,
    tool,
)

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


def ensure_base() -> str:
    """The tag of a base image, built (or, where that is impossible, pulled) when it is missing.

    Raises `NoBaseImage`. Needs an engine: call `ensure_engine` first.
    """
    with alone("base"):
        if docker("image", "inspect", BASE).returncode == 0:
            return BASE
        hindrance = _hindrance()
        if hindrance is None:
            _build()
        elif docker("pull", SHIPPED_BASE).returncode == 0:
            docker("tag", SHIPPED_BASE, BASE)
        else:
            raise NoBaseImage(f"{SHIPPED_BASE} cannot be pulled, nor a base be made: {hindrance}")
        return BASE


def _hindrance() -> str | None:
    """Why no base can be made here, if so."""
    if os.geteuid() != 0:
        return "debootstrap needs root"
    if reason := ensure_program("debootstrap"):
        return reason
    if tool("unshare") is None:
        return "unshare is missing; install util-linux"
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
    targets = run("apt-get", "indextargets", "--format", fields, "Created-By: Packages").stdout
    for target in targets.splitlines():
        site, *suites, component = target.split()
        if SUITE in suites and component == "main":
            return site
    return None


def _apt_proxy() -> dict[str, str]:
    """The proxy of this machine's apt, in the form that debootstrap's downloader reads."""
    found = run("apt-config", "shell", "http_proxy", "Acquire::http::Proxy").stdout.strip()
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
    log.unlink(missing_ok=True)
    if run_logged(log, *command, environment=_apt_proxy()) != 0:
        raise NoBaseImage(f"debootstrap failed: {last_line(log)}; see {log}")


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
