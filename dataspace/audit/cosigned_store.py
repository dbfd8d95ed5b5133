"""The cosigned checkpoints of a log that are kept, so that evidence made late is judged early.

Rim: a directory of notes. What is kept was verified by whoever puts it here. Of each hour
the last is kept; the newest is in memory, since the log itself keeps it. So an entry stays
provable under a checkpoint that witnesses saw within an hour of it, long after its signers'
certificates have expired.

    cosigned/<size, 20 digits>
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
_NAME = re.compile(rf"[0-9]{{{_DIGITS}}}", re.ASCII)


class CosignedStore:
    """Cosigned checkpoints by size. Safe between threads; one process writes.

    `newest` is the log's own cosigned checkpoint when it was opened, or empty.
    """

    def __init__(self, directory: Path, newest: str = "") -> None:
        self._directory = directory
        self._lock = threading.Lock()
        make_directory(directory)
        names = (file.name for file in directory.iterdir())
        self._sizes = sorted(int(name) for name in names if _NAME.fullmatch(name))
        self._newest, self._newest_ms = newest, 0

    def keep(self, note_text: str, cosigned_ms: int) -> None:
        """Take a verified, cosigned checkpoint; a smaller one than the newest changes nothing."""
        with self._lock:
            if self._newest and _size(note_text) < _size(self._newest):
                return
            if self._newest and self._newest_ms // _HOUR_MS != cosigned_ms // _HOUR_MS:
                self._put(self._newest)
            self._newest, self._newest_ms = note_text, cosigned_ms

    def covering(self, index: int) -> tuple[str, int] | None:
        """The earliest kept checkpoint that covers an entry, with its size; None if none does."""
        with self._lock:
            for size in self._sizes:
                if size > index:
                    return (self._directory / f"{size:0{_DIGITS}}").read_text(), size
            if self._newest and _size(self._newest) > index:
                return self._newest, _size(self._newest)
            return None

    def _put(self, note_text: str) -> None:
        size = _size(note_text)
        if size in self._sizes:
            return
        target = self._directory / f"{size:0{_DIGITS}}"
        draft = target.with_suffix(".new")
        write_synced(draft, note_text.encode())
        draft.rename(target)
        sync_directory(self._directory)
        self._sizes = sorted([*self._sizes, size])


def _size(note_text: str) -> int:
    return parse_checkpoint(parse_note(note_text).text).size
