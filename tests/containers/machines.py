"""Machines on which the operator's guide is typed: a directory each, with a shell.

Promises that what is exported stays for the next line, that one machine sees nothing of another but
what lies in `papers/`, and what every line took. Leaves what is typed to the tests.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.spaces import Ran

from .compose import DEPLOY, Project
from .engine import docker

OWNER: Final = 10001
LINE_SECONDS: Final = 120
# Of the tests' own process; a machine has none of it but what is set there.
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR", "DOCKER_HOST")


@dataclass
class Machine:
    """Somebody's machine with `gba` on it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # that each line took

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def carries(self, papers: Path) -> None:
        """What travels lies in this directory."""
        (self.folder / "papers").symlink_to(papers, target_is_directory=True)

    def type(self, line: str) -> Ran:
        """A line, as a shell runs it that remembers what was exported."""
        kept = self.folder / ".exported"
        before = f". {kept}; " if kept.exists() else ""
        script = f"{before}{line}\ncode=$?; export -p > {kept}; exit $code"
        own = {name: os.environ[name] for name in _KEPT if name in os.environ}
        began = time.monotonic()
        done = subprocess.run(
            ["/bin/sh", "-c", script], cwd=self.folder, env=own | self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LINE_SECONDS,
            check=False,
        )  # fmt: skip
        self.seconds[line] = time.monotonic() - began
        return Ran(done.returncode, done.stdout, done.stderr)


@dataclass
class Host(Machine):
    """A host with the files of deploy/ and a container engine, and no `gba` of its own."""

    project: Project = field(kw_only=True)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        for file in DEPLOY.glob("*.compose.yaml"):
            shutil.copy(file, self.folder)
        shutil.copytree(DEPLOY / "prometheus", self.folder / "prometheus")
        # The guide says `docker compose`; where only 1.29 is there, that is what it comes to.
        shim = self.folder / "bin" / "docker"
        shim.parent.mkdir()
        compose = " ".join((*self.project.command, "--project-name", self.project.name))
        shim.write_text(
            f'#!/bin/sh\nPATH="{os.environ["PATH"]}"\ntest "$1" = compose || exec docker "$@"\n'
            f'shift; exec {compose} "$@"\n'
        )
        shim.chmod(0o755)
        images = self.project.images
        self.environment |= dict(self.project.environment) | {
            "GBA_NODE_IMAGE": images.node,
            "GBA_BROKER_IMAGE": images.broker,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def clear(self) -> None:
        """Nothing is left behind."""
        self.project.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        # Those of files that were laid over the project's own.
        if left := self.project.left_behind()["volume"].split():
            docker("volume", "rm", "--force", *left)


def packed(home: Path, file: Path) -> None:
    """A party's home as an archive."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = OWNER
        return entry

    with tarfile.open(file, "w") as archive:
        archive.add(home, ".", filter=owned)


def free_port() -> int:
    """A port of every address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])
