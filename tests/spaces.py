"""A running space for tests: the real command line, real processes, a home of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """What one run of `gba` came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    @property
    def error(self) -> dict[str, str]:
        """The error object on standard error."""
        value = json.loads(self.err.strip().splitlines()[-1])
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class Space:
    """A space's directory, driven through `gba`."""

    home: Path

    def gba(self, *arguments: str, actor: str | None = None) -> Ran:
        """Run `gba … --home HOME [--as ACTOR]` and return what came of it."""
        extra = ["--home", str(self.home), *(["--as", actor] if actor else [])]
        return run_gba(*arguments, *extra)

    def query(
        self, sql: str, *, actor: str = "hongkong/researcher", purpose: str = "HRESCH",
        extra: Sequence[str] = (),
    ) -> Ran:  # fmt: skip
        """`gba query … --format json`."""
        return self.gba("query", sql, "--purpose", purpose, "--format", "json", *extra, actor=actor)

    def up(self) -> Ran:
        """Start the space and wait until it is ready."""
        return self.gba("space", "up", "--detach")

    def down(self) -> Ran:
        """Stop it."""
        return self.gba("space", "down")


def run_gba(*arguments: str, timeout: float = 120) -> Ran:
    """Run the command as a user's shell would."""
    done = subprocess.run(
        [sys.executable, "-m", "dataspace.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def running_space(folder: Path, *init: str) -> Iterator[Space]:
    """A fresh space that runs; `init` are options of `gba space init`."""
    space = Space(folder / "space")
    made = run_gba("space", "init", str(space.home), *init)
    assert made.code == 0, made.err
    try:
        started = space.up()
        assert started.code == 0, started.err
        yield space
    finally:
        space.down()


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file under a folder; those that go while they are read are left out."""
    found = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                found[path] = path.read_bytes()
    return found
