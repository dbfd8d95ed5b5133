"""Connected components of an undirected graph, in whole columns. Knows nothing of people."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def components(count: int, left: Ints, right: Ints) -> Ints:
    """For each of `count` nodes the least node that edges `left[i]`-`right[i]` connect it to.

    Hooks the roots of an edge's ends to the smaller of them and halves paths, until nothing
    changes: the rounds grow with the logarithm of the longest path.
    """
    root = np.arange(count, dtype=np.int64)
    while True:
        one, other = root[left], root[right]
        apart = one != other
        if not apart.any():
            return root
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while True:
            above = root[root]
            if np.array_equal(above, root):
                break
            root = above
