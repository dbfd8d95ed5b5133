"""Filling a restored log up with what its public copy has beyond the backup. Rim.

The copy holds hashes and checkpoints, no entries: what was recorded after the backup is lost, and
the log says so (`dataspace.audit.lost`). Its hashes are not: every proof under a later checkpoint
holds on, and the log goes on from where witnesses saw it, as the same history.

Nothing of the copy is believed: the owner signed the checkpoint, the tiles give its root, and the
restored log is a beginning of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.durable import DurableDirectory
from dataspace.audit.lost import LOST
from dataspace.audit.merkle import tree_root
from dataspace.audit.notes import VerifierKey, parse_vkey
from dataspace.audit.quorum import Quorum
from dataspace.audit.reader import CHECKPOINT, COSIGNED, DirectoryReader
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle, encode_bundle, tiles_between
from dataspace.audit.tree import Tree
from dataspace.backup.restoring import read_mark
from dataspace.errors import Malformed, Unverified
from dataspace.evidence.cosigned import quorum_of
from dataspace.home import PartyHome
from dataspace.processes import now_ms


class Copy(Protocol):
    """A log's public copy: see `UrlReader`."""

    def checkpoint(self) -> str: ...
    def cosigned(self) -> str | None: ...
    def read(self, tile: Tile) -> bytes: ...


def catch_up(home: PartyHome, copy: Copy) -> tuple[int, int]:
    """Fill the log of a restored node up; from how many entries to how many.

    Raises `Malformed` (`not-restored`) for a log that was not put back, or is confirmed,
    `Unverified` for a copy of another history, and `Unavailable`. A log that was filled up
    half-way is filled up again.
    """
    folder = home.path / "log"
    mark = read_mark(folder)
    if mark is None:
        raise Malformed(
            f"{home.path} was not restored from a backup, or its log is confirmed already: there "
            "is nothing to catch up with",
            code="not-restored",
        )
    trust = home.trust(now_ms())
    vkeys = [log.vkey for log in trust.logs if log.origin == home.config.log_origin]
    if not vkeys:
        raise Unverified("the trust list names no log of this node", code="log")
    key = parse_vkey(vkeys[0])
    return mark.size, fill_up(folder, key, quorum_of(trust, key.name), copy)


def fill_up(folder: Path, key: VerifierKey, quorum: Quorum, copy: Copy) -> int:
    """Bring the log in a folder, which nobody has open, to its copy's size; returns that."""
    old = verify_checkpoint(DirectoryReader(folder).checkpoint(), key)
    text = copy.checkpoint()
    new = verify_checkpoint(text, key)
    if new.size <= old.size:
        return old.size
    tree = _checked(copy, old, new)
    cosigned = _cosigned(copy, key, quorum, tree, new)
    _write(folder, tree, old, new)
    files = DurableDirectory(folder)
    # INVARIANT: the checkpoint comes after what it covers, and is never behind what is cosigned.
    files.write({CHECKPOINT: text.encode()})
    if cosigned:
        files.write({COSIGNED: cosigned.encode()})
    return new.size


def _checked(copy: Copy, old: Checkpoint, new: Checkpoint) -> Tree:
    tree = Tree(new.size, copy.read)
    if tree_root(tree, new.size) != new.root:
        raise Unverified("the copy's tiles do not give its checkpoint's root", code="log-root")
    # SECURITY: a copy of another history must not become the continuation of this one.
    if old.size and tree_root(tree, old.size) != old.root:
        raise Unverified(
            "the public copy does not extend the restored log: do not run this node; tell the "
            "other regions' regulators",
            code="log-fork",
        )
    return tree


def _write(folder: Path, tree: Tree, old: Checkpoint, new: Checkpoint) -> None:
    reader, files = DirectoryReader(folder), DurableDirectory(folder)
    for tile in tiles_between(old.size, new.size):
        if tile.level is None:
            files.write({tile.path: _bundle(reader, tile, old.size)})
        else:
            files.write({tile.path: tree.tile_bytes(tile)})


def _bundle(reader: DirectoryReader, tile: Tile, size: int) -> bytes:
    """A bundle with what there is of it, and a place for each entry that is lost."""
    first = tile.index * FULL_WIDTH
    entries: list[bytes] = []
    if first < size:
        held = Tile(None, tile.index, min(FULL_WIDTH, size - first))
        entries = list(decode_bundle(held, reader.read(held)))
    return encode_bundle([*entries, *[LOST] * (tile.width - len(entries))])


def _cosigned(
    copy: Copy, key: VerifierKey, quorum: Quorum, tree: Tree, new: Checkpoint
) -> str | None:
    """The copy's cosigned checkpoint, where it holds and is of this history."""
    text = copy.cosigned()
    if text is None:
        return None
    found = quorum.check(text).checkpoint
    if found.size > new.size or tree_root(tree, found.size) != found.root:
        raise Unverified("the copy's cosigned checkpoint is of another history", code="log-fork")
    return text if verify_checkpoint(text, key) == found else None
