"""Subjects as tuples of points: filled, padded, committed to, shuffled. Pure.

A tuple has one slot for each match list of the round. A slot that a subject has no key for
holds a random point, and a dummy is a tuple of random points alone: neither ever matches.
Random points and permutations come of 32-byte seeds by SHAKE-256, so that who keeps the seeds
can open the commitment later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dataspace.audit.entries import commitment
from dataspace.errors import Malformed
from dataspace.linkage.points import POINT_BYTES, UNIFORM_BYTES, hash_all

KEY_BYTES = 32  # of a match key: a digest, separated by its list
SEED_BYTES = 32

Tuples = NDArray[np.uint8]  # (subjects, slots, 32)

_TAG = b"gba-linkage-v1-ristretto255_XMD:SHA-512_R255MAP_RO_"


def hash_keys(keys: bytes) -> bytes:
    """The points of packed match keys, 32 bytes each. One hash to the group a key."""
    if len(keys) % KEY_BYTES:
        raise Malformed("a match key has 32 bytes", code="match-key")
    return hash_all((keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)), _TAG)


def keys_of(keys: NDArray[np.uint8], present: NDArray[np.bool_]) -> bytes:
    """The keys (subjects, slots, 32) of slots that are present, packed in order."""
    packed: bytes = keys[present].tobytes()
    return packed


def padded_size(subjects: int, unit: int) -> int:
    """How many tuples a batch has when sizes go by `unit`; at least one unit above 1."""
    if unit < 1:
        raise Malformed("sizes are padded to a multiple of 1 or more", code="padding-unit")
    return subjects if unit == 1 else max(unit, -(-subjects // unit) * unit)


def empty_slots(present: NDArray[np.bool_], size: int) -> int:
    """How many random points a batch of padded size needs: empty slots, and all of dummies."""
    return int(size * present.shape[1] - present.sum())


def filling(seed: bytes, batch: bytes, count: int) -> bytes:
    """The uniform bytes, 64 each, of which a batch's random points are made.

    `seed` is secret and of this round, `batch` the batch's code.
    """
    return expand_seed(seed, b"filling " + batch, count * UNIFORM_BYTES)


def fill(points: bytes, present: NDArray[np.bool_], size: int, random: bytes) -> Tuples:
    """A whole batch: the points where slots are present, random points everywhere else.

    `points` are packed in the order of `present` (subjects, slots), `random` has one point for
    each of `empty_slots`, `size` is the padded size. Raises `Malformed` (`batch-shape`).
    """
    subjects, slots = present.shape
    fits = (
        int(present.sum()) * POINT_BYTES == len(points)
        and size >= subjects
        and empty_slots(present, size) * POINT_BYTES == len(random)
    )
    if not fits:
        raise Malformed("points, slots and size of a batch do not fit", code="batch-shape")
    whole = np.zeros((size, slots), dtype=bool)
    whole[:subjects] = present
    tuples = np.empty((size, slots, POINT_BYTES), np.uint8)
    tuples[whole] = np.frombuffer(points, np.uint8).reshape(-1, POINT_BYTES)
    tuples[~whole] = np.frombuffer(random, np.uint8).reshape(-1, POINT_BYTES)
    return tuples


def shuffled(tuples: Tuples, seed: bytes, place: bytes) -> Tuples:
    """The tuples in a secret order; each keeps its slots together.

    `seed` is of this round and this node, `place` names stream and batch: no two shuffles of a
    round share an order.
    """
    keys = np.frombuffer(expand_seed(seed, b"order " + place, 16 * len(tuples)), "<u8")
    # Sorting by 128 random bits: two equal ones have a probability below 2^-90 for 300,000.
    return tuples[np.lexsort((keys[0::2], keys[1::2]))]


def commit_inputs(salt: bytes, round_id: bytes, batches: Iterable[tuple[bytes, Tuples]]) -> bytes:
    """Salted commitment to a node's padded inputs, as points before any blinding.

    Over code, size and the sorted tuples of each batch, so that it can be opened without the
    shuffle's seed. The salt is 32 bytes, kept in the body of the node's log entry.
    """
    state = hashlib.sha256(b"gba-linkage v1 inputs" + round_id)
    for code, tuples in batches:
        state.update(code + len(tuples).to_bytes(4, "big"))
        if tuples.size:
            rows = np.ascontiguousarray(tuples).reshape(len(tuples), -1)
            state.update(np.sort(rows.view(f"S{rows.shape[1]}").ravel()).tobytes())
    return commitment(salt, state.digest())


def expand_seed(seed: bytes, purpose: bytes, length: int) -> bytes:
    """`length` bytes of a 32-byte secret for one purpose."""
    if len(seed) != SEED_BYTES:
        raise Malformed("a seed has 32 random bytes", code="seed")
    return hashlib.shake_256(b"gba-linkage v1 " + seed + purpose).digest(length)
