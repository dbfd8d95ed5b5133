"""One side's subjects as tuples, cell by cell, ready for a round. Rim: uses workers.

A subject is hashed once, wherever it stands: its tuple is the same in every cell, so that the
broker takes it for one. Dummies fill cells up where the product pads its sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dataspace.linkage.match_keys import Slots
from dataspace.linkage.points import UNIFORM_BYTES
from dataspace.linkage.tuples import (
    KEY_BYTES,
    Tuples,
    empty_slots,
    expand_seed,
    fill,
    filling,
    keys_of,
    padded_size,
)
from node.blinding import BlindingPool

Ints = npt.NDArray[np.int64]

POINTS_AT_ONCE = 2048  # a tenth of a second for one core: so soon does a cancelled round end
_SUBJECTS = b"subjects"
_DUMMIES = b"dummies "


@dataclass(frozen=True)
class Cell:
    """A group of one side: its random code, and its subjects as rows of the side's slots."""

    code: bytes
    subjects: Ints

    def dummies(self, unit: int) -> int:
        """How many tuples fill it up to a multiple of `unit`."""
        return padded_size(len(self.subjects), unit) - len(self.subjects)


class Maker(Protocol):
    """Makes what a tier's tuples hold: 32 bytes for a key, and 32 that match nothing."""

    def of_keys(self, keys: bytes) -> bytes:
        """For packed match keys, in order."""

    def of_nothing(self, seed: bytes, place: bytes, count: int) -> bytes:
        """So many, random, of a secret seed."""


@dataclass(frozen=True)
class Points:
    """The ring's: points of the group. `check` raises where the round is over, `tell` hears of
    every so many points made."""

    pool: BlindingPool
    check: Callable[[], None]
    tell: Callable[[int], None] = lambda _: None

    def of_keys(self, keys: bytes) -> bytes:
        """Hashed to the group."""
        return self._all(self.pool.hash_each(_pieces(keys, KEY_BYTES), self.check))

    def of_nothing(self, seed: bytes, place: bytes, count: int) -> bytes:
        """Random points."""
        uniform = filling(seed, place, count)
        return self._all(self.pool.random_each(_pieces(uniform, UNIFORM_BYTES), self.check))

    def _all(self, made: Iterator[bytes]) -> bytes:
        parts = []
        for each in made:
            self.tell(len(each) // KEY_BYTES)
            parts.append(each)
        return b"".join(parts)


@dataclass(frozen=True)
class Keys:
    """The keyed tier's: match keys as they are, until the session has its key."""

    def of_keys(self, keys: bytes) -> bytes:
        """The same."""
        return keys

    def of_nothing(self, seed: bytes, place: bytes, count: int) -> bytes:
        """Random bytes."""
        return expand_seed(seed, b"keys " + place, count * KEY_BYTES)


def make_batches(
    known: Slots, cells: Sequence[Cell], unit: int, seed: bytes, maker: Maker
) -> list[Tuples]:
    """The batches of a round, shape (padded size, slots, 32) each.

    `unit` is what sizes are padded to a multiple of.
    """
    present = known.present
    count, slots = present.shape
    points = maker.of_keys(keys_of(known.digests, present))
    random = maker.of_nothing(seed, _SUBJECTS, empty_slots(present, count))
    whole = fill(points, present, count, random)
    nobody = np.zeros((0, slots), np.bool_)
    batches = []
    for cell in cells:
        dummies = cell.dummies(unit)
        random = maker.of_nothing(seed, _DUMMIES + cell.code, dummies * slots)
        rows: Tuples = whole[cell.subjects]
        batches.append(np.concatenate([rows, fill(b"", nobody, dummies, random)]))
    return batches


def _pieces(data: bytes, each: int) -> Iterator[bytes]:
    size = POINTS_AT_ONCE * each
    return (data[at : at + size] for at in range(0, len(data), size))
