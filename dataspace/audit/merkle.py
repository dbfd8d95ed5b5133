"""Merkle trees of RFC 6962: hashes, proofs and their verification. Stores nothing.

Hashing is that of RFC 6962 section 2.1, verification that of RFC 9162 sections 2.1.3.2
and 2.1.4.2. Trees are read through a `HashReader`, which knows the hashes of complete
subtrees; where these are kept is not this module's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from dataspace.errors import Unverified

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class HashReader(Protocol):
    """Knows the hash of every complete subtree of a tree.

    `node(height, index)` covers the leaves `[index << height, (index + 1) << height)`.
    """

    def node(self, height: int, index: int) -> bytes: ...


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the complete subtrees of a growing tree, largest first.

    All that is needed to give the root of a tree whose leaves pass by once.
    """

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Take the next leaf hash."""
        above = leaf
        rest = self.size
        while rest & 1:
            above = node_hash(self._roots.pop(), above)
            rest >>= 1
        self._roots.append(above)
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash of all leaves so far."""
        return _fold(self._roots)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes (see `leaf_hash`), in order."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def tree_root(reader: HashReader, size: int) -> bytes:
    """The root of the tree's first `size` leaves."""
    return _range_root(reader, 0, size)


def prove_inclusion(reader: HashReader, index: int, size: int) -> tuple[bytes, ...]:
    """The audit path of leaf `index` in the tree of `size` leaves, lowest sibling first."""
    if not 0 <= index < size:
        raise Unverified(f"no leaf {index} in a tree of {size}", code="proof-range")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_root(reader, middle, high))
            high = middle
        else:
            path.append(_range_root(reader, low, middle))
            low = middle
    return tuple(reversed(path))


def prove_inclusions(
    reader: HashReader, first: int, last: int, size: int
) -> list[tuple[bytes, ...]]:
    """The audit paths of the leaves from `first` up to but not with `last`, as `prove_inclusion`.

    Paths of neighbours share their upper hashes, which are looked up once.
    """
    if not 0 <= first < last <= size:
        raise Unverified(f"no leaves {first} to {last} in a tree of {size}", code="proof-range")
    return [tuple(path) for path in _paths(reader, first, last, 0, size)]


def prove_consistency(reader: HashReader, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """That the tree of `old_size` leaves is a prefix of that of `new_size` (RFC 6962 2.1.2).

    Empty when the old tree is empty or the sizes are equal.
    """
    if not 0 <= old_size <= new_size:
        raise Unverified(f"no proof from size {old_size} to {new_size}", code="proof-range")
    if old_size == 0:
        return ()
    path: list[bytes] = []
    low, high = 0, new_size
    whole = True  # the old tree still begins where the subtree at hand begins
    while high != old_size:
        middle = low + _split(high - low)
        if old_size <= middle:
            path.append(_range_root(reader, middle, high))
            high = middle
        else:
            path.append(_range_root(reader, low, middle))
            low = middle
            whole = False
    if not whole:
        path.append(_range_root(reader, low, high))
    return tuple(reversed(path))


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """RFC 9162 section 2.1.3.2. Raises `Unverified` unless `leaf` is leaf `index` under `root`."""
    _check_hashes((leaf, root, *proof))
    if not 0 <= index < size:
        raise Unverified(f"no leaf {index} in a tree of {size}", code="inclusion")
    first, second = index, size - 1
    above = leaf
    for sibling in proof:
        if second == 0:
            raise Unverified("the inclusion proof is too long", code="inclusion")
        if first & 1 or first == second:
            above = node_hash(sibling, above)
            while first and not first & 1:
                first >>= 1
                second >>= 1
        else:
            above = node_hash(above, sibling)
        first >>= 1
        second >>= 1
    if second != 0 or above != root:
        raise Unverified(f"leaf {index} is not under the root of size {size}", code="inclusion")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """RFC 9162 section 2.1.4.2. Raises `Unverified` unless the new tree extends the old one."""
    _check_hashes((old_root, new_root, *proof))
    if not 0 <= old_size <= new_size:
        raise _inconsistent(old_size, new_size)
    if old_size in {0, new_size}:
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected:
            raise _inconsistent(old_size, new_size)
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # the old root is itself a node of the new tree
        path.insert(0, old_root)
    if not path:
        raise _inconsistent(old_size, new_size)
    first, second = old_size - 1, new_size - 1
    while first & 1:
        first >>= 1
        second >>= 1
    old_above = new_above = path[0]
    for sibling in path[1:]:
        if second == 0:
            raise _inconsistent(old_size, new_size)
        if first & 1 or first == second:
            old_above = node_hash(sibling, old_above)
            new_above = node_hash(sibling, new_above)
            while first and not first & 1:
                first >>= 1
                second >>= 1
        else:
            new_above = node_hash(new_above, sibling)
        first >>= 1
        second >>= 1
    if second != 0 or old_above != old_root or new_above != new_root:
        raise _inconsistent(old_size, new_size)


def _inconsistent(old_size: int, new_size: int) -> Unverified:
    return Unverified(
        f"the tree of size {new_size} does not extend that of size {old_size}", code="consistency"
    )


def _check_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise Unverified("a hash in the proof is not 32 bytes long", code="proof-hash")


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_root(reader: HashReader, low: int, high: int) -> bytes:
    """MTH(D[low:high]), where `low` starts a subtree that RFC 6962 would cut here."""
    roots: list[bytes] = []
    while low < high:
        height = (high - low).bit_length() - 1
        roots.append(reader.node(height, low >> height))
        low += 1 << height
    return _fold(roots)


def _paths(reader: HashReader, first: int, last: int, low: int, high: int) -> list[list[bytes]]:
    """The paths of leaves `[first, last)` up to the root of `[low, high)`, which has them all."""
    if high - low == 1:
        return [[]]
    middle = low + _split(high - low)
    lefts = _paths(reader, first, min(last, middle), low, middle) if first < middle else []
    rights = _paths(reader, max(first, middle), last, middle, high) if last > middle else []
    for paths, sibling in ((lefts, (middle, high)), (rights, (low, middle))):
        if paths:
            above = _range_root(reader, *sibling)
            for path in paths:
                path.append(above)
    return lefts + rights


def _fold(roots: Sequence[bytes]) -> bytes:
    if not roots:
        return EMPTY_ROOT
    above = roots[-1]
    for left in reversed(roots[:-1]):
        above = node_hash(left, above)
    return above
