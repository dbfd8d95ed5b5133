"""A log in memory as it grows: its tree, and the entries that no file holds yet. Pure.

Growing is for one thread at a time; everything else is for any, about what is there.
"""

from __future__ import annotations

from collections.abc import Callable

from dataspace.audit.lost import LOST
from dataspace.audit.merkle import leaf_hash, tree_root
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle, encode_bundle, tiles_between
from dataspace.audit.tree import Tree
from dataspace.errors import Unverified


class GrowingLog:
    """The log of `size` entries whose files `read_tile` gives, and what comes after them.

    Raises `Unverified` unless the entries at its end are those of its tree.
    """

    def __init__(self, size: int, read_tile: Callable[[Tile], bytes]) -> None:
        self.tree = Tree(size, read_tile)
        self._bundles: dict[int, list[bytes]] = {}
        if size > 0:
            self._take_last_bundle(read_tile)

    @property
    def size(self) -> int:
        return self.tree.size

    def append(self, entry: bytes) -> None:
        """Take the next entry."""
        self._bundles.setdefault(self.size // FULL_WIDTH, []).append(entry)
        self.tree.append(leaf_hash(entry))

    def root(self, size: int) -> bytes:
        """The root of the first `size` entries."""
        return tree_root(self.tree, size)

    def entry(self, index: int) -> bytes | None:
        """The entry at `index`; None if a file holds it."""
        number, at = divmod(index, FULL_WIDTH)
        bundle = self._bundles.get(number)
        return None if bundle is None else bundle[at]

    def files(self, old_size: int, new_size: int) -> dict[str, bytes]:
        """By path, the files that the log of `new_size` has and that of `old_size` lacks."""
        return {tile.path: self._bytes(tile) for tile in tiles_between(old_size, new_size)}

    def written(self, size: int) -> None:
        """The files of the first `size` entries are there: forget what they hold."""
        self.tree.written(size)
        for number in [each for each in self._bundles if (each + 1) * FULL_WIDTH <= size]:
            del self._bundles[number]

    def _bytes(self, tile: Tile) -> bytes:
        if tile.level is None:
            return encode_bundle(self._bundles[tile.index][: tile.width])
        return self.tree.tile_bytes(tile)

    def _take_last_bundle(self, read_tile: Callable[[Tile], bytes]) -> None:
        number = (self.size - 1) // FULL_WIDTH
        bundle = Tile(None, number, self.size - number * FULL_WIDTH)
        entries = list(decode_bundle(bundle, read_tile(bundle)))
        for index, entry in enumerate(entries, number * FULL_WIDTH):
            if entry != LOST and leaf_hash(entry) != self.tree.node(0, index):
                raise Unverified(f"{bundle.path}: entry {index} was changed", code="entry-hash")
        if not bundle.is_full:
            self._bundles[number] = entries
