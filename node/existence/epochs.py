"""Epochs on disk: a key, what fills the buckets, and one whole table. Rim: private files.

    existence/CURRENT             the epoch that serves
    existence/<number>/secrets    96 random bytes, never written again
    existence/<number>/table      header (JSON, one line) ‖ known ‖ SHA-256 of all before

`known` is, for each document, a keyed hash of 8 bytes, its place (4) and its entry (8): from it
the buckets are made, and what is in it already is not evaluated again. A table is written beside
its place and renamed, CURRENT likewise: whoever stops at any moment leaves a whole table or none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.audit.entries import Entry
from dataspace.errors import DataspaceError, Unavailable
from dataspace.evidence.existence import Epoch
from dataspace.linkage.buckets import BucketTable, Places, Words, build_table
from dataspace.linkage.oprf import EpochKey, derive_key
from dataspace.v1 import query_pb2

POINTER = "CURRENT"
SECRET_BYTES = 96  # three times 32
_DIGEST_BYTES = 32

Mask = NDArray[np.bool_]
_FORMAT = 1


@dataclass(frozen=True)
class Secrets:
    """What one epoch is made of: its number and `SECRET_BYTES` random bytes."""

    number: int
    data: bytes = field(repr=False)

    @cached_property
    def key(self) -> EpochKey:
        """The PRF's key."""
        return derive_key(self._part(0), f"existence {self.number}".encode())

    @property
    def filling(self) -> bytes:
        """What fills the buckets."""
        return self._part(1)

    @property
    def index_key(self) -> bytes:
        """The key of the hashes by which documents are recognised."""
        return self._part(2)

    def _part(self, at: int) -> bytes:
        return self.data[32 * at : 32 * (at + 1)]


@dataclass(frozen=True)
class Known:
    """The documents of a table, sorted by hash, each once: equally many of all three."""

    hashes: Words
    places: Places
    entries: Words

    @classmethod
    def none(cls) -> Known:
        """No documents."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint32), np.empty(0, np.uint64))

    @classmethod
    def of(cls, parts: Sequence[tuple[Words, Places, Words]]) -> Known:
        """The documents of several batches."""
        if not parts:
            return cls.none()
        hashes, places, entries = (np.concatenate(each) for each in zip(*parts, strict=True))
        unique, at = np.unique(hashes, return_index=True)
        return cls(unique, places[at], entries[at])

    def entries_of(self, hashes: Words) -> tuple[Words, Mask]:
        """The entries of those that are known, and which of `hashes` those are."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.uint64), np.zeros(len(hashes), np.bool_)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return self.entries[at], self.hashes[at] == hashes


@dataclass(frozen=True)
class Served:
    """A whole epoch: what questions are answered with. `source` says of which data it is."""

    secrets: Secrets
    known: Known
    bits: int
    ends_ms: int
    source: str
    receipt: query_pb2.Receipt | None = None  # of the entry that commits to it

    @cached_property
    def table(self) -> BucketTable:
        """The buckets."""
        return build_table(self.known.places, self.known.entries, self.bits, self.secrets.filling)

    @cached_property
    def epoch(self) -> Epoch:
        """What the log says of it."""
        return Epoch(
            number=self.secrets.number,
            public=self.secrets.key.public,
            bits=self.bits,
            entries=self.table.entries,
            root=self.table.root,
            ends_ms=self.ends_ms,
        )


class EpochStore:
    """One node's directory of epochs. One writer at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def current(self) -> Served | None:
        """The epoch that serves, or None where there is none whole: then one is made anew."""
        try:
            number = int((self._folder / POINTER).read_text())
            secrets = Secrets(number, (self._folder / str(number) / "secrets").read_bytes())
            served = _read(secrets, (self._folder / str(number) / "table").read_bytes())
        except (OSError, ValueError, KeyError, DataspaceError):
            return None
        # INVARIANT: what serves is what the log commits to.
        receipt = served.receipt
        committed = receipt and Epoch.of_entry(Entry.from_bytes(receipt.entry))
        return served if committed == served.epoch else None

    def begin(self, now_ms: int, data: bytes) -> Secrets:
        """Secrets of a new epoch, kept before anything is made with them."""
        taken = [int(each.name) for each in self._folder.iterdir() if each.name.isdecimal()]
        secrets = Secrets(max([now_ms, *(number + 1 for number in taken)]), data)
        folder = self._folder / str(secrets.number)
        try:
            folder.mkdir(mode=0o700)
            write_synced(folder / "secrets", data)
            sync_directory(folder)
        except OSError:
            raise _unwritten() from None
        return secrets

    def keep(self, served: Served) -> None:
        """Put a whole table in place, durably; it serves from now on, and no other epoch does."""
        number = str(served.secrets.number)
        try:
            self._replace(self._folder / number / "table", _write(served))
            self._replace(self._folder / POINTER, number.encode())
            for other in self._folder.iterdir():
                if other.name.isdecimal() and other.name != number:
                    shutil.rmtree(other, ignore_errors=True)
        except OSError:
            raise _unwritten() from None

    def _replace(self, file: Path, data: bytes) -> None:
        draft = file.with_name(file.name + ".new")
        write_synced(draft, data)
        draft.rename(file)
        sync_directory(file.parent)


def _write(served: Served) -> bytes:
    receipt = served.receipt.SerializeToString() if served.receipt else b""
    header = {
        "format": _FORMAT,
        "bits": served.bits,
        "ends_ms": served.ends_ms,
        "source": served.source,
        "documents": len(served.known.hashes),
        "receipt": base64.b64encode(receipt).decode(),
    }
    data = b"".join(
        (
            json.dumps(header).encode() + b"\n",
            served.known.hashes.astype("<u8").tobytes(),
            served.known.places.astype("<u4").tobytes(),
            served.known.entries.astype("<u8").tobytes(),
        )
    )
    return data + hashlib.sha256(data).digest()


def _read(secrets: Secrets, data: bytes) -> Served:
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest or len(secrets.data) != SECRET_BYTES:
        raise ValueError("not whole")
    line, _, packed = body.partition(b"\n")
    header = json.loads(line)
    if header["format"] != _FORMAT:
        raise ValueError("another form")
    count = int(header["documents"])
    known = Known(
        np.frombuffer(packed, "<u8", count).astype(np.uint64),
        np.frombuffer(packed, "<u4", count, 8 * count).astype(np.uint32),
        np.frombuffer(packed, "<u8", count, 12 * count).astype(np.uint64),
    )
    return Served(
        secrets=secrets,
        known=known,
        bits=int(header["bits"]),
        ends_ms=int(header["ends_ms"]),
        source=str(header["source"]),
        receipt=query_pb2.Receipt.FromString(base64.b64decode(header["receipt"])),
    )


def _unwritten() -> Unavailable:
    return Unavailable("the node's tables cannot be written", code="existence-store")
