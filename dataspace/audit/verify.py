"""Verifies a whole log from its public form: every entry, every tile, the root. Pure.

Reads through a `TileReader`, so that a directory, a copy and a remote log are verified
alike. Trusts the given key and the checkpoints seen before, and nothing that it reads.
How entries are read is the caller's to say: others' logs hold any bytes, and public copies
hold none.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.entries import Entry
from dataspace.audit.lost import LOST, check_declared, declared
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


class Entries(StrEnum):
    """What is done with a log's entries."""

    CANONICAL = "canonical"  # each is read, and is an entry of this space: canonical JSON
    HASHED = "hashed"  # each is read and hashed, whatever it holds
    ABSENT = "absent"  # none is read; the hash tiles stand for them


@dataclass(frozen=True)
class VerifiedLog:
    """A log that was computed again, from its entries or from its hash tiles.

    `entries_checked` of them were read and hashed: all but those `lost`, or none.
    """

    origin: str
    size: int
    root: bytes
    entries_checked: int
    lost: int = 0  # missing, as later entries declare


def verify_log(
    reader: TileReader,
    key: VerifierKey,
    *,
    seen: Checkpoint | Sequence[Checkpoint] | None = None,
    entries: Entries = Entries.CANONICAL,
) -> VerifiedLog:
    """Recompute the log from its entries; raise `Unverified` naming the file and index at fault.

    `seen` are earlier checkpoints that the verifier holds: the log must still extend each.
    """
    earlier = (seen,) if isinstance(seen, Checkpoint) else tuple(seen or ())
    checkpoint = verify_checkpoint(reader.checkpoint(), key)
    for each in earlier:
        _check_seen_fits(checkpoint, each)
    check = _Recomputation(reader, {each.size for each in earlier}, entries)
    for tile in tiles_of(checkpoint.size):
        if tile.level is None:
            check.bundle(tile)
        elif tile.level > 0:
            check.hashes(tile)
        else:
            check.leaves(tile)
    if check.frontier.root() != checkpoint.root:
        source = "tiles" if entries is Entries.ABSENT else "entries"
        raise Unverified(f"checkpoint: its root is not that of the {source}", code="log-root")
    for each in earlier:
        check.extends(each)
    check_declared(check.lost, check.declarations)
    lost = len(check.lost)
    read = 0 if entries is Entries.ABSENT else check.frontier.size - lost
    return VerifiedLog(checkpoint.origin, checkpoint.size, checkpoint.root, read, lost)


class _Recomputation:
    """The tree as the entries give it: bundle by bundle, then level by level."""

    def __init__(self, reader: TileReader, sizes: Set[int], entries: Entries) -> None:
        self.frontier = Frontier()
        self.lost: list[int] = []
        self.declarations: list[range] = []
        self._reader = reader
        self._entries = entries
        self._sizes = sizes
        self._root_at = {0: EMPTY_ROOT}  # of the sizes asked about
        self._roots: dict[int, list[bytes]] = {}  # by level: the roots of full tiles below

    def bundle(self, tile: Tile) -> None:
        """One bundle, and the tile of its leaf hashes."""
        if self._entries is Entries.ABSENT:
            return
        hashes = Tile(0, tile.index, tile.width)
        leaves = [
            self._lost(hashes) if entry == LOST and self._entries is Entries.CANONICAL
            else self._entry(tile, entry)
            for entry in decode_bundle(tile, self._read(tile))
        ]  # fmt: skip
        self._hash_tile(hashes, 0, leaves)

    def hashes(self, tile: Tile) -> None:
        """One tile above level 0, whose tiles below have all been recomputed."""
        assert tile.level is not None
        first = tile.index * FULL_WIDTH
        self._hash_tile(tile, tile.level, self._roots[tile.level][first : first + tile.width])

    def leaves(self, tile: Tile) -> None:
        """One tile of leaf hashes, where no entries stand behind it."""
        if self._entries is not Entries.ABSENT:
            return
        found = decode_hashes(tile, self._read(tile))
        for leaf in found:
            self._grow(leaf)
        if tile.is_full:
            self._roots.setdefault(1, []).append(root_of(found))

    def extends(self, seen: Checkpoint) -> None:
        """Raises `Unverified` unless the log begins with what was seen."""
        if seen.root != self._root_at[seen.size]:
            raise Unverified(
                f"the log's first {seen.size} entries are not those of the checkpoint"
                " seen before: its history was rewritten",
                code="log-rewritten",
            )

    def _entry(self, tile: Tile, entry: bytes) -> bytes:
        index = self.frontier.size
        if self._entries is Entries.CANONICAL:
            try:
                said = declared(index, Entry.from_bytes(entry))
            except Unverified as error:
                raise Unverified(f"{tile.path}: entry {index}: {error}", code="entry") from error
            if said:
                self.declarations.append(said)
        leaf = leaf_hash(entry)
        self._grow(leaf)
        return leaf

    def _lost(self, hashes: Tile) -> bytes:
        """The leaf hash of the next entry, which is lost, as the hash tile has it."""
        index = self.frontier.size
        leaf = decode_hashes(hashes, self._read(hashes))[index % FULL_WIDTH]
        self.lost.append(index)
        self._grow(leaf)
        return leaf

    def _grow(self, leaf: bytes) -> None:
        self.frontier.append(leaf)
        if self.frontier.size in self._sizes:
            self._root_at[self.frontier.size] = self.frontier.root()

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
