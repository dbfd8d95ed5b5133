"""Opaque 32-byte tokens: which of them are equal. Sees nothing in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint8]
"""Shape (…, 32)."""


def words(tokens: Tokens) -> npt.NDArray[np.uint64]:
    """The same bytes as four words each, shape (…, 4)."""
    return np.ascontiguousarray(tokens).view(np.uint64)


def shared(tokens: Tokens) -> tuple[Ints, Ints]:
    """Rows of `tokens`, shape (rows, 32), whose token another row has too.

    Returns their row numbers, and for each the number of its group: from 0, rising.
    """
    parts = words(tokens)
    order = np.argsort(parts[:, 0], kind="stable")
    # The first word parts nearly all; whole tokens decide among the few that are left.
    close = _near(parts[order, 0])
    few = order[close]
    few = few[np.lexsort((few, *parts[few].T[::-1]))]
    same = np.all(parts[few][1:] == parts[few][:-1], axis=1)
    grouped = _near_of(same, len(few))
    starts = np.ones(len(few), np.bool_)
    starts[1:] = ~same
    group = np.cumsum(starts[grouped], dtype=np.int64) - 1
    return few[grouped], group


def first_equal(tokens: Tokens) -> Ints:
    """For each row of `tokens`, shape (rows, 32), the first row with the same token."""
    found = np.arange(len(tokens), dtype=np.int64)
    rows, groups = shared(tokens)
    first = np.full(int(groups.max(initial=-1)) + 1, len(tokens), np.int64)
    np.minimum.at(first, groups, rows)
    found[rows] = first[groups]
    return found


def _near(ordered: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which of a sorted column equal a neighbour."""
    return _near_of(ordered[1:] == ordered[:-1], len(ordered))


def _near_of(same: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    near = np.zeros(count, np.bool_)
    near[1:] |= same
    near[:-1] |= same
    return near
