"""Copies of the nodes' logs for everybody to read: hash tiles and checkpoints. Rim.

A node hands its public files over its own stream. What is taken verifies: the log's key
signed the checkpoint, and its root is that of the tiles, old ones included; a full tile is
never written twice, so that a log which changes its past finds no place here. Entries are
not copied. A copy that does not verify when it is opened is thrown away: the node has it all.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.merkle import EMPTY_ROOT, HASH_BYTES, prove_inclusion, tree_root
from dataspace.audit.notes import VerifierKey
from dataspace.audit.reader import CHECKPOINT, DirectoryReader
from dataspace.audit.tiles import Tile, parse_tile_path, tiles_between
from dataspace.audit.tree import Tree
from dataspace.errors import Malformed, Unverified

COSIGNED = "checkpoint.cosigned"
MOST_TILES = 256  # in one update
_MOST_STAGED = 1 << 16  # tiles before a checkpoint: half a gigabyte, 16 million entries
_STAGING = "staging"


class Mirror:
    """The copy of one log. Safe between threads."""

    def __init__(self, directory: Path, key: VerifierKey) -> None:
        self._directory = directory
        self._staging = directory / _STAGING
        self._key = key
        self._lock = threading.Lock()
        self._reader = DirectoryReader(directory)
        self._incoming = DirectoryReader(self._staging)
        self._staged = 0
        self._begin_anew()
        if (directory / CHECKPOINT).exists():
            try:
                checkpoint = verify_checkpoint(self._reader.checkpoint(), key)
                self._checkpoint, self._tree = checkpoint, self._grown(checkpoint)
            except Unverified:
                shutil.rmtree(directory)
                self._begin_anew()

    @property
    def directory(self) -> Path:
        """Where the copy is."""
        return self._directory

    @property
    def vkey(self) -> str:
        """The log's verifier key."""
        return self._key.to_text()

    @property
    def size(self) -> int:
        """How many entries the copy covers."""
        return self._checkpoint.size

    @property
    def origin(self) -> str:
        """Whose log it is a copy of."""
        return self._key.name

    def prove_inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The audit path of entry `index` in the log of `size` entries."""
        with self._lock:
            return prove_inclusion(self._tree, index, size)

    def take(self, old_size: int, tiles: Mapping[str, bytes], checkpoint: str) -> None:
        """Take an update from the owner's stream; without a checkpoint it is a beginning.

        Raises `Unverified` or `Malformed`, and keeps the copy as it was, for what does not
        follow from it.
        """
        with self._lock:
            if old_size != self.size:
                raise Malformed(f"the copy has {self.size} entries", code="mirror-size")
            if len(tiles) > MOST_TILES:
                raise Malformed(f"an update has at most {MOST_TILES} tiles", code="mirror-tiles")
            for path, data in tiles.items():
                self._stage(path, data)
            if checkpoint:
                try:
                    self._extend(checkpoint)
                finally:
                    self._clear_staging()

    def put_cosigned(self, text: str) -> None:
        """Keep a checkpoint whose cosignatures the caller verified, beside the latest."""
        with self._lock:
            checkpoint = verify_checkpoint(text, self._key)
            if checkpoint.size > self.size or not _is_beginning(checkpoint, self._tree):
                raise Unverified("a cosigned checkpoint of another history", code="log-fork")
            _put(self._directory / COSIGNED, text.encode())
            if checkpoint.size == self.size:
                _put(self._directory / CHECKPOINT, text.encode())

    def _begin_anew(self) -> None:
        self._checkpoint = Checkpoint(self._key.name, 0, EMPTY_ROOT)
        self._tree = Tree(0, self._reader.read)
        self._clear_staging()

    def _clear_staging(self) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir(mode=0o700, parents=True)
        self._staged = 0

    def _stage(self, path: str, data: bytes) -> None:
        tile = parse_tile_path(path)
        # SECURITY: entries stay with their owner; full tiles that are there are never replaced.
        if tile.level is None or (tile.is_full and self._reader.has(tile)):
            raise Malformed("only new tiles of hashes are copied", code="mirror-tiles")
        if tile.width * HASH_BYTES != len(data):
            raise Unverified(f"{path} has a wrong length", code="tile-size")
        self._staged += 1
        if self._staged > _MOST_STAGED:
            raise Malformed("too many tiles before a checkpoint", code="mirror-tiles")
        _put(self._staging / path, data)

    def _extend(self, text: str) -> None:
        checkpoint = verify_checkpoint(text, self._key)
        if checkpoint.size < self.size:
            raise Unverified("the log is shorter than its copy", code="log-truncated")
        grown = tiles_between(self.size, checkpoint.size)
        wanted = [tile for tile in grown if tile.level is not None]
        for tile in wanted:
            if not self._incoming.has(tile):
                raise Malformed(f"{tile.path} is missing from the update", code="mirror-tiles")
        tree = self._grown(checkpoint)
        if not _is_beginning(self._checkpoint, tree):
            raise Unverified(
                "the log does not extend its copy: its history was rewritten", code="log-fork"
            )
        self._move_in(wanted, text)
        self._checkpoint, self._tree = checkpoint, tree

    def _grown(self, checkpoint: Checkpoint) -> Tree:
        """The tree of a checkpoint, from staged tiles and from those that are there."""
        tree = Tree(checkpoint.size, self._read)
        if tree_root(tree, checkpoint.size) != checkpoint.root:
            raise Unverified(
                "the tiles do not give the checkpoint's root: the log's history was rewritten",
                code="log-fork",
            )
        return tree

    def _read(self, tile: Tile) -> bytes:
        staged = self._staged and self._incoming.has(tile)
        return self._incoming.read_exact(tile) if staged else self._reader.read(tile)

    def _move_in(self, tiles: Sequence[Tile], text: str) -> None:
        """INVARIANT: tiles first, then the checkpoint that covers them."""
        for tile in tiles:
            target = self._directory / tile.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._staging / tile.path).rename(target)
        _put(self._directory / CHECKPOINT, text.encode())
        for tile in tiles:
            if tile.is_full:
                shutil.rmtree(self._directory / f"{tile.path}.p", ignore_errors=True)


def _is_beginning(checkpoint: Checkpoint, tree: Tree) -> bool:
    return checkpoint.size == 0 or tree_root(tree, checkpoint.size) == checkpoint.root


def _put(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.new")
    draft.write_bytes(data)
    draft.rename(target)
