"""Fetch the locked wheels into deploy/wheelhouse/, so that the images build without network.

Each is held to the lock's hashes, here and once more while the image is built. Exit 3 where this
machine's wheels would not fit the image, 5 where they cannot be fetched.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent
WHEELHOUSE = DEPLOY / "wheelhouse"
LOCK, DEV_LOCK = DEPLOY.parent / "requirements.lock", DEPLOY.parent / "requirements-dev.lock"
# The C library of the base image's Debian: wheels chosen for a newer one would not load there.
BASE_GLIBC = (2, 36)


def misfit() -> str:
    """Why wheels for this interpreter would not fit the image; empty where they do."""
    library, version = platform.libc_ver()
    if sys.version_info[:2] != (3, 11) or library != "glibc":
        return "the image runs Python 3.11 on Linux with glibc"
    if tuple(int(part) for part in version.split(".")[:2]) > BASE_GLIBC:
        return f"the image has glibc {BASE_GLIBC[0]}.{BASE_GLIBC[1]}, this machine {version}"
    return ""


def builders(dockerfile: str, lock: str) -> str:
    """The part of the development lock that the Dockerfile builds our own wheel with."""
    named = re.search(r"builders='(.*)'", dockerfile)
    assert named is not None, "deploy/Dockerfile names no builders"
    parts = re.split(r"^(?=[a-z])", lock, flags=re.MULTILINE)
    return "".join(part for part in parts if re.match(named[1], part))


def main() -> int:
    """Fetch, or say why not."""
    if reason := misfit():
        print(
            f"{reason}: call `make wheelhouse` there, or in a container of the base image",
            file=sys.stderr,
        )
        return 3
    WHEELHOUSE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "builders.txt"
        chosen.write_text(builders((DEPLOY / "Dockerfile").read_text(), DEV_LOCK.read_text()))
        for lock in (LOCK, chosen):
            done = subprocess.run(  # noqa: S603 - our own interpreter, our own locks
                (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download",
                 "--only-binary", ":all:", "--no-deps", "--require-hashes",
                 "--dest", str(WHEELHOUSE), "--requirement", str(lock)),
                check=False,
            )  # fmt: skip
            if done.returncode != 0:
                print("the wheels cannot be fetched: see above", file=sys.stderr)
                return 5
    wheels = list(WHEELHOUSE.glob("*.whl"))
    size = sum(wheel.stat().st_size for wheel in wheels) >> 20
    print(f"{len(wheels)} wheels, {size} MB, in {WHEELHOUSE.relative_to(DEPLOY.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
