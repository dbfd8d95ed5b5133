"""One participant's audit log in a directory, in the form of C2SP tlog-tiles. Rim.

Promises: an entry that was acknowledged is on disk, under a signed checkpoint, and stays
there; the directory is a whole log at every moment for whoever reads the checkpoint first;
one process writes it. Keeps no bodies and knows nothing of what entries mean.

A thread of its own commits whatever waits, together: one record in the journal, one flush,
and everyone is acknowledged. Another brings it into the public files (`publishing`).
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint, verify_checkpoint
from dataspace.audit.durable import STAGING, DurableDirectory, make_directory
from dataspace.audit.entries import Entry
from dataspace.audit.growing import GrowingLog
from dataspace.audit.journal import Journal, clear_journal
from dataspace.audit.lost import LOST, gone
from dataspace.audit.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    prove_inclusions,
)
from dataspace.audit.notes import parse_note, verifier_key
from dataspace.audit.publishing import Head, Publisher, stopped_by
from dataspace.audit.reader import CHECKPOINT, DirectoryReader
from dataspace.audit.records import MAX_BATCH, Record
from dataspace.audit.recovery import recover
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle
from dataspace.audit.tree import TILE_HEIGHT
from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified

LOCK = "lock"
RESTORED = "restored.json"  # there from a restore until witnesses have confirmed the log
_MAX_JOURNAL_BYTES = 16 << 20  # appends wait for the public files beyond that


@dataclass(frozen=True)
class Appended:
    """Where an entry is, and the proof: its audit path under the checkpoint of `size`."""

    index: int
    leaf_hash: bytes
    checkpoint_text: str
    inclusion: tuple[bytes, ...]
    size: int


@dataclass(frozen=True)
class _Waiting:
    """An entry on its way, and who waits for it."""

    entry: bytes
    appended: Future[Appended]


class LogStore:
    """The log of one origin, open for appending. Safe for any number of threads."""

    def __init__(
        self,
        directory: Path,
        private_key: Ed25519PrivateKey,
        lock: int,
        head: Head,
        log: GrowingLog,
    ) -> None:
        self._directory = directory
        self._private_key = private_key
        self._reader = DirectoryReader(directory)
        self._lock = lock
        self._head = head
        self._log = log
        self._cosigned_text = self._reader.cosigned() or ""
        self._journal = Journal(directory)
        self._publisher = Publisher(directory, log, self._journal, head.checkpoint.size)
        self._listeners: list[Callable[[], None]] = []
        self._turn = threading.Condition()  # guards what follows
        self._queue: deque[_Waiting] = deque()
        self._committer: threading.Thread | None = None
        self._closing = False
        self._stopped = ""

    @classmethod
    def create(cls, directory: Path, origin: str, private_key: Ed25519PrivateKey) -> LogStore:
        """A new, empty log; `Malformed` if the directory holds anything already."""
        with _own_disk():
            make_directory(directory)
        with _locked(directory) as lock:
            if {each.name for each in directory.iterdir()} - {LOCK, STAGING}:
                raise Malformed("a new log needs an empty directory", code="log-exists")
            checkpoint = Checkpoint(origin, 0, EMPTY_ROOT)
            text = sign_checkpoint(checkpoint, private_key)
            DurableDirectory(directory).write({CHECKPOINT: text.encode()})
            log = GrowingLog(0, DirectoryReader(directory).read_exact)
            return cls(directory, private_key, lock, Head(checkpoint, text), log)

    @classmethod
    def open(
        cls,
        directory: Path,
        origin: str,
        private_key: Ed25519PrivateKey,
        *,
        confirmed: bool = False,
    ) -> LogStore:
        """The log as it was last acknowledged, all of it in its public files.

        Raises `Unverified` if it is not whole, not of this origin, or signed by another
        key; `Unavailable` while another process has it open or its disk takes no writes, and
        for one that was restored, unless `confirmed` to be no older than witnesses have seen.
        """
        if not directory.is_dir():
            raise Unverified("there is no log here", code="log-missing")
        # SECURITY: an older copy that grows is another history under the same name.
        if not confirmed and (directory / RESTORED).exists():
            raise Unavailable(
                "this log was restored from a backup, and its witnesses have not said yet that "
                "it is whole: start its node, which asks them",
                code="log-restored",
            )
        with _locked(directory) as lock:
            found = recover(directory, verifier_key(origin, private_key))
            head = Head(found.acknowledged, sign_checkpoint(found.acknowledged, private_key))
            if found.published.size < head.checkpoint.size:
                journal = Journal(directory)
                Publisher(directory, found.log, journal, found.published.size).publish_now(head)
            clear_journal(directory)
            return cls(directory, private_key, lock, head, found.log)

    @property
    def checkpoint(self) -> Checkpoint:
        """The last acknowledged checkpoint."""
        return self._head.checkpoint

    @property
    def checkpoint_text(self) -> str:
        """The last acknowledged checkpoint as a note signed by the owner alone."""
        return self._head.text

    @property
    def cosigned_text(self) -> str:
        """The latest checkpoint that witnesses cosigned, as it is kept; empty before the first."""
        return self._cosigned_text

    @property
    def size(self) -> int:
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        return self.checkpoint.root

    def append(self, entry: Entry | bytes) -> Appended:
        """Record an entry; it is durable when this returns. Raises as `submit` and its future."""
        return self.submit(entry).result()

    def submit(self, entry: Entry | bytes) -> Future[Appended]:
        """Record an entry without waiting; it is durable when the future has its result.

        It is recorded even if nobody waits any more: the future cannot be cancelled. Raises
        `Unverified` for bytes that are no canonical entry, and `Unavailable`, here or from
        the future, when it cannot be recorded; the log then takes no more until opened again.
        """
        if not isinstance(entry, Entry):
            # One unreadable entry would spoil the whole log for verifiers.
            entry = Entry.from_bytes(entry)
        waiting = _Waiting(entry.to_bytes(), Future())
        waiting.appended.set_running_or_notify_cancel()
        with self._turn:
            self._check_running()
            self._queue.append(waiting)
            if self._committer is None:
                self._committer = threading.Thread(
                    target=self._run, name="log-committer", daemon=True
                )
                self._committer.start()
            if len(self._queue) == 1:
                self._turn.notify_all()
        return waiting.appended

    def check_writable(self) -> None:
        """Raise `Unavailable` (`log-stopped`) where the log takes no more entries."""
        self._check_running()

    def publish(self) -> None:
        """Wait until everything acknowledged so far is in the public files.

        Raises `Unavailable` if it cannot be written; it is safe in the journal then.
        """
        self._publisher.bring(self._head)

    def attach_cosignatures(self, note_text: str) -> None:
        """Publish a checkpoint of this log with the cosignatures that witnesses gave it.

        It becomes `checkpoint.cosigned` unless a later one is there, and `checkpoint` while
        it is the latest; cosignatures of the same checkpoint add up. Raises `Unverified`
        unless the owner signed it and this log extends it. Cosignatures are taken as they
        are: who asked the witnesses has verified them.
        """
        checkpoint = verify_checkpoint(
            note_text, verifier_key(self.checkpoint.origin, self._private_key)
        )
        # SECURITY: a note of another history must not enter the files under our own name.
        if checkpoint.size > self.size or self._log.root(checkpoint.size) != checkpoint.root:
            raise Unverified("the cosigned checkpoint is none of this log", code="log-forked")
        if checkpoint.size > self._publisher.published:
            self.publish()
        self._publisher.attach(parse_note(note_text), checkpoint)
        self._cosigned_text = self._reader.cosigned() or ""
        self._tell_listeners()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called, from any thread, after the log has grown or been cosigned.

        It must neither raise nor wait. Returns what ends it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def read_entry(self, index: int) -> bytes:
        """The entry at `index`, checked against its leaf hash; `Unavailable` for a lost one."""
        if not 0 <= index < self.size:
            raise Malformed(f"the log has no entry {index}", code="entry-index")
        entry = self._log.entry(index)
        if entry is None:
            number, at = divmod(index, FULL_WIDTH)
            bundle = Tile(None, number)
            entry = decode_bundle(bundle, self._reader.read(bundle))[at]
            if entry != LOST and leaf_hash(entry) != self._log.tree.node(0, index):
                raise Unverified(f"{bundle.path}: entry {index} was changed", code="entry-hash")
        if entry == LOST:
            raise gone(index)
        return entry

    def tile_bytes(self, tile: Tile) -> bytes:
        """The bytes of a hash tile of the log, as far as it is acknowledged."""
        end = tile.index * FULL_WIDTH + tile.width
        if tile.level is None or end > self.size >> (TILE_HEIGHT * tile.level):
            raise Malformed(f"the log has no hash tile {tile.path}", code="tile")
        return self._log.tree.tile_bytes(tile)

    def prove_inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The audit path of entry `index` in the log of `size` entries."""
        self._check_size(size)
        return prove_inclusion(self._log.tree, index, size)

    def prove_consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """That the log of `new_size` entries extends that of `old_size`."""
        self._check_size(new_size)
        return prove_consistency(self._log.tree, old_size, new_size)

    def close(self) -> None:
        """Commit and publish what was submitted, refuse anything further, and let go of the log.

        Whatever cannot be published stays in the journal, for the next opening.
        """
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        if self._committer is not None:
            self._committer.join()
        with suppress(Unavailable):
            self.publish()
        self._publisher.close()
        with self._turn:
            if self._lock < 0:
                return
            try:
                self._journal.close()
                # INVARIANT: the journal goes only once the files hold all of it.
                if not self._stopped and self._publisher.published == self.size:
                    with _own_disk():
                        clear_journal(self._directory)
            finally:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> LogStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        """Commit whatever waits, until the log is closed and nothing does."""
        while batch := self._next_batch():
            try:
                self._check_running(closing=True)
                done = self._commit([waiting.entry for waiting in batch])
            except BaseException as error:
                self._stop(batch, error)
                if not isinstance(error, (OSError, DataspaceError)):
                    raise
                return
            for waiting, appended in zip(batch, done, strict=True):
                waiting.appended.set_result(appended)
            self._publisher.offer(self._head)
            self._tell_listeners()

    def _tell_listeners(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _next_batch(self) -> list[_Waiting]:
        with self._turn:
            while not self._queue and not self._closing:
                self._turn.wait()
            return [self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))]

    def _commit(self, entries: Sequence[bytes]) -> list[Appended]:
        """Make entries durable under a new checkpoint."""
        if self._journal.length > _MAX_JOURNAL_BYTES:
            self._publisher.bring(self._head)
        log, old_size = self._log, self._log.size
        for entry in entries:
            log.append(entry)
        size = log.size
        checkpoint = Checkpoint(self.checkpoint.origin, size, log.root(size))
        text = sign_checkpoint(checkpoint, self._private_key)
        proven = [
            Appended(index, log.tree.node(0, index), text, path, size)
            for index, path in enumerate(prove_inclusions(log.tree, old_size, size, size), old_size)
        ]
        # INVARIANT: nothing is acknowledged, shown to a witness or published before this
        # flush, and nothing after it needs another one.
        self._journal.append(Record(old_size, text, tuple(entries)))
        self._head = Head(checkpoint, text)
        return proven

    def _stop(self, batch: Sequence[_Waiting], error: BaseException) -> None:
        """INVARIANT: after a failed flush nobody knows what is on disk, so this object never
        commits again; opening looks.
        """
        with self._turn:
            self._stopped = str(error) if isinstance(error, DataspaceError) else stopped_by(error)
            failed = [*batch, *self._queue]
            self._queue.clear()
        for waiting in failed:
            waiting.appended.set_exception(Unavailable(self._stopped, code="log-stopped"))

    def _check_running(self, *, closing: bool = False) -> None:
        reason = self._stopped or self._publisher.stopped
        if self._closing and not closing:
            reason = reason or "the log is closed"
        if reason:
            raise Unavailable(reason, code="log-stopped")

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise Malformed(f"the log has {self.size} entries, not {size}", code="log-size")


@contextmanager
def _own_disk() -> Iterator[None]:
    """What the disk refuses, in the words of whoever has to see to it."""
    try:
        yield
    except OSError as error:
        raise Unavailable(stopped_by(error), code="log-disk") from error


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """The log's exclusive lock; let go of if what is done under it fails."""
    with _own_disk():
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Unavailable(
                    "another process writes this log; stop it first", code="log-locked"
                ) from None
            yield lock
        except BaseException:
            os.close(lock)
            raise
