"""Generations of a node's warehouse on disk. Rim: files and one pointer; runs no query.

    warehouse/CURRENT                         name of the generation in force
    warehouse/g000001/data.duckdb             local tables and the views over them
    warehouse/g000001/products/<name>.yaml    product files, byte for byte
    warehouse/g000001/offers/<name>.dsse      what the operator signed of them

A generation never changes once CURRENT names it. CURRENT is renamed into place, so that a
reader sees one whole generation or the other, and a load that fails changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import Unavailable

POINTER = "CURRENT"
DATABASE = "data.duckdb"


@dataclass(frozen=True)
class Generation:
    """One generation's directory."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def products(self) -> dict[str, tuple[bytes, bytes]]:
        """Product name to (product file, signed offer), as they were published."""
        found = {}
        for file in sorted((self.path / "products").glob("*.yaml")):
            offer = self.path / "offers" / f"{file.stem}.dsse"
            found[file.stem] = (file.read_bytes(), offer.read_bytes())
        return found


@dataclass(frozen=True)
class Generations:
    """The warehouse directory of one node."""

    root: Path

    def current(self) -> Generation | None:
        """The generation in force, or None before the first load."""
        try:
            name = (self.root / POINTER).read_text().strip()
        except FileNotFoundError:
            return None
        return Generation(self.root / name)

    @contextmanager
    def loading(self) -> Iterator[Generation]:
        """A new generation to build, copied from the current one; removed unless published.

        Raises `Unavailable` while another load is under way.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise Unavailable(
                "another load is under way at this node; try again when it is done",
                code="load-busy",
            ) from None
        try:
            draft = self._next()
            try:
                self._fill(draft)
                yield draft
            finally:
                current = self.current()
                if current is None or current.name != draft.name:
                    shutil.rmtree(draft.path, ignore_errors=True)
        finally:
            os.close(lock)

    def publish(self, generation: Generation) -> None:
        """Make a whole generation the one in force."""
        for file in sorted(generation.path.rglob("*")):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
        for folder in (generation.path / "products", generation.path / "offers", generation.path):
            sync_directory(folder)
        draft = self.root / f"{POINTER}.new"
        write_synced(draft, generation.name.encode())
        draft.rename(self.root / POINTER)
        sync_directory(self.root)

    def remove_others(self, keep: str) -> None:
        """Remove generations that nobody reads any more."""
        for folder in self.root.glob("g[0-9]*"):
            if folder.name < keep:
                shutil.rmtree(folder, ignore_errors=True)

    def _next(self) -> Generation:
        names = [folder.name[1:] for folder in self.root.glob("g[0-9]*")]
        numbers = [int(name) for name in names if name.isdecimal()]
        return Generation(self.root / f"g{max(numbers, default=0) + 1:06d}")

    def _fill(self, draft: Generation) -> None:
        current = self.current()
        if current is None:
            (draft.path / "products").mkdir(parents=True)
            (draft.path / "offers").mkdir()
        else:
            shutil.copytree(current.path, draft.path)
