"""One participant's audit log in a directory, in the form of C2SP tlog-tiles. Rim.

Promises: an append that returned is on disk, under a signed checkpoint, and stays there;
the directory is a whole log at every moment for whoever reads the checkpoint first; one
process writes it. Keeps no bodies and knows nothing of what entries mean.

Threads that append at the same time share one commit: the first becomes the leader and
writes for all that wait; the others wake with their receipts.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.durable import STAGING, DurableDirectory, make_directory
from dataspace.audit.entries import Entry
from dataspace.audit.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    tree_root,
)
from dataspace.audit.notes import verifier_key
from dataspace.audit.reader import CHECKPOINT, DirectoryReader
from dataspace.audit.recovery import MAX_BATCH, recover
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle, encode_entry, tiles_between
from dataspace.audit.tree import Tree
from dataspace.errors import Malformed, Unavailable, Unverified

LOCK = "lock"


@dataclass(frozen=True)
class Appended:
    """Where an entry is, and the proof: its audit path under the checkpoint of `size`."""

    index: int
    leaf_hash: bytes
    checkpoint_text: str
    inclusion: tuple[bytes, ...]
    size: int


@dataclass(frozen=True)
class _Head:
    """The log as it was last acknowledged."""

    checkpoint: Checkpoint
    text: str


class _Waiting:
    """An entry on its way, and what became of it."""

    def __init__(self, entry: bytes) -> None:
        self.entry = entry
        self.appended: Appended | None = None
        self.failed = False

    @property
    def settled(self) -> bool:
        return self.failed or self.appended is not None


class LogStore:
    """The log of one origin, open for appending. Safe for any number of threads."""

    def __init__(
        self, directory: Path, private_key: Ed25519PrivateKey, lock: int, head: _Head, tree: Tree
    ) -> None:
        self._private_key = private_key
        self._files = DurableDirectory(directory)
        self._reader = DirectoryReader(directory)
        self._lock = lock
        self._head = head
        self._tree = tree
        self._bundle = self._read_edge_bundle()
        self._turn = threading.Condition()
        self._queue: list[_Waiting] = []
        self._leading = False
        self._stopped = ""

    @classmethod
    def create(cls, directory: Path, origin: str, private_key: Ed25519PrivateKey) -> LogStore:
        """A new, empty log; `Malformed` if the directory holds anything already."""
        make_directory(directory)
        lock = _take_lock(directory)
        try:
            if {each.name for each in directory.iterdir()} - {LOCK, STAGING}:
                raise Malformed("a new log needs an empty directory", code="log-exists")
            checkpoint = Checkpoint(origin, 0, EMPTY_ROOT)
            text = sign_checkpoint(checkpoint, private_key)
            DurableDirectory(directory).write({CHECKPOINT: text.encode()})
            tree = Tree(0, DirectoryReader(directory).read_exact)
            return cls(directory, private_key, lock, _Head(checkpoint, text), tree)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def open(cls, directory: Path, origin: str, private_key: Ed25519PrivateKey) -> LogStore:
        """The log as it was last acknowledged.

        Raises `Unverified` if it is not whole, not of this origin, or signed by another
        key; `Unavailable` while another process has it open.
        """
        if not directory.is_dir():
            raise Unverified("there is no log here", code="log-missing")
        lock = _take_lock(directory)
        try:
            checkpoint, tree = recover(directory, verifier_key(origin, private_key))
            text = DirectoryReader(directory).checkpoint()
            return cls(directory, private_key, lock, _Head(checkpoint, text), tree)
        except BaseException:
            os.close(lock)
            raise

    @property
    def checkpoint(self) -> Checkpoint:
        """The last acknowledged checkpoint."""
        return self._head.checkpoint

    @property
    def checkpoint_text(self) -> str:
        """The last acknowledged checkpoint as a signed note."""
        return self._head.text

    @property
    def size(self) -> int:
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        return self.checkpoint.root

    def append(self, entry: bytes) -> Appended:
        """Record an entry; it is durable when this returns.

        Raises `Unverified` for bytes that are no canonical entry, and `Unavailable` when
        it cannot be recorded; the log then takes no more until it is opened again.
        """
        Entry.from_bytes(entry)  # one unreadable entry would spoil the whole log for verifiers
        waiting = _Waiting(entry)
        with self._turn:
            self._queue.append(waiting)
            while self._leading and not waiting.settled:
                self._turn.wait()
            if waiting.settled or self._stopped:
                return self._outcome(waiting)
            self._leading = True
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
        self._lead(batch)
        return self._outcome(waiting)

    def read_entry(self, index: int) -> bytes:
        """The entry at `index`, checked against its leaf hash."""
        if not 0 <= index < self.size:
            raise Malformed(f"the log has no entry {index}", code="entry-index")
        number, at = divmod(index, FULL_WIDTH)
        bundle = Tile(None, number, min(FULL_WIDTH, self.size - number * FULL_WIDTH))
        entry = decode_bundle(bundle, self._reader.read(bundle))[at]
        if leaf_hash(entry) != self._tree.node(0, index):
            raise Unverified(f"{bundle.path}: entry {index} was changed", code="entry-hash")
        return entry

    def prove_inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The audit path of entry `index` in the log of `size` entries."""
        self._check_size(size)
        return prove_inclusion(self._tree, index, size)

    def prove_consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """That the log of `new_size` entries extends that of `old_size`."""
        self._check_size(new_size)
        return prove_consistency(self._tree, old_size, new_size)

    def close(self) -> None:
        """Wait for the commit under way, refuse further ones, and let go of the log."""
        with self._turn:
            while self._leading:
                self._turn.wait()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1
            self._stopped = self._stopped or "the log is closed"

    def __enter__(self) -> LogStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lead(self, batch: Sequence[_Waiting]) -> None:
        """Commit for everyone in the batch, then hand the lead on."""
        reason = "the log could not be written; open it again"
        stopped = self._stopped
        try:
            if not stopped:
                self._commit(batch)
        except OSError as error:
            stopped = f"{reason} ({error.strerror})"
        except BaseException:
            stopped = reason
            raise
        finally:
            with self._turn:
                # INVARIANT: after a failed flush nobody knows what is on disk, so this
                # object never writes again; opening looks.
                self._stopped = stopped
                self._leading = False
                for waiting in batch:
                    waiting.failed = waiting.appended is None
                self._turn.notify_all()

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        old_size = self._tree.size
        files = self._grow(batch)
        size = self._tree.size
        checkpoint = Checkpoint(self.checkpoint.origin, size, tree_root(self._tree, size))
        text = sign_checkpoint(checkpoint, self._private_key)
        # INVARIANT: the checkpoint comes last, so that what it covers is there.
        self._files.write(files)
        self._files.write({CHECKPOINT: text.encode()})
        self._head = _Head(checkpoint, text)
        for index, waiting in enumerate(batch, old_size):
            inclusion = prove_inclusion(self._tree, index, size)
            leaf = self._tree.node(0, index)
            waiting.appended = Appended(index, leaf, text, inclusion, size)
        self._remove_partials(old_size, size)

    def _grow(self, batch: Sequence[_Waiting]) -> dict[str, bytes]:
        """Take the batch into the tree; the files that a log of the new size needs."""
        old_size = self._tree.size
        bundles: dict[int, bytes] = {}
        for waiting in batch:
            self._bundle += encode_entry(waiting.entry)
            self._tree.append(leaf_hash(waiting.entry))
            number, over = divmod(self._tree.size, FULL_WIDTH)
            if over == 0:
                bundles[number - 1] = bytes(self._bundle)
                self._bundle.clear()
        bundles[self._tree.size // FULL_WIDTH] = bytes(self._bundle)
        return {
            tile.path: bundles[tile.index] if tile.level is None else self._tree.tile_bytes(tile)
            for tile in tiles_between(old_size, self._tree.size)
        }

    def _remove_partials(self, old_size: int, size: int) -> None:
        """Full tiles replace their partial ones; any that cannot be removed do no harm."""
        for tile in tiles_between(old_size, size):
            with suppress(OSError, Unverified):
                widths = self._reader.widths(tile) if tile.is_full else ()
                if widths:
                    self._files.remove(Tile(tile.level, tile.index, each).path for each in widths)
                    self._files.forget(self._files.root / f"{tile.path}.p")

    def _outcome(self, waiting: _Waiting) -> Appended:
        if waiting.appended is None:
            raise Unavailable(self._stopped or "the log could not be written", code="log-stopped")
        return waiting.appended

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise Malformed(f"the log has {self.size} entries, not {size}", code="log-size")

    def _read_edge_bundle(self) -> bytearray:
        number, width = divmod(self.size, FULL_WIDTH)
        return bytearray(self._reader.read_exact(Tile(None, number, width)) if width else b"")


def _take_lock(directory: Path) -> int:
    """The log's exclusive lock, held while the file stays open."""
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise Unavailable(
            "another process writes this log; stop it first", code="log-locked"
        ) from None
    return lock
