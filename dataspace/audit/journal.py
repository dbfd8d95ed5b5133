"""The log's journal: a commit is durable with one flush of one record. Rim.

    journal/<size>                        ; segments, named after the size that they begin at

Segments are filled with zeros and flushed before records go into them, so that writing a
record neither grows a file nor finds the disk full, and its flush carries data alone (the
write itself is synchronous). They are removed when all their records are in the log's
public files. Not itself public.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from dataspace.audit.durable import make_directory, sync_directory, write_synced
from dataspace.audit.records import Record, decode_segment, encode_record
from dataspace.errors import Unverified

JOURNAL = "journal"
SEGMENT_BYTES = 1 << 20
_NAME_DIGITS = 19


class Journal:
    """The journal of a log whose earlier records are all published. One thread appends."""

    def __init__(self, log_directory: Path) -> None:
        self._folder = log_directory / JOURNAL
        self._lock = threading.Lock()
        self._full: list[tuple[Path, int, int]] = []  # path, bytes, size after its last record
        self._path: Path | None = None
        self._handle = -1
        self._length = self._at = self._size = 0

    @property
    def length(self) -> int:
        """Bytes that the journal takes on disk."""
        with self._lock:
            return self._length + sum(length for _, length, _ in self._full)

    def append(self, record: Record) -> None:
        """Write a record; it is durable when this returns."""
        data = encode_record(record)
        if self._at + len(data) > self._length:
            self._begin_segment(record.old_size, max(SEGMENT_BYTES, len(data)))
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._handle, rest, self._at)
            self._at += written
            rest = rest[written:]
        self._size = record.size

    def cut(self, size: int) -> None:
        """Remove segments that hold nothing beyond `size`, but for the one being written."""
        with self._lock:
            done = [each for each in self._full if each[2] <= size]
            self._full = [each for each in self._full if each[2] > size]
        for path, _, _ in done:
            path.unlink()

    def close(self) -> None:
        """Let go of the segment being written, and leave everything as it is."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
            self._length = self._at = 0

    def _begin_segment(self, old_size: int, length: int) -> None:
        make_directory(self._folder)
        path = self._folder / f"{old_size:0{_NAME_DIGITS}d}"
        write_synced(path, bytes(length))
        sync_directory(self._folder)
        handle = os.open(path, os.O_WRONLY | os.O_DSYNC | os.O_CLOEXEC)
        with self._lock:
            if self._path is not None:
                self._full.append((self._path, self._length, self._size))
            if self._handle >= 0:
                os.close(self._handle)
            self._path, self._handle, self._length, self._at = path, handle, length, 0


def read_journal(log_directory: Path) -> tuple[Record, ...]:
    """Every record that was written whole, in order; `Unverified` if any was changed."""
    paths = _segments(log_directory)
    records: list[Record] = []
    for path in paths:
        found = decode_segment(f"{JOURNAL}/{path.name}", path.read_bytes())
        if found and found[0].old_size != int(path.name):
            raise Unverified(
                f"{JOURNAL}/{path.name} does not begin at the entry it is named after;"
                " restore the log from a backup",
                code="journal-changed",
            )
        records += found
    return tuple(records)


def clear_journal(log_directory: Path) -> None:
    """Remove every segment; for a log whose public files hold all that was acknowledged."""
    paths = _segments(log_directory)
    for path in paths:
        path.unlink()
    if paths:
        sync_directory(log_directory / JOURNAL)


def _segments(log_directory: Path) -> list[Path]:
    try:
        paths = sorted((log_directory / JOURNAL).iterdir())
    except FileNotFoundError:
        return []
    for path in paths:
        if len(path.name) != _NAME_DIGITS or not (path.name.isascii() and path.name.isdigit()):
            raise Unverified(
                f"{JOURNAL}/{path.name} is no segment of a journal; move it away",
                code="journal-file",
            )
    return paths
