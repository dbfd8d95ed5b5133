"""Files that are on disk whole or not at all, directories included. Rim.

A file is written beside its place, flushed, and renamed; the directory is flushed after.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

STAGING = "staging"


class DurableDirectory:
    """Writes files under `root`. One writer at a time; readers see old or new, never half."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._staging = root / STAGING
        self._known: set[Path] = set()
        self.make(self._staging)
        for left in self._staging.iterdir():  # half-written when a process ended
            left.unlink()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put every file in place; all are durable when this returns, in no certain order."""
        staged = [
            (self._stage(number, data), self.root / path)
            for number, (path, data) in enumerate(files.items())
        ]
        folders = {target.parent for _, target in staged}
        for folder in folders:
            self.make(folder)
        for temporary, target in staged:
            temporary.rename(target)
        for folder in folders:
            sync_directory(folder)

    def remove(self, paths: Iterable[str]) -> None:
        """Take files away, not necessarily for good if the machine stops at once."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    def make(self, folder: Path) -> None:
        """Make a directory and its parents, durably."""
        if folder in self._known:
            return
        make_directory(folder)
        self._known.add(folder)

    def forget(self, folder: Path) -> None:
        """Remove an empty directory."""
        self._known.discard(folder)
        folder.rmdir()

    def _stage(self, number: int, data: bytes) -> Path:
        temporary = self._staging / str(number)
        write_synced(temporary, data)
        return temporary


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file's content and flush it; its name is durable only with its directory."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(folder: Path) -> None:
    """Make a directory and the parents it lacks; their names are durable on return."""
    if folder.is_dir():
        return
    make_directory(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_directory(folder.parent)


def sync_directory(folder: Path) -> None:
    """Flush a directory, and with it the names in it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
