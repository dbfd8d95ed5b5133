"""What a node's backup holds, and the order in which it is read while the node runs. Rim.

    party.toml storage.json keys/ certs/ trust/ charters/ policies/ revocations/ cosigned/ …
    ledger.db            as of one moment, by SQLite's own backup; not where it is on PostgreSQL
    warehouse/           the generation in force: it never changes, and is held open from the start
    log/                 as published under one checkpoint, with what witnesses cosigned of it
    archive/ bodies/ …   all

INVARIANT: the ledger is read before the log and bodies after it, so that what the ledger knows
is on record in the copy, and every entry of the copy has the body that it had.

Left out is what comes back by itself (the index, tables of existence checks), what is of this
run alone, and other parties' directories inside this one.
"""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dataspace.audit.checkpoints import parse_checkpoint
from dataspace.audit.notes import parse_note
from dataspace.audit.reader import CHECKPOINT, COSIGNED, DirectoryReader
from dataspace.audit.tiles import tiles_of
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.home import CONFIG, MAKING

LEDGER = "ledger.db"
_WAREHOUSE, _POINTER, _LOG = "warehouse", "CURRENT", "log"
_LATE = ("archive", "bodies")
_LEFT_OUT = frozenset(
    {"run", "existence", "authority", "lost+found", MAKING, _WAREHOUSE, _LOG, *_LATE}
)
_ATTEMPTS = 5


@dataclass(frozen=True)
class Source:
    """One file of a backup: where it goes, its mode, and how it is opened."""

    path: str
    mode: int
    open: Callable[[], IO[bytes]]


def contents(home: Path, opened: ExitStack) -> Iterator[Source]:
    """The files of a node's directory, in order. `opened` closes what is held open."""
    warehouse = list(_warehouse(home, opened))  # before a load can take it away
    if (home / LEDGER).exists():
        yield _of_bytes(LEDGER, _ledger(home / LEDGER))
    yield from _files(home, home, _is_early)
    yield from warehouse
    yield from _log(home / _LOG)
    for name in _LATE:
        yield from _files(home, home / name, lambda _: True)


def _is_early(path: Path) -> bool:
    name = path.name
    if name in _LEFT_OUT or name.startswith((LEDGER, "index.db", ".")):
        return False
    return not (path.is_dir() and (path / CONFIG).exists())


def _files(home: Path, folder: Path, wanted: Callable[[Path], bool]) -> Iterator[Source]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.endswith(".new") or (path.parent == home and not wanted(path)):
            continue
        if path.is_symlink():
            raise Malformed(
                f"{path} is a link: a backup would not hold what it leads to; put the file there",
                code="backup-link",
            )
        if path.is_dir():
            yield from _files(home, path, wanted)
        elif path.is_file():
            yield _of_file(path, path.relative_to(home).as_posix())


def _warehouse(home: Path, opened: ExitStack) -> Iterator[Source]:
    """The generation in force. Open files stay whole, whatever a load removes meanwhile."""
    root = home / _WAREHOUSE
    for _ in range(_ATTEMPTS):
        with ExitStack() as held:
            try:
                name = (root / _POINTER).read_text().strip()
            except FileNotFoundError:
                return
            found = []
            try:
                for path in sorted((root / name).rglob("*")):
                    if path.is_file():
                        found.append((path, held.enter_context(path.open("rb"))))
            except FileNotFoundError:
                continue
            if (root / _POINTER).read_text().strip() != name or not found:
                continue
            opened.push(held.pop_all())
            for path, stream in found:
                yield Source(path.relative_to(home).as_posix(), 0o600, lambda stream=stream: stream)  # type: ignore[misc]  # bound now
            yield _of_bytes(f"{_WAREHOUSE}/{_POINTER}", name.encode())
            return
    raise Unavailable("loads follow each other at this node; try again", code="backup-busy")


def _log(folder: Path) -> Iterator[Source]:
    reader = DirectoryReader(folder)
    cosigned = reader.cosigned()  # first, so that it is never ahead of the checkpoint
    text = reader.checkpoint()
    for tile in tiles_of(parse_checkpoint(parse_note(text).text).size):
        yield _of_bytes(f"{_LOG}/{tile.path}", reader.read(tile))
    if cosigned is not None:
        yield _of_bytes(f"{_LOG}/{COSIGNED}", cosigned.encode())
    yield _of_bytes(f"{_LOG}/{CHECKPOINT}", text.encode())


def _ledger(file: Path) -> bytes:
    try:
        with (
            closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            source.backup(copy)
            return copy.serialize()
    except sqlite3.Error:
        raise Unavailable(f"{file} cannot be read; see `gba doctor`", code="ledger") from None


def _of_bytes(path: str, data: bytes) -> Source:
    return Source(path, 0o600, lambda: io.BytesIO(data))


def _of_file(path: Path, name: str) -> Source:
    return Source(name, path.stat().st_mode & 0o777, lambda: path.open("rb"))


def length_of(stream: IO[bytes]) -> int:
    """How many bytes a stream has, from its beginning."""
    length = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return length


def is_gone(error: Exception) -> bool:
    """Whether a file went away between being listed and being read."""
    return isinstance(error, FileNotFoundError) and not isinstance(error, DataspaceError)
