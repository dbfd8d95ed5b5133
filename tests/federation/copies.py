"""Spaces copied from one that was made once in this process: same parties, a port of its own."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from dataspace.cli.founding import free_port
from dataspace.home import CONFIG, PartyHome, brokers_of
from tests.spaces import Space, run_gba


@contextmanager
def running_copy(folder: Path, *init: str) -> Iterator[Space]:
    """A space with 300 patients a region, that runs."""
    space = still_copy(folder, *init)
    try:
        started = space.up()
        assert started.code == 0, started.err
        yield space
    finally:
        space.down()


def still_copy(folder: Path, *init: str) -> Space:
    """A space that does not run; `init` are options of `gba space init`."""
    made = _made(*(init or ("--patients", "300")))
    home = Path(shutil.copytree(made, folder / "space", symlinks=True))
    made_for = [PartyHome(home / name).config for name in brokers_of(home)]
    for old in (old for each in made_for for old in (each.broker, each.http)):
        new = f"127.0.0.1:{free_port()}"
        for config in home.rglob(CONFIG):
            config.write_text(config.read_text().replace(old, new))
    return Space(home)


@cache
def _made(*init: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gba-made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = run_gba("space", "init", str(folder / "space"), *init)
    assert made.code == 0, made.err
    return folder / "space"
