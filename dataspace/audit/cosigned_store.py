"""The cosigned checkpoints of a log that are kept, so that evidence made late is judged early.

Rim: a directory of notes. What is kept was verified by whoever puts it here. Of each hour
the last is kept, and the newest: an entry stays provable under a checkpoint that witnesses
saw within an hour of it, long after its signers' certificates have expired.

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
    """Cosigned checkpoints by size. Safe between threads; one process writes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        make_directory(directory)
        self._sizes = self._kept()
        self._newest_ms = 0  # when it was cosigned; not known of what was here before

    def keep(self, note_text: str, cosigned_ms: int) -> None:
        """Keep a verified, cosigned checkpoint; an older or smaller one changes nothing."""
        size = parse_checkpoint(parse_note(note_text).text).size
        with self._lock:
            if self._sizes and size <= self._sizes[-1]:
                return
            target = self._directory / f"{size:0{_DIGITS}}"
            draft = target.with_suffix(".new")
            write_synced(draft, note_text.encode())
            draft.rename(target)
            sync_directory(self._directory)
            if self._sizes and self._newest_ms // _HOUR_MS == cosigned_ms // _HOUR_MS:
                (self._directory / f"{self._sizes.pop():0{_DIGITS}}").unlink(missing_ok=True)
            self._sizes.append(size)
            self._newest_ms = cosigned_ms

    def covering(self, index: int) -> tuple[str, int] | None:
        """The earliest kept checkpoint that covers an entry, with its size; None if none does."""
        with self._lock:
            if not self._sizes or self._sizes[-1] <= index:
                self._sizes = self._kept()
            size = next((each for each in self._sizes if each > index), None)
            if size is None:
                return None
            return (self._directory / f"{size:0{_DIGITS}}").read_text(), size

    def _kept(self) -> list[int]:
        names = (file.name for file in self._directory.iterdir())
        return sorted(int(name) for name in names if _NAME.fullmatch(name))
