"""Tables of who is known at a node, in buckets that look alike. Pure; nobody's name is in them.

    name    = SHA-256("gba-linkage document v1" ‖ document): what the PRF is asked for
    bucket  = the leading `bits` bits of the name
    entry   = the first 8 bytes of the PRF's output for the name
    table   = 2^bits buckets of as many entries each, at least 1,024; a Merkle tree over them

A requester names the bucket of one document, receives it whole, and looks for the entry. The
bucket tells the node `bits` bits of a hash, the same in every epoch and at every region: checks
that are put side by side, over time or between nodes, tell no more than one of them does.

Entries are outputs of a PRF under a key that only the node holds: without an evaluation of
another name, which the node counts, they are noise. Buckets are filled up with pseudorandom
entries, and sorted. One that is there by chance says yes of somebody unknown: at most
entries × 2^-64 for each check, so 2^-52 in a bucket of 4,096.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dataspace.audit.merkle import leaf_hash, node_hash, verify_inclusion
from dataspace.errors import Malformed, Unverified
from dataspace.linkage.oprf import OUTPUT_BYTES

MIN_ENTRIES = 1024
TAG_BYTES = 8
NAME_BYTES = 32
MAX_BITS = 16
_STEP = 256
_MAX_ENTRIES = 2**24  # where a false yes would come to 2^-40
_PLACE_BITS = 32
_NAME_TAG = b"gba-linkage document v1"
_FILLING_TAG = b"gba-linkage bucket filling v1"

Words = NDArray[np.uint64]
Places = NDArray[np.uint32]


@dataclass(frozen=True)
class BucketTable:
    """All buckets of one epoch: `rows[bucket]` holds its sorted entries."""

    rows: Words

    def __post_init__(self) -> None:
        if self.buckets != 1 << self.bits or self.entries < MIN_ENTRIES:
            raise Malformed("a table has a power of two of buckets, of 1,024", code="bucket")

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return int(self.rows.shape[0])

    @property
    def bits(self) -> int:
        """How many bits of a document's hash name its bucket."""
        return self.buckets.bit_length() - 1

    @property
    def entries(self) -> int:
        """How many entries each bucket has, real and filled up."""
        return int(self.rows.shape[1])

    def row(self, bucket: int) -> bytes:
        """One bucket as it travels. Raises `Malformed` (`bucket`) where there is none."""
        if not 0 <= bucket < self.buckets:
            raise Malformed(f"this epoch has buckets 0 to {self.buckets - 1}", code="bucket")
        entries: bytes = self.rows[bucket].astype("<u8").tobytes()
        return entries

    @property
    def root(self) -> bytes:
        """The Merkle root of all buckets: what the node commits to."""
        return self._levels[-1][0]

    def path(self, bucket: int) -> tuple[bytes, ...]:
        """What proves that a bucket is of this table, lowest sibling first."""
        return tuple(
            level[(bucket >> height) ^ 1] for height, level in enumerate(self._levels[:-1])
        )

    @cached_property
    def _levels(self) -> list[list[bytes]]:
        levels = [[leaf_hash(self.row(bucket)) for bucket in range(self.buckets)]]
        while len(levels[-1]) > 1:
            below = levels[-1]
            levels.append(
                [node_hash(*below[at : at + 2]) for at in range(0, len(below), 2)],
            )
        return levels


def bits_for(documents: int) -> int:
    """So many that a bucket holds 1,024 to 2,048 of the documents on average."""
    return min(MAX_BITS, max(0, (documents // MIN_ENTRIES).bit_length() - 1))


def name_of(document: bytes) -> bytes:
    """The 32 bytes that stand for a document in its canonical spelling."""
    return hashlib.sha256(_NAME_TAG + document).digest()


def places_of(names: bytes) -> Places:
    """The first 32 bits of each name, 32 bytes each."""
    words = np.frombuffer(names, ">u4").reshape(-1, NAME_BYTES // 4)
    return words[:, 0].astype(np.uint32)


def bucket_of(name: bytes, bits: int) -> int:
    """Which bucket a name belongs to, where the epoch has 2^bits of them."""
    if not 0 <= bits <= MAX_BITS:
        raise Unverified("an epoch has 1 to 65,536 buckets", code="bucket-size")
    return int(places_of(name)[0]) >> (_PLACE_BITS - bits)


def entries_of(outputs: bytes) -> Words:
    """The entries of PRF outputs, 64 bytes each."""
    if len(outputs) % OUTPUT_BYTES:
        raise Malformed("an output of the PRF has 64 bytes", code="oprf-output")
    words = np.frombuffer(outputs, "<u8").reshape(-1, OUTPUT_BYTES // 8)
    return words[:, 0].astype(np.uint64)


def build_table(places: Places, entries: Words, bits: int, filling: bytes) -> BucketTable:
    """The table of documents by their places and entries, each document once.

    `filling` is 32 secret random bytes of this epoch: what fills the buckets comes of them, and
    stays the same when documents are added.
    """
    count = 1 << bits
    bucket = (places.astype(np.uint64) >> np.uint64(_PLACE_BITS - bits)).astype(np.int64)
    loads = np.bincount(bucket, minlength=count)
    size = max(MIN_ENTRIES, -(-int(loads.max(initial=0)) // _STEP) * _STEP)
    rows = np.stack([_noise(filling, number, size) for number in range(count)])
    order = np.argsort(bucket, kind="stable")
    starts = np.cumsum(loads) - loads
    within = np.arange(len(entries)) - np.repeat(starts, loads)
    rows[bucket[order], within] = entries[order]
    rows.sort(axis=1)
    return BucketTable(rows)


def check_bucket(
    row: bytes, bucket: int, bits: int, entries: int, path: Sequence[bytes], root: bytes
) -> None:
    """That a bucket is the one asked for, of the table that a node committed to.

    Raises `Unverified` (`bucket-size`), or `inclusion` where it is of another table or place.
    """
    if len(row) != entries * TAG_BYTES or not MIN_ENTRIES <= entries < _MAX_ENTRIES:
        raise Unverified("the bucket is not of its epoch's size; do not use it", code="bucket-size")
    verify_inclusion(bucket, 1 << bits, leaf_hash(row), path, root)


def is_known(output: bytes, row: bytes) -> bool:
    """Whether a checked bucket says that the output's name is known."""
    return bool((np.frombuffer(row, "<u8") == entries_of(output)[0]).any())


def _noise(filling: bytes, bucket: int, words: int) -> Words:
    if len(filling) != 32:
        raise Malformed("buckets are filled from 32 random bytes", code="bucket")
    seed = _FILLING_TAG + filling + bucket.to_bytes(4, "big")
    stream = hashlib.shake_256(seed).digest(words * TAG_BYTES)
    return np.frombuffer(stream, "<u8").astype(np.uint64)
