"""Verifies a whole log from its public form: every entry, every tile, the root. Pure.

Reads through a `TileReader`, so that a directory, a copy and a remote log are verified
alike. Trusts the given key and the checkpoint seen before, and nothing that it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.entries import Entry
from dataspace.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of
from dataspace.audit.notes import VerifierKey
from dataspace.audit.tiles import FULL_WIDTH, Tile, clip, decode_bundle, decode_hashes, tiles_of
from dataspace.errors import Unverified


class TileReader(Protocol):
    """A log's files. `read` and `checkpoint` raise `Unverified` for what is missing.

    `read` cuts a partial tile from the full one where that replaced it. `widths` lists the
    partial files that a tile's place has; a reader that cannot list gives none.
    """

    def checkpoint(self) -> str: ...
    def read(self, tile: Tile) -> bytes: ...
    def widths(self, tile: Tile) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class VerifiedLog:
    """A log of which every entry was read and hashed again."""

    origin: str
    size: int
    root: bytes
    entries_checked: int


class Entries(Enum):
    """What is looked for in a log's entries."""

    OURS = "ours"  # canonical JSON, as this project's logs hold
    ANY = "any"  # whatever bytes another implementation's log holds
    NONE = "none"  # they are not read: a public copy has none


def verify_log(
    reader: TileReader,
    key: VerifierKey,
    *,
    seen: Checkpoint | None = None,
    entries: Entries = Entries.OURS,
) -> VerifiedLog:
    """Recompute the log from its entries; raise `Unverified` naming the file and index at fault.

    `seen` is an earlier checkpoint that the verifier holds: the log must still extend it.
    With `Entries.NONE` it is recomputed from the leaf hashes, and says nothing of entries.
    """
    checkpoint = verify_checkpoint(reader.checkpoint(), key)
    if seen is not None:
        _check_seen_fits(checkpoint, seen)
    check = _Recomputation(reader, seen, entries)
    bottom = 0 if entries is Entries.NONE else None
    for tile in tiles_of(checkpoint.size):
        if tile.level == bottom:
            check.bottom(tile)
        elif tile.level is not None and tile.level > 0:
            check.hashes(tile)
    if check.frontier.root() != checkpoint.root:
        raise Unverified("checkpoint: its root is not that of the entries", code="log-root")
    check.seen_root_held()
    read = 0 if entries is Entries.NONE else check.frontier.size
    return VerifiedLog(checkpoint.origin, checkpoint.size, checkpoint.root, read)


class _Recomputation:
    """The tree as the entries give it: bundle by bundle, then level by level."""

    def __init__(self, reader: TileReader, seen: Checkpoint | None, entries: Entries) -> None:
        self.frontier = Frontier()
        self._reader = reader
        self._seen = seen
        self._seen_root = EMPTY_ROOT
        self._entries = entries
        self._roots: dict[int, list[bytes]] = {}  # by level: the roots of full tiles below

    def bottom(self, tile: Tile) -> None:
        """One bundle, and the tile of its leaf hashes; or that tile alone."""
        if tile.level is None:
            leaves = [self._entry(tile, entry) for entry in decode_bundle(tile, self._read(tile))]
            self._hash_tile(Tile(0, tile.index, tile.width), 0, leaves)
            return
        leaves = list(decode_hashes(tile, self._read(tile)))
        for leaf in leaves:
            self._grow(leaf)
        if tile.is_full:
            self._roots.setdefault(1, []).append(root_of(leaves))

    def hashes(self, tile: Tile) -> None:
        """One tile above level 0, whose tiles below have all been recomputed."""
        assert tile.level is not None
        first = tile.index * FULL_WIDTH
        self._hash_tile(tile, tile.level, self._roots[tile.level][first : first + tile.width])

    def seen_root_held(self) -> None:
        if self._seen is not None and self._seen.root != self._seen_root:
            raise Unverified(
                f"the log's first {self._seen.size} entries are not those of the checkpoint"
                " seen before: its history was rewritten",
                code="log-rewritten",
            )

    def _entry(self, tile: Tile, entry: bytes) -> bytes:
        index = self.frontier.size
        try:
            if self._entries is Entries.OURS:
                Entry.from_bytes(entry)
        except Unverified as error:
            raise Unverified(f"{tile.path}: entry {index}: {error}", code="entry") from error
        leaf = leaf_hash(entry)
        self._grow(leaf)
        return leaf

    def _grow(self, leaf: bytes) -> None:
        self.frontier.append(leaf)
        if self._seen is not None and self.frontier.size == self._seen.size:
            self._seen_root = self.frontier.root()

    def _hash_tile(self, tile: Tile, level: int, expected: Sequence[bytes]) -> None:
        found = decode_hashes(tile, self._read(tile))
        for index, (left, right) in enumerate(
            zip(found, expected, strict=True), tile.index * FULL_WIDTH
        ):
            if left != right:
                raise Unverified(
                    f"{tile.path}: hash {index} is not that of what lies under it",
                    code="tile-hash",
                )
        if tile.is_full:
            self._roots.setdefault(level + 1, []).append(root_of(expected))

    def _read(self, tile: Tile) -> bytes:
        """A tile's bytes, which the partial tiles of earlier checkpoints must begin."""
        data = self._reader.read(tile)
        for width in self._reader.widths(tile):
            partial = Tile(tile.level, tile.index, width)
            if width < tile.width and self._reader.read(partial) != clip(partial, tile, data):
                raise Unverified(f"{partial.path} is not a beginning of its tile", code="tile-hash")
        return data


def _check_seen_fits(checkpoint: Checkpoint, seen: Checkpoint) -> None:
    if seen.origin != checkpoint.origin:
        raise Unverified(
            f"the checkpoint seen before is of {seen.origin}, not {checkpoint.origin}",
            code="origin",
        )
    if seen.size > checkpoint.size:
        raise Unverified(
            f"checkpoint: the log has {checkpoint.size} entries, but {seen.size} were seen before",
            code="log-truncated",
        )
