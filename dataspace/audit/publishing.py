"""Brings what was acknowledged into the log's public files, from a thread of its own. Rim.

Promises: the files are a whole tlog-tiles log at every moment for whoever reads the
checkpoint first; an acknowledged entry is among them at once when the log is at rest, and
within a tenth of a second when it is not. A failed write ends publishing: nobody knows then
what is on disk, and opening the log again looks.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dataspace.audit.checkpoints import Checkpoint, parse_checkpoint
from dataspace.audit.durable import DurableDirectory
from dataspace.audit.growing import GrowingLog
from dataspace.audit.journal import Journal
from dataspace.audit.notes import Note, parse_note
from dataspace.audit.reader import CHECKPOINT, COSIGNED, DirectoryReader
from dataspace.audit.tiles import Tile, tiles_between
from dataspace.errors import Unavailable, Unverified

_INTERVAL_SECONDS = 0.08  # publications are this far apart while the log is busy


@dataclass(frozen=True)
class Head:
    """A state of the log: its checkpoint, and that as a note signed by the owner alone."""

    checkpoint: Checkpoint
    text: str


class Publisher:
    """Writes one log's public files. Safe for any number of threads."""

    def __init__(self, directory: Path, log: GrowingLog, journal: Journal, published: int) -> None:
        self._files = DurableDirectory(directory)
        self._reader = DirectoryReader(directory)
        self._log = log
        self._journal = journal
        self._writing = threading.Lock()  # guards the files
        self._turn = threading.Condition()  # guards what follows
        self._published = published
        self._wanted: Head | None = None
        self._wait_until = 0.0
        self._urgent = published
        self._resting = True
        self._closing = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self.stopped = ""

    @property
    def published(self) -> int:
        """How many entries the public files hold."""
        return self._published

    def offer(self, head: Head) -> None:
        """Publish this acknowledged state, or a later one, soon."""
        with self._turn:
            self._want(head)
            if self._resting:
                self._turn.notify_all()

    def bring(self, head: Head) -> None:
        """Wait until this acknowledged state is published; `Unavailable` if it cannot be."""
        size = head.checkpoint.size
        with self._turn:
            self._want(head)
            self._urgent = max(self._urgent, size)
            self._turn.notify_all()
            while self._published < size and not self.stopped:
                self._turn.wait()
            if self._published < size:
                raise Unavailable(self.stopped, code="log-stopped")

    def attach(self, note: Note, checkpoint: Checkpoint) -> None:
        """Publish a cosigned note of a published checkpoint, unless a later one is there."""
        try:
            self._attach(note, checkpoint)
        except OSError as error:
            self._stop(error)
            raise Unavailable(self.stopped, code="log-stopped") from error

    def _attach(self, note: Note, checkpoint: Checkpoint) -> None:
        with self._writing:
            if self._closed or self.stopped:
                raise Unavailable(self.stopped or "the log is closed", code="log-stopped")
            held = self._reader.cosigned()
            if held is not None:
                old = parse_note(held)
                if parse_checkpoint(old.text).size > checkpoint.size:
                    return
                note = _merged(note, old)
            self._files.write({COSIGNED: note.to_text().encode()})
            if checkpoint.size == self._published:
                self._files.write({CHECKPOINT: note.to_text().encode()})

    def publish_now(self, head: Head) -> None:
        """Publish in the caller's thread, which must be the only one; raises `OSError`."""
        self._publish(head)

    def close(self) -> None:
        """End the thread, which publishes what it was offered first, and write nothing more."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._writing:
            self._closed = True

    def _want(self, head: Head) -> None:
        size = head.checkpoint.size
        if size > self._published and not (
            self._wanted is not None and self._wanted.checkpoint.size >= size
        ):
            self._wanted = head
        if self._thread is None and self._wanted is not None and not self._closing:
            self._thread = threading.Thread(target=self._run, name="log-publisher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (head := self._next()) is not None:
            try:
                self._publish(head)
            except BaseException as error:
                self._stop(error)
                if not isinstance(error, OSError):
                    raise

    def _next(self) -> Head | None:
        """What to publish, once it is time to; None at the end."""
        with self._turn:
            while True:
                if self.stopped or (self._closing and self._wanted is None):
                    return None
                pause = self._wait_until - time.monotonic()
                hurried = self._closing or self._urgent > self._published
                if self._wanted is None:
                    self._resting = True
                    self._turn.wait()
                    self._resting = False
                elif pause > 0 and not hurried:
                    self._turn.wait(pause)
                else:
                    self._wait_until = time.monotonic() + _INTERVAL_SECONDS
                    head, self._wanted = self._wanted, None
                    return head

    def _publish(self, head: Head) -> None:
        old_size, size = self._published, head.checkpoint.size
        with self._writing:
            # INVARIANT: the checkpoint comes last, so that what it covers is there, and the
            # journal is cut after it, so that what it holds is nowhere else only before.
            self._files.write(self._log.files(old_size, size))
            self._files.write({CHECKPOINT: head.text.encode()})
            with self._turn:
                self._published = size
                self._turn.notify_all()
            self._log.written(size)
            self._journal.cut(size)
            self._remove_partials(old_size, size)
        self._journal.prepare()

    def _remove_partials(self, old_size: int, size: int) -> None:
        """Full tiles replace their partial ones; any that cannot be removed do no harm."""
        for tile in tiles_between(old_size, size):
            with suppress(OSError, Unverified):
                widths = self._reader.widths(tile) if tile.is_full else ()
                if widths:
                    self._files.remove(Tile(tile.level, tile.index, each).path for each in widths)
                    self._files.forget(self._files.root / f"{tile.path}.p")

    def _stop(self, error: BaseException) -> None:
        with self._turn:
            self.stopped = stopped_by(error)
            self._turn.notify_all()


def stopped_by(error: BaseException) -> str:
    """Why a log takes no more, and what to do."""
    why = error.strerror if isinstance(error, OSError) else type(error).__name__
    return f"the log could not be written ({why}); see to its disk and open it again"


def _merged(note: Note, old: Note) -> Note:
    """The new note, with cosignatures of the old one by keys that it lacks."""
    if note.text != old.text:
        return note
    keys = {(each.name, each.keyid) for each in note.signatures}
    kept = (each for each in old.signatures if (each.name, each.keyid) not in keys)
    return Note(note.text, (*note.signatures, *kept))
