"""The log's journal: a commit is durable with one flush of one record. Rim.

    journal/<number>                      ; segments in order, 19 digits, numbered from 0

Segments are filled with zeros and flushed before records go into them, so that writing a
record neither grows a file nor finds the disk full, and its flush carries data alone (the
write itself is synchronous). The next one is made ready while there is room in the one
before. They are removed when all their records are in the log's public files. Not itself
public.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from dataspace.audit.durable import make_directory, sync_directory, write_synced
from dataspace.audit.records import Record, decode_segment, encode_record
from dataspace.errors import Unverified

JOURNAL = "journal"
SEGMENT_BYTES = 1 << 20
_NAME_DIGITS = 19


@dataclass(frozen=True)
class _Segment:
    """A file of zeros, on disk."""

    path: Path
    length: int


class Journal:
    """The journal of a log whose earlier records are all published, and cleared away.

    One thread appends; another may prepare and cut.
    """

    def __init__(self, log_directory: Path) -> None:
        self._folder = log_directory / JOURNAL
        self._making = threading.Lock()  # held while a segment is made
        self._made = 0
        self._lock = threading.Lock()  # guards the lists of segments
        self._full: list[tuple[_Segment, int]] = []  # with the size after its last record
        self._current: _Segment | None = None
        self._spare: _Segment | None = None
        self._handle = -1
        self._at = self._size = 0

    @property
    def length(self) -> int:
        """Bytes that the segments with records in them take."""
        with self._lock:
            written = [each for each, _ in self._full]
            return sum(each.length for each in (*written, self._current) if each)

    def append(self, record: Record) -> None:
        """Write a record; it is durable when this returns."""
        data = encode_record(record)
        if self._current is None or self._at + len(data) > self._current.length:
            self._change_segment(len(data))
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._handle, rest, self._at)
            self._at += written
            rest = rest[written:]
        self._size = record.size

    def prepare(self) -> None:
        """Have the next segment ready once half of the present one is used."""
        with self._making:
            current = self._current
            if current and self._at > current.length // 2 and self._spare is None:
                self._spare = self._make(SEGMENT_BYTES)

    def cut(self, size: int) -> None:
        """Remove segments that hold nothing beyond `size`, but for the one being written."""
        with self._lock:
            done = [each for each, last in self._full if last <= size]
            self._full = [each for each in self._full if each[1] > size]
        for each in done:
            each.path.unlink()

    def close(self) -> None:
        """Let go of the segment being written, and leave everything as it is."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _change_segment(self, needed: int) -> None:
        with self._making:
            fresh, self._spare = self._spare, None
            unfit = fresh if fresh and fresh.length < needed else None
            if fresh is None or unfit:
                fresh = self._make(max(SEGMENT_BYTES, needed))
        handle = os.open(fresh.path, os.O_WRONLY | os.O_DSYNC | os.O_CLOEXEC)
        self.close()
        with self._lock:
            if self._current is not None:
                self._full.append((self._current, self._size))
            if unfit:  # INVARIANT: records are in the order of the segments' numbers
                self._full.append((unfit, 0))
            self._current, self._handle, self._at = fresh, handle, 0

    def _make(self, length: int) -> _Segment:
        make_directory(self._folder)
        path = self._folder / f"{self._made:0{_NAME_DIGITS}d}"
        write_synced(path, bytes(length))
        sync_directory(self._folder)
        self._made += 1
        return _Segment(path, length)


def read_journal(log_directory: Path) -> tuple[Record, ...]:
    """Every record that was written whole, in order; `Unverified` if any was changed."""
    return tuple(
        record
        for path in _segments(log_directory)
        for record in decode_segment(f"{JOURNAL}/{path.name}", path.read_bytes())
    )


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
