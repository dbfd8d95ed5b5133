"""One side's subjects as tuples of points, cell by cell, ready for a round. Rim: uses workers.

A subject is hashed once, wherever it stands: its tuple is the same in every cell, so that the
broker takes it for one. Dummies fill cells up where the product pads its sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataspace.linkage.match_keys import Slots
from dataspace.linkage.points import UNIFORM_BYTES
from dataspace.linkage.tuples import (
    KEY_BYTES,
    Tuples,
    empty_slots,
    fill,
    filling,
    keys_of,
    padded_size,
)
from node.blinding import BlindingPool

Ints = npt.NDArray[np.int64]
Check = Callable[[], None]
Tell = Callable[[float], None]

POINTS_AT_ONCE = 2048  # a tenth of a second for one core: so soon does a cancelled round end
_SUBJECTS = b"subjects"
_DUMMIES = b"dummies "


@dataclass(frozen=True)
class Cell:
    """A group of one side: its random code, and its subjects as rows of the side's slots."""

    code: bytes
    subjects: Ints


def make_batches(
    known: Slots,
    cells: Sequence[Cell],
    unit: int,
    seed: bytes,
    pool: BlindingPool,
    check: Check,
    tell: Tell = lambda _: None,
) -> list[Tuples]:
    """The batches of a round, shape (padded size, slots, 32) each.

    `unit` is what sizes are padded to a multiple of; `seed` makes the random points; `check`
    raises where the round is over; `tell` hears the share that is done.
    """
    whole = _subjects(known, seed, pool, check, tell)
    return [_batch(whole, cell, unit, seed, pool, check) for cell in cells]


def _subjects(known: Slots, seed: bytes, pool: BlindingPool, check: Check, tell: Tell) -> Tuples:
    present = known.present
    count, slots = present.shape
    keys = keys_of(known.digests, present)
    uniform = filling(seed, _SUBJECTS, empty_slots(present, count))
    told = _Share(max(1, count * slots), tell)
    points = b"".join(told.each(pool.hash_each(_pieces(keys, KEY_BYTES), check)))
    random = b"".join(told.each(pool.random_each(_pieces(uniform, UNIFORM_BYTES), check)))
    return fill(points, present, count, random)


def _batch(
    whole: Tuples, cell: Cell, unit: int, seed: bytes, pool: BlindingPool, check: Check
) -> Tuples:
    rows: Tuples = whole[cell.subjects]
    dummies = padded_size(len(rows), unit) - len(rows)
    if not dummies:
        return rows
    uniform = filling(seed, _DUMMIES + cell.code, dummies * whole.shape[1])
    random = b"".join(pool.random_each(_pieces(uniform, UNIFORM_BYTES), check))
    nobody = np.zeros((0, whole.shape[1]), np.bool_)
    return np.concatenate([rows, fill(b"", nobody, dummies, random)])


class _Share:
    """Tells which share of all points is made."""

    def __init__(self, points: int, tell: Tell) -> None:
        self._points, self._tell, self._made = points, tell, 0

    def each(self, made: Iterator[bytes]) -> Iterator[bytes]:
        for batch in made:
            self._made += len(batch) // KEY_BYTES
            self._tell(self._made / self._points)
            yield batch


def _pieces(data: bytes, each: int) -> Iterator[bytes]:
    size = POINTS_AT_ONCE * each
    return (data[at : at + size] for at in range(0, len(data), size))
