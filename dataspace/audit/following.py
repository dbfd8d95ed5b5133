"""Follows a log: indexes what is appended, off the way of those who append. Rim: a thread.

Looks at the log's size a few times a second, takes what is new in large steps, and hands it
on to whoever watches. A search waits here until the index has come as far as the log.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import Entry
from dataspace.audit.index import AuditIndex, Indexed
from dataspace.audit.lost import CODE as LOST_CODE
from dataspace.audit.lost import KIND_OF_LOST, LOST
from dataspace.audit.merkle import leaf_hash
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle, decode_hashes
from dataspace.errors import DataspaceError, Unavailable, Unverified

PAUSE_SECONDS = 0.1
STEP = 8 * FULL_WIDTH  # entries in one transaction at most
CONTEXT = "context"  # the field that holds a body's key
_WATCHED_AGAIN = 2048  # entries that watchers see again after a start, to know what came before

Watch = Callable[[Sequence[Indexed], bool], None]


class Log(Protocol):
    """What is followed: an open log."""

    @property
    def size(self) -> int: ...

    def read_entry(self, index: int) -> bytes: ...


def read_run(log: Log, reader: DirectoryReader | None, first: int, stop: int) -> list[bytes]:
    """Entries `first` to `stop`, checked against their leaf hashes; whole bundles at once."""
    found: list[bytes] = []
    while first + len(found) < stop:
        at = first + len(found)
        number, offset = divmod(at, FULL_WIDTH)
        bundle: Sequence[bytes] = ()
        if reader is not None and min(stop, (number + 1) * FULL_WIDTH) - at > 1:
            with suppress(Unverified):  # not on disk yet as a whole bundle: one by one
                bundle = _bundle(reader, number)
        taken = bundle[offset : offset + stop - at] or [_entry_or_lost(log, at)]
        found.extend(taken)
    return found


def _bundle(reader: DirectoryReader, number: int) -> Sequence[bytes]:
    bundle, hashes = Tile(None, number), Tile(0, number)
    entries = decode_bundle(bundle, reader.read_exact(bundle))
    found = decode_hashes(hashes, reader.read_exact(hashes))
    for entry, leaf in zip(entries, found, strict=True):
        if entry != LOST and leaf_hash(entry) != leaf:
            raise Unverified(f"{bundle.path}: an entry was changed", code="entry-hash")
    return entries


def _entry_or_lost(log: Log, index: int) -> bytes:
    try:
        return log.read_entry(index)
    except Unavailable as error:
        if error.code != LOST_CODE:
            raise
        return LOST


class Follower:
    """Keeps an index up with a log. `watch(entries, live)` sees every entry in order.

    After a start the last entries before are shown again with `live` false.
    """

    def __init__(
        self,
        log: Log,
        directory: Path | None,
        bodies: BodyStore,
        index: AuditIndex,
        watch: Watch | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        self.index = index
        self._log = log
        self._reader = DirectoryReader(directory) if directory is not None else None
        self._bodies = bodies
        self._watch = watch
        self._failed = failed or (lambda _code: None)
        self._turn = threading.Condition()
        self._hurry = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="audit-index", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and let go of the index."""
        self._stopped = True
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(10)
        self.index.close()

    def wait_for(self, size: int, seconds: float) -> None:
        """Return once the first `size` entries are indexed. Raises `Unavailable` if late."""
        self._hurry.set()
        with self._turn:
            if not self._turn.wait_for(lambda: self.index.size >= size, seconds):
                raise Unavailable(
                    f"the index is {size - self.index.size} entries behind the log; ask again",
                    code="index-behind",
                )

    def catch_up(self) -> None:
        """Index everything that is there now; for whoever has no thread."""
        if self._thread is not None:
            raise RuntimeError("the follower's thread does that")
        self._begin()
        while self._step():
            pass

    def _run(self) -> None:
        begun = False
        while not self._stopped:
            try:
                if not begun:
                    self._begin()
                    begun = True
                if self._step():
                    continue
            except DataspaceError as error:
                self._failed(error.code)
                begun = False
                self._hurry.wait(5 * PAUSE_SECONDS)
            except Exception as error:
                # The thread must outlive a surprise; its text may hold anything.
                self._failed(type(error).__name__)
                begun = False
                self._hurry.wait(5 * PAUSE_SECONDS)
            self._hurry.wait(PAUSE_SECONDS)
            self._hurry.clear()

    def _begin(self) -> None:
        """Hold the index against the log; show watchers what came before."""
        size = self.index.size
        if size > self._log.size or (size and self._leaf(size - 1) != self.index.last_leaf()):
            self.index.start_anew()
            size = 0
        # INVARIANT: what was never indexed here is new to the watchers, unless all was lost.
        self._live_from = size if size else self._log.size
        if self._watch is not None and size:
            for first in range(max(0, size - _WATCHED_AGAIN), size, STEP):
                self._watch(self._read(first, min(first + STEP, size)), False)

    def _step(self) -> bool:
        """Take the next entries; whether there were any."""
        first, size = self.index.size, self._log.size
        if first >= size:
            return False
        stop = min(size, first + STEP, (first // FULL_WIDTH + STEP // FULL_WIDTH) * FULL_WIDTH)
        if first < self._live_from:
            stop = min(stop, self._live_from)
        entries = self._read(first, stop)
        self.index.add(entries, self._leaf(stop - 1))
        with self._turn:
            self._turn.notify_all()
        if self._watch is not None and stop > self._live_from - _WATCHED_AGAIN:
            self._watch(entries, first >= self._live_from)
        return True

    def _read(self, first: int, stop: int) -> list[Indexed]:
        entries = read_run(self._log, self._reader, first, stop)
        found: list[Indexed] = []
        for at, data in enumerate(entries, first):
            # When a lost one was made nobody knows: about when the one before it was.
            at_ms = found[-1].at_ms if found else 0
            lost = Indexed(at, at_ms, KIND_OF_LOST, {}, None, None)
            found.append(self._indexed(at, Entry.from_bytes(data)) if data != LOST else lost)
        return found

    def _indexed(self, at: int, entry: Entry) -> Indexed:
        key = entry.fields.get(CONTEXT)
        return Indexed(
            at, entry.at_ms, entry.kind, entry.fields,
            key if isinstance(key, str) else None,
            read_body(self._bodies, key) if isinstance(key, str) else None,
        )  # fmt: skip

    def _leaf(self, index: int) -> str:
        return leaf_hash(_entry_or_lost(self._log, index)).hex()


def read_body(bodies: BodyStore, key: str) -> dict[str, object] | None:
    """A body as an object: None where it is erased, empty where it is none that can be read."""
    try:
        data = bodies.get(key)
        body = json.loads(data) if data is not None else None
    except (DataspaceError, ValueError):
        return {}
    return body if isinstance(body, dict) or body is None else {}
