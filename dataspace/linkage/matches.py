"""Rows of two columns that hold the same number, in whole columns."""

from __future__ import annotations

import numpy as np

from dataspace.linkage.tokens import Ints


def matches(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """All pairs (row of `left`, row of `right`) of equal values, in the order of `left`."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    begin = np.searchsorted(ordered, left)
    found = np.searchsorted(ordered, left, side="right") - begin
    rows = np.repeat(np.arange(len(left), dtype=np.int64), found)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(found) - found, found)
    return rows, order[np.repeat(begin, found) + within]
