"""Entries of the logs in a space's directories, offline. Rim: reads files.

Each log is held against its signed checkpoint before an entry of it is believed.
"""

from __future__ import annotations

from pathlib import Path

from dataspace.audit.checkpoints import verify_checkpoint
from dataspace.audit.entries import Entry
from dataspace.audit.lost import LOST
from dataspace.audit.merkle import Frontier, leaf_hash
from dataspace.audit.notes import parse_vkey
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import Tile, decode_bundle, decode_hashes, tiles_of
from dataspace.errors import Unavailable, Unverified
from dataspace.evidence.looks import metadata
from dataspace.evidence.reconciling import Line
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.replicas import is_broker, own_log
from dataspace.identity.trusted import BROKER


def read_lines(home: Path, logs: tuple[str, ...], now_ms: int) -> list[Line]:
    """Every entry of the logs named, as codes. Raises `Unverified` where one does not hold."""
    return [line for log in logs for line in _lines_of(home / log, log, now_ms)]


def read_entries(directory: Path, owner: str, now_ms: int) -> list[bytes]:
    """Every entry of one party's log, empty where it was lost. Raises `Unverified` where the log
    does not hold."""
    if not (directory / CONFIG).is_file():
        raise Unavailable(f"{directory.parent} holds no party {owner}", code="home-missing")
    home = PartyHome(directory)
    trust = home.trust(now_ms)
    listed = own_log(trust, BROKER if is_broker(owner) else owner, home.config.log_origin)
    if listed is None:
        raise Unverified(f"the trust list names no log of {owner}", code="log")
    reader = DirectoryReader(directory / "log")
    checkpoint = verify_checkpoint(reader.checkpoint(), parse_vkey(listed.vkey))
    frontier, entries = Frontier(), []
    for tile in tiles_of(checkpoint.size):
        if tile.level is not None:
            continue
        hashes = Tile(0, tile.index, tile.width)
        leaves = decode_hashes(hashes, reader.read(hashes))
        bundle = decode_bundle(tile, reader.read(tile))
        for data, leaf in zip(bundle, leaves, strict=True):
            entries.append(data)
            frontier.append(leaf_hash(data) if data != LOST else leaf)
    if frontier.root() != checkpoint.root:
        raise Unverified(
            f"the log of {owner} does not verify: its entries are not those of its checkpoint",
            code="log-root",
        )
    return entries


def _lines_of(directory: Path, owner: str, now_ms: int) -> list[Line]:
    return [
        Line(owner, metadata(index, Entry.from_bytes(data)))
        for index, data in enumerate(read_entries(directory, owner, now_ms))
        if data != LOST
    ]
