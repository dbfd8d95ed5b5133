"""What must hold before a log is taken up again after any end of its process. Rim.

A commit writes bundles and tiles, then the checkpoint. A process that ends in between
leaves at most one commit's files beyond the checkpoint; nobody was told of them, so they
are removed. Anything else that is missing, changed or left over is refused, never mended.
"""

from __future__ import annotations

from pathlib import Path

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.durable import sync_directory
from dataspace.audit.merkle import HASH_BYTES, leaf_hash, tree_root
from dataspace.audit.notes import VerifierKey
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle, tiles_of
from dataspace.audit.tree import TILE_HEIGHT, Tree
from dataspace.errors import Unverified

MAX_BATCH = 256  # entries in one commit


def recover(directory: Path, key: VerifierKey) -> tuple[Checkpoint, Tree]:
    """The log's last checkpoint and its tree, or `Unverified`.

    Reads the right edge whole and looks that every other file is there in its length;
    `verify_log` reads everything.
    """
    reader = DirectoryReader(directory)
    checkpoint = verify_checkpoint(reader.checkpoint(), key)
    for tile in tiles_of(checkpoint.size):
        _check_length(reader, tile)
    tree = Tree(checkpoint.size, reader.read_exact)
    if tree_root(tree, checkpoint.size) != checkpoint.root:
        raise Unverified(
            "the tiles do not give the checkpoint's root; restore the log from a backup",
            code="log-root",
        )
    _check_last_bundle(reader, tree)
    _remove_leftovers(directory, reader, checkpoint.size)
    return checkpoint, tree


def _check_length(reader: DirectoryReader, tile: Tile) -> None:
    length = reader.length(tile)
    if tile.level is not None and length != tile.width * HASH_BYTES:
        raise Unverified(f"{tile.path} has a wrong length of {length} bytes", code="tile-size")


def _check_last_bundle(reader: DirectoryReader, tree: Tree) -> None:
    """The last entries hash to the last leaves."""
    if tree.size == 0:
        return
    index = (tree.size - 1) // FULL_WIDTH
    bundle = Tile(None, index, tree.size - index * FULL_WIDTH)
    for at, entry in enumerate(decode_bundle(bundle, reader.read_exact(bundle))):
        leaf = index * FULL_WIDTH + at
        if leaf_hash(entry) != tree.node(0, leaf):
            raise Unverified(f"{bundle.path}: entry {leaf} was changed", code="entry-hash")


def _remove_leftovers(directory: Path, reader: DirectoryReader, size: int) -> None:
    """Remove one unfinished commit's files beyond `size`; refuse when there are more.

    SECURITY: an older checkpoint put back over newer tiles must not make the log forget
    acknowledged entries and sign another history over them.
    """
    count, last = size, size + MAX_BATCH
    trees: list[int | None] = [None, 0]
    while trees:
        for level in trees:
            beyond = _beyond(reader, level, count, last)
            if beyond is None:
                raise Unverified(
                    f"the log holds more than its checkpoint of {size} entries covers;"
                    " restore the newer checkpoint",
                    code="log-rolled-back",
                )
            for tile in beyond:
                (directory / tile.path).unlink()
                sync_directory((directory / tile.path).parent)
        count, last = count >> TILE_HEIGHT, last >> TILE_HEIGHT
        level_above = (trees[-1] or 0) + 1
        trees = [level_above] if last else []


def _beyond(reader: DirectoryReader, level: int | None, count: int, last: int) -> list[Tile] | None:
    """Files of one tree beyond its `count` hashes; None when no one commit left them."""
    first, final = count // FULL_WIDTH, last // FULL_WIDTH
    found: list[Tile] = []
    partial = 0
    for index in range(first, final + 2):
        place = Tile(level, index)
        floor = count % FULL_WIDTH if index == first else 0
        widths = [width for width in reader.widths(place) if width > floor]
        partial += len(widths)
        found.extend(Tile(level, index, width) for width in widths)
        if reader.has(place):
            found.append(place)
    too_far = any(tile.index * FULL_WIDTH + tile.width > last for tile in found)
    return None if too_far or partial > 1 else found
