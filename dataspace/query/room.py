"""How large a query may grow while names of CTEs and branches of CASE are written out.

SECURITY: a short text may stand for a long one: a CTE's expression counts wherever it is
named, and the n-th branch of a CASE holds the n - 1 conditions before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from dataspace.errors import Malformed
from dataspace.query.tree import CaseWhen, Operation, Scalar

MAX_NODES = 20_000
MAX_DEPTH = 100
MAX_BRANCHES = 40


class Room:
    """Counts the nodes of one query as they are written out."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def take(self, *scalars: Scalar) -> None:
        """Room for these. Raises `Malformed`: `too-long` where there is none left, `too-deep`
        where they nest further than every later reader can follow."""
        level, depth = list(scalars), 0
        while level:
            self._left -= len(level)
            depth += 1
            if self._left < 0:
                raise Malformed("the query is too long once it is written out", code="too-long")
            if depth > MAX_DEPTH:
                raise Malformed("the query is nested too deeply", code="too-deep")
            level = [child for scalar in level for child in _children(scalar)]


def _children(scalar: Scalar) -> Iterator[Scalar]:
    if isinstance(scalar, Operation):
        yield from scalar.arguments
    elif isinstance(scalar, CaseWhen):
        for branch in scalar.branches:
            yield from branch
        yield scalar.otherwise
