"""Tables of who is known at a node, in buckets that look alike. Pure; nobody's name is in them.

    output of the PRF, 64 bytes = place[8] ‖ tag[8] ‖ unused
    bucket                      = place, little-endian, mod the number of buckets
    entry                       = tag

A requester who evaluated one name finds its bucket, receives it whole, and looks for the tag.
Entries are outputs of a PRF under a key that only the node holds: without an evaluation of
another name, which the node counts, they are noise. All buckets have the same number of
entries, at least 1,024, filled up with pseudorandom tags; real entries are sorted among them.

A tag that is there by chance says yes of somebody unknown: at most entries × 2^-64 for each
check, so 2^-52 in a bucket of 4,096, and below 2^-40 up to 16 million entries a bucket.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataspace.errors import Malformed, Unverified
from dataspace.linkage.oprf import OUTPUT_BYTES

MIN_ENTRIES = 1024
TAG_BYTES = 8
_MEAN_ENTRIES = 2048
_STEP = 256
_MAX_ENTRIES = 2**24  # where a false yes would come to 2^-40


@dataclass(frozen=True)
class BucketTable:
    """All buckets of one epoch: `rows[bucket]` holds its sorted tags."""

    rows: NDArray[np.uint64]

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return int(self.rows.shape[0])

    @property
    def entries(self) -> int:
        """How many entries each bucket has, real and filled up."""
        return int(self.rows.shape[1])

    def row(self, bucket: int) -> bytes:
        """One bucket as it travels. Raises `Malformed` (`bucket`) where there is none."""
        if not 0 <= bucket < self.buckets:
            raise Malformed(f"this epoch has buckets 0 to {self.buckets - 1}", code="bucket")
        tags: bytes = self.rows[bucket].astype("<u8").tobytes()
        return tags


def build_table(outputs: bytes, filling: bytes) -> BucketTable:
    """The table of PRF outputs, 64 bytes each; equal ones count once.

    `filling` is 32 secret random bytes of this epoch, from which the other entries come.
    """
    places, tags = _split(outputs)
    count = max(1, len(tags) // _MEAN_ENTRIES)
    bucket = (places % np.uint64(count)).astype(np.int64)
    loads = np.bincount(bucket, minlength=count)
    size = max(MIN_ENTRIES, -(-int(loads.max(initial=0)) // _STEP) * _STEP)
    rows = _noise(filling, count * size).reshape(count, size)
    order = np.argsort(bucket, kind="stable")
    starts = np.cumsum(loads) - loads
    within = np.arange(len(tags)) - np.repeat(starts, loads)
    rows[bucket[order], within] = tags[order]
    rows.sort(axis=1)
    return BucketTable(rows)


def bucket_of(output: bytes, buckets: int) -> int:
    """Which bucket an output belongs to, where the epoch has `buckets` of them."""
    places, _ = _split(output)
    if len(places) != 1 or buckets < 1:
        raise Malformed("one output and at least one bucket are needed", code="bucket")
    return int(places[0] % np.uint64(buckets))


def is_known(output: bytes, row: bytes, entries: int) -> bool:
    """Whether the bucket says that the output's name is known.

    Raises `Unverified` (`bucket-size`) where the bucket is not of the size that the epoch has,
    or is smaller or larger than any may be.
    """
    if len(row) != entries * TAG_BYTES or not MIN_ENTRIES <= entries < _MAX_ENTRIES:
        raise Unverified("the bucket is not of its epoch's size; do not use it", code="bucket-size")
    _, tags = _split(output)
    return bool(np.isin(tags[0], np.frombuffer(row, "<u8")))


def _split(outputs: bytes) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    if len(outputs) % OUTPUT_BYTES:
        raise Malformed("an output of the PRF has 64 bytes", code="oprf-output")
    words = np.frombuffer(outputs, "<u8").reshape(-1, OUTPUT_BYTES // 8)[:, :2]
    words = np.unique(words, axis=0) if len(words) > 1 else words
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def _noise(filling: bytes, words: int) -> NDArray[np.uint64]:
    if len(filling) != 32:
        raise Malformed("buckets are filled from 32 random bytes", code="bucket")
    stream = hashlib.shake_256(b"gba-linkage bucket filling v1" + filling).digest(words * TAG_BYTES)
    return np.frombuffer(stream, "<u8").astype(np.uint64)
