"""The growing tree in memory: the tiles at its right edge. Stores nothing on disk.

Every tile that may still grow, or is not in a file yet, is held with all hashes inside it,
so that an append costs two hashes on average and a proof a few look-ups. Tiles further left
are read back on demand, checked against their parents, and kept for a while.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from dataspace.audit.merkle import node_hash
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_hashes, encode_hashes
from dataspace.errors import Unverified

TILE_HEIGHT = 8
_KEPT_TILES = 64


class TileRows:
    """One tile with the hashes inside it: row h holds those of complete subtrees of height h."""

    def __init__(self, hashes: Sequence[bytes] = ()) -> None:
        self.rows: list[list[bytes]] = [[] for _ in range(TILE_HEIGHT + 1)]
        for each in hashes:
            self.push(each)

    def push(self, above: bytes) -> None:
        """Take the tile's next hash."""
        for row in self.rows:
            row.append(above)
            if len(row) % 2:
                return
            above = node_hash(row[-2], row[-1])

    @property
    def width(self) -> int:
        return len(self.rows[0])

    @property
    def root(self) -> bytes:
        """The hash that a full tile has at the level above."""
        return self.rows[TILE_HEIGHT][0]


class Tree:
    """A Merkle tree that grows leaf by leaf and knows every complete node (a `HashReader`).

    `read_tile` gives a tile's bytes where they are kept; it is asked for full tiles, and
    once for each partial tile when a tree of `size` leaves is taken up.
    Growing is for one thread at a time; `node` is for any, about leaves already there.
    """

    def __init__(self, size: int, read_tile: Callable[[Tile], bytes]) -> None:
        self._read_tile = read_tile
        self._kept: OrderedDict[tuple[int, int], TileRows] = OrderedDict()
        self._unwritten: dict[tuple[int, int], TileRows] = {}
        self._lock = threading.Lock()
        self._edge: list[tuple[int, TileRows]] = []
        self.size = size
        while size > 0:
            index, width = divmod(size, FULL_WIDTH)
            hashes = self._read(Tile(len(self._edge), index, width)) if width else ()
            self._edge.append((index, TileRows(hashes)))
            size = index

    def append(self, leaf: bytes) -> None:
        """Take the next leaf hash."""
        self._push(0, leaf)
        self.size += 1

    def node(self, height: int, index: int) -> bytes:
        """The hash over the leaves `[index << height, (index + 1) << height)`."""
        level, row = divmod(height, TILE_HEIGHT)
        tile, at = divmod(index, FULL_WIDTH >> row)
        return self._rows(level, tile).rows[row][at]

    def tile_bytes(self, tile: Tile) -> bytes:
        """The bytes of a hash tile."""
        assert tile.level is not None
        return encode_hashes(self._rows(tile.level, tile.index).rows[0][: tile.width])

    def written(self, size: int) -> None:
        """The full tiles of a tree of `size` leaves can be read back from now on."""
        with self._lock:
            for level, index in list(self._unwritten):
                if (index + 1) * FULL_WIDTH <= size >> (TILE_HEIGHT * level):
                    self._keep(level, index, self._unwritten.pop((level, index)))

    def _push(self, level: int, above: bytes) -> None:
        if level == len(self._edge):
            self._edge.append((0, TileRows()))
        index, rows = self._edge[level]
        rows.push(above)
        if rows.width == FULL_WIDTH:
            with self._lock:
                self._unwritten[level, index] = rows
            self._push(level + 1, rows.root)
            self._edge[level] = (index + 1, TileRows())

    def _rows(self, level: int, index: int) -> TileRows:
        if level < len(self._edge):
            edge_index, rows = self._edge[level]
            if edge_index == index:
                return rows
        with self._lock:
            if (level, index) in self._unwritten:
                return self._unwritten[level, index]
            if (level, index) in self._kept:
                self._kept.move_to_end((level, index))
                return self._kept[level, index]
        return self._read_back(level, index)

    def _read_back(self, level: int, index: int) -> TileRows:
        tile = Tile(level, index)
        rows = TileRows(self._read(tile))
        # SECURITY: a tile changed behind the running log must not become a proof.
        if rows.root != self.node((level + 1) * TILE_HEIGHT, index):
            raise Unverified(f"{tile.path} is not the tile that the log wrote", code="tile-hash")
        with self._lock:
            self._keep(level, index, rows)
        return rows

    def _keep(self, level: int, index: int, rows: TileRows) -> None:
        self._kept[level, index] = rows
        while len(self._kept) > _KEPT_TILES:
            self._kept.popitem(last=False)

    def _read(self, tile: Tile) -> tuple[bytes, ...]:
        return decode_hashes(tile, self._read_tile(tile))
