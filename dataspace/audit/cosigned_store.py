"""The cosigned checkpoints of a log that are kept, so that evidence made late is judged early.

Rim: a directory of notes. What is kept was verified by whoever puts it here. Of each hour
the last is kept; the newest is in memory, since the log itself keeps it. So an entry stays
provable under a checkpoint that witnesses saw within an hour of it, long after its signers'
certificates have expired.

    cosigned/<size, 20 digits>          the checkpoint
    cosigned/<size, 20 digits>.beside   what was in force then, whatever its owner says that is
    cosigned/newest.beside              the same of the newest
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from dataspace.audit.checkpoints import parse_checkpoint
from dataspace.audit.durable import make_directory, sync_directory, write_synced
from dataspace.audit.notes import parse_note

_HOUR_MS = 3_600_000
_DIGITS = 20
_BESIDE = ".beside"
_NAME = re.compile(rf"[0-9]{{{_DIGITS}}}", re.ASCII)


class CosignedStore:
    """Cosigned checkpoints by size. Safe between threads; one process writes.

    `newest` is the log's own cosigned checkpoint when it was opened, or empty.
    """

    def __init__(self, directory: Path, newest: str = "") -> None:
        self._directory = directory
        self._lock = threading.Lock()
        make_directory(directory)
        names = [file.name for file in directory.iterdir()]
        self._sizes = sorted(int(name) for name in names if _NAME.fullmatch(name))
        self._newest, self._newest_ms = newest, 0
        self._beside = _read(directory / f"newest{_BESIDE}")

    def keep(self, note_text: str, cosigned_ms: int, beside: bytes = b"") -> None:
        """Take a verified, cosigned checkpoint, and what was in force when it was cosigned; a
        smaller one than the newest changes nothing."""
        with self._lock:
            if self._newest and _size(note_text) < _size(self._newest):
                return
            if self._newest and self._newest_ms // _HOUR_MS != cosigned_ms // _HOUR_MS:
                self._put(self._newest)
            self._newest, self._newest_ms = note_text, cosigned_ms
            if beside != self._beside:
                self._write(f"newest{_BESIDE}", beside)
                self._beside = beside

    def covering(self, index: int) -> tuple[str, int] | None:
        """The earliest kept checkpoint that covers an entry, with its size; None if none does."""
        with self._lock:
            for size in self._sizes:
                if size > index:
                    return (self._directory / f"{size:0{_DIGITS}}").read_text(), size
            if self._newest and _size(self._newest) > index:
                return self._newest, _size(self._newest)
            return None

    def beside(self, size: int) -> bytes:
        """What was in force when the kept checkpoint of that size was cosigned."""
        with self._lock:
            if size in self._sizes:
                return _read(self._directory / f"{size:0{_DIGITS}}{_BESIDE}")
            return self._beside

    def _put(self, note_text: str) -> None:
        size = _size(note_text)
        if size in self._sizes:
            return
        if self._beside:
            self._write(f"{size:0{_DIGITS}}{_BESIDE}", self._beside)
        self._write(f"{size:0{_DIGITS}}", note_text.encode())
        self._sizes = sorted([*self._sizes, size])

    def _write(self, name: str, data: bytes) -> None:
        draft = self._directory / f"{name}.new"
        write_synced(draft, data)
        draft.rename(self._directory / name)
        sync_directory(self._directory)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _size(note_text: str) -> int:
    return parse_checkpoint(parse_note(note_text).text).size
