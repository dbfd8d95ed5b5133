"""Tokens for match keys in tests: a hash in the place of blinding. Hides nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from dataspace.linkage.match_keys import Slots
from dataspace.linkage.sides import Side
from dataspace.linkage.tokens import Tokens

Blinding = Callable[[Tokens], Tokens]
"""From digests to tokens, both of shape (keys, 32); equal ones stay equal."""


def hashed(digests: Tokens) -> Tokens:
    """SHA-256 of each."""
    made = b"".join(hashlib.sha256(digest.tobytes()).digest() for digest in digests)
    return np.frombuffer(made, np.uint8).reshape(-1, 32)


def side(found: Slots, rng: np.random.Generator, blind: Blinding = hashed) -> Side:
    """`found` as a side's tuples; random tokens where a slot is empty."""
    tokens = rng.integers(0, 256, found.digests.shape, dtype=np.uint8)
    tokens[found.present] = blind(found.digests[found.present])
    return Side(tokens, found.serves)
