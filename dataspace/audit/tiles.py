"""Tiles of a log as C2SP tlog-tiles names and encodes them. Pure: paths and bytes only.

    path    = "tile/" tree "/" index [ ".p/" width ]
    tree    = "entries" / level           ; level 0..63, no leading zero
    index   = *( "x" 3DIGIT "/" ) 3DIGIT  ; 1234067 -> x001/x234/067
    width   = 1..255                      ; absent: a full tile, 256 wide
    hashes  = 1*256( 32OCTET )
    bundle  = 1*256( uint16 entry )       ; length big-endian

Level 0 holds leaf hashes; each hash of level L + 1 is the root of one full tile of level L.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dataspace.audit.merkle import HASH_BYTES
from dataspace.errors import Malformed, Unverified

FULL_WIDTH = 256
LEVELS = 64
_LENGTH_BYTES = 2
_MAX_INDEX = 2**63 - 1
_PATH = re.compile(
    r"tile/(?P<tree>entries|[0-9]{1,2})/(?P<index>(?:x[0-9]{3}/){0,7}[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Tile:
    """One tile: hashes at `level`, or the entry bundle where `level` is None."""

    level: int | None
    index: int
    width: int = FULL_WIDTH

    def __post_init__(self) -> None:
        level_fits = self.level is None or 0 <= self.level < LEVELS
        if not (level_fits and 0 <= self.index <= _MAX_INDEX and 1 <= self.width <= FULL_WIDTH):
            raise Malformed("no such tile: level, index or width is out of range", code="tile")

    @property
    def is_full(self) -> bool:
        return self.width == FULL_WIDTH

    @property
    def full(self) -> Tile:
        """The full tile at the same place."""
        return Tile(self.level, self.index)

    @property
    def path(self) -> str:
        """Where the tile is, relative to the log's prefix."""
        tree = "entries" if self.level is None else str(self.level)
        suffix = "" if self.is_full else f".p/{self.width}"
        return f"tile/{tree}/{_index_path(self.index)}{suffix}"


def parse_tile_path(path: str) -> Tile:
    """The tile that a path names; raises `Malformed` for any spelling but the canonical one."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise Malformed("not a tile path; see C2SP tlog-tiles", code="tile-path")
    level = None if found["tree"] == "entries" else int(found["tree"])
    index = int(found["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(found["width"] or FULL_WIDTH))
    if tile.path != path:
        raise Malformed("not the canonical spelling of a tile path", code="tile-path")
    return tile


def tiles_between(old_size: int, new_size: int) -> Iterator[Tile]:
    """The tiles that a log of `new_size` has and one of `old_size` lacks, bundles first."""
    if not 0 <= old_size <= new_size:
        raise Malformed("a log does not shrink", code="tile")
    yield from _grown(None, old_size, new_size)
    level = 0
    while new_size > 0:
        yield from _grown(level, old_size, new_size)
        old_size, new_size, level = old_size // FULL_WIDTH, new_size // FULL_WIDTH, level + 1


def tiles_of(size: int) -> Iterator[Tile]:
    """Every bundle and tile of a log of `size` entries, without superseded partial ones."""
    return tiles_between(0, size)


def encode_hashes(hashes: Sequence[bytes]) -> bytes:
    """The bytes of a hash tile."""
    return b"".join(hashes)


def decode_hashes(tile: Tile, data: bytes) -> tuple[bytes, ...]:
    """The hashes of a tile; `Unverified` unless there are exactly `tile.width` of them."""
    if len(data) != tile.width * HASH_BYTES:
        raise Unverified(
            f"{tile.path} has {len(data)} bytes, not {tile.width * HASH_BYTES}", code="tile-size"
        )
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def encode_entry(entry: bytes) -> bytes:
    """One entry of a bundle: big-endian uint16 length, then the entry."""
    try:
        return len(entry).to_bytes(_LENGTH_BYTES, "big") + entry
    except OverflowError:
        raise Malformed("an entry is longer than 65,535 bytes", code="entry-size") from None


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle."""
    return b"".join(map(encode_entry, entries))


def decode_bundle(tile: Tile, data: bytes) -> tuple[bytes, ...]:
    """The entries of a bundle; `Unverified` unless there are exactly `tile.width` of them."""
    ends = _entry_ends(tile, data)
    if len(ends) != tile.width or ends[-1] != len(data):
        raise Unverified(f"{tile.path} does not hold {tile.width} whole entries", code="tile-size")
    starts = (0, *ends)
    return tuple(
        data[start + _LENGTH_BYTES : end] for start, end in zip(starts, ends, strict=False)
    )


def clip(tile: Tile, whole: Tile, data: bytes) -> bytes:
    """The bytes of a partial tile, cut from those of a wider tile at the same place."""
    if tile.level is not None:
        decode_hashes(whole, data)
        return data[: tile.width * HASH_BYTES]
    ends = _entry_ends(whole, data)
    if len(ends) < tile.width:
        raise Unverified(f"{whole.path} holds only {len(ends)} entries", code="tile-size")
    return data[: ends[tile.width - 1]]


def _grown(level: int | None, old_count: int, new_count: int) -> Iterator[Tile]:
    """The tiles of one tree that growth from `old_count` to `new_count` hashes writes."""
    if old_count == new_count:
        return
    full = new_count // FULL_WIDTH
    for index in range(old_count // FULL_WIDTH, full):
        yield Tile(level, index)
    if new_count % FULL_WIDTH:
        yield Tile(level, full, new_count % FULL_WIDTH)


def _entry_ends(tile: Tile, data: bytes) -> list[int]:
    """Where each entry ends, as far as whole entries go; at most 256 of them."""
    ends: list[int] = []
    at = 0
    while at < len(data) and len(ends) <= FULL_WIDTH:
        end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        if end > len(data):
            raise Unverified(f"{tile.path} ends inside entry {len(ends)}", code="tile-size")
        ends.append(end)
        at = end
    return ends


def _index_path(index: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
