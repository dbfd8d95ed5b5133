"""Making the node's tables, in the background: per epoch, and when products were loaded. Rim.

The table that serves goes on serving until the next is whole, recorded and on disk. Within an
epoch the key stays, and only documents that are new are evaluated.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import structlog

from dataspace.errors import Unavailable
from dataspace.evidence.existence import EPOCH_KIND
from dataspace.evidence.recording import Recorder
from dataspace.linkage.buckets import (
    NAME_BYTES,
    Places,
    Words,
    bits_for,
    entries_of,
    places_of,
)
from dataspace.linkage.oprf import evaluate
from node.blinding import BlindingPool
from node.existence.epochs import SECRET_BYTES, EpochStore, Known, Mask, Secrets, Served

_LOG = structlog.get_logger("node.existence")

_DAY_MS = 86_400_000
_NICENESS = 10  # queries come first
_FEW = 2_048  # names that are not worth starting processes for


@dataclass(frozen=True)
class Source:
    """The documents that a node knows people by: `data` is another where they may be others.

    `batches` reads the names of them all (`buckets.name_of`), 32 bytes each, many at a time;
    None where no product has any.
    """

    data: str
    batches: Callable[[], Iterable[bytes]] | None


@dataclass
class Tables:
    """A node's tables. `source` says what there is now, `served` is what answers."""

    store: EpochStore
    source: Callable[[], Source]
    recorder: Recorder
    now_ms: Callable[[], int]
    epoch_days: float
    served: Served | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _stopped: bool = False

    def __post_init__(self) -> None:
        self.served = self.store.current()

    def require(self) -> Served:
        """What serves now. Raises `Unavailable` before the first table is whole."""
        source = self.source()
        if source.batches is None:
            raise Unavailable(
                "this node knows nobody by a document; its products have no linkage",
                code="existence-none",
            )
        if self.served is None:
            raise Unavailable(
                "this node's table is being made; ask again in a moment", code="existence-building"
            )
        return self.served

    def refresh(self) -> bool:
        """Make what is due: a new epoch, or the same one over other data. Whether it did.

        Raises what kept it from doing so; what served goes on serving.
        """
        with self._turn:
            source, served, now = self.source(), self.served, self.now_ms()
            if source.batches is None:
                return False
            over = served is None or now >= served.ends_ms
            if served is not None and not over and served.source == source.data:
                return False
            made = self._make(source, None if over else served, now)
            self.served = made
            _LOG.info("existence.table", epoch=made.epoch.number, buckets=made.table.buckets)
            return True

    def stop(self) -> None:
        """Give up what is being made."""
        self._stopped = True

    def _make(self, source: Source, before: Served | None, now: int) -> Served:
        assert source.batches is not None
        if before is None:
            epoch = self.store.begin(now, secrets.token_bytes(SECRET_BYTES))
            ends = now + int(self.epoch_days * _DAY_MS)
        else:
            epoch, ends = before.secrets, before.ends_ms
        known = _evaluated(
            epoch, source.batches(), before.known if before else Known.none(), self._check
        )
        bits = before.bits if before else bits_for(len(known.hashes))
        draft = Served(epoch, known, bits, ends, source.data)
        # INVARIANT: in the log before it answers anybody.
        receipt = self.recorder.record(EPOCH_KIND, self.now_ms(), draft.epoch.fields())
        made = Served(epoch, known, bits, ends, source.data, receipt)
        made.__dict__["table"] = draft.table  # made once
        self.store.keep(made)
        return made

    def _check(self) -> None:
        if self._stopped:
            raise Unavailable("the node stops", code="stopping")


def _evaluated(
    epoch: Secrets, batches: Iterable[bytes], before: Known, check: Callable[[], None]
) -> Known:
    """All names with their entries; memory is 20 bytes a name, and some batches."""
    parts: list[tuple[Words, Places, Words]] = []
    waiting: list[Mask] = []

    def unknown() -> Iterator[bytes]:
        for batch in batches:
            hashes = _hashes(epoch.index_key, batch)
            entries, found = before.entries_of(hashes)
            parts.append((hashes, places_of(batch), entries))
            waiting.append(~found)
            if not found.all():
                yield np.frombuffer(batch, np.uint8).reshape(-1, NAME_BYTES)[~found].tobytes()

    at = 0
    for outputs in _outputs(epoch.key.secret, unknown(), check):
        while not waiting[at].any():
            at += 1
        parts[at][2][waiting[at]] = entries_of(outputs)
        at += 1
    return Known.of(parts)


def _outputs(secret: bytes, batches: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """The PRF's outputs of each batch, in order, on all cores unless there is little to do."""
    first, second = next(batches, b""), next(batches, b"")
    if not second and len(first) <= _FEW * NAME_BYTES:
        if first:
            yield evaluate(secret, _names(first))
        return
    with BlindingPool(niceness=_NICENESS) as pool:
        known = (each for each in (first, second) if each)
        yield from pool.evaluate_each(chain(known, batches), secret, check)


def _names(batch: bytes) -> list[bytes]:
    return [batch[at : at + NAME_BYTES] for at in range(0, len(batch), NAME_BYTES)]


def _hashes(key: bytes, batch: bytes) -> Words:
    """Two names have the same hash with a chance of 2^-64: one of them would go unseen."""
    packed = b"".join(
        hashlib.blake2b(each, digest_size=8, key=key).digest() for each in _names(batch)
    )
    return np.frombuffer(packed, "<u8").astype(np.uint64)
