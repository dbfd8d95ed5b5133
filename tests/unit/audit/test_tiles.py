from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.tiles import (
    FULL_WIDTH,
    Tile,
    clip,
    decode_bundle,
    decode_hashes,
    encode_bundle,
    encode_hashes,
    parse_tile_path,
    tiles_between,
    tiles_of,
)
from dataspace.errors import Malformed, Unverified

TILES = st.builds(
    Tile,
    st.none() | st.integers(0, 63),
    st.integers(0, 2**63 - 1),
    st.integers(1, FULL_WIDTH),
)
BUNDLES = st.lists(st.binary(max_size=40), min_size=1, max_size=FULL_WIDTH)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(63, 0, 255), "tile/63/000.p/255"),
        (Tile(None, 999, 1), "tile/entries/999.p/1"),
        (Tile(None, 1000), "tile/entries/x001/000"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_tile_path(path) == tile


@given(TILES)
def test_every_tile_is_found_again_by_its_path(tile: Tile) -> None:
    assert parse_tile_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/ entries/000",
        "tile/Entries/000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/X001/002",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1.p/1",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/0/٠٠٠",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/8/x999/x999/x999/x999/x999/x999/999",
    ],
)
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(Malformed):
        parse_tile_path(path)


@pytest.mark.parametrize(
    ("level", "index", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
)
def test_a_tile_out_of_range_cannot_exist(level: int, index: int, width: int) -> None:
    with pytest.raises(Malformed):
        Tile(level, index, width)


def test_a_log_of_70000_has_the_tiles_of_the_specification() -> None:
    tiles = list(tiles_of(70_000))
    hashes = [tile for tile in tiles if tile.level is not None]
    assert sum(tile.level == 0 and tile.is_full for tile in hashes) == 273
    assert sum(tile.level == 1 and tile.is_full for tile in hashes) == 1
    assert [tile for tile in hashes if not tile.is_full] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert sum(tile.level is None for tile in tiles) == 274


def test_a_log_of_256_has_a_full_tile_and_one_hash_above() -> None:
    assert list(tiles_of(256)) == [Tile(None, 0), Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_growing_writes_just_what_the_larger_log_lacks(one: int, other: int) -> None:
    old, new = sorted((one, other))
    assert set(tiles_between(old, new)) == set(tiles_of(new)) - set(tiles_of(old))


def test_a_log_does_not_shrink() -> None:
    with pytest.raises(Malformed):
        list(tiles_between(2, 1))


@given(BUNDLES)
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    tile = Tile(None, 0, len(entries))
    assert decode_bundle(tile, encode_bundle(entries)) == tuple(entries)


@given(BUNDLES, st.data())
def test_a_partial_bundle_is_the_beginning_of_the_wider_one(
    entries: list[bytes], data: st.DataObject
) -> None:
    width = data.draw(st.integers(1, len(entries)))
    whole = Tile(None, 7, len(entries))
    assert clip(Tile(None, 7, width), whole, encode_bundle(entries)) == encode_bundle(
        entries[:width]
    )


def test_an_entry_length_is_big_endian() -> None:
    assert encode_bundle([b"", b"a" * 258])[:5] == b"\x00\x00\x01\x02a"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\x00\x01", b"\x00\x01a", b"\x00\x01a\x00\x01b\x00\x00", b"\x00\x01a\xff"],
)
def test_a_bundle_that_does_not_hold_its_width_is_refused(data: bytes) -> None:
    with pytest.raises(Unverified, match=r"tile/entries/000\.p/2"):
        decode_bundle(Tile(None, 0, 2), data)


def test_an_entry_beyond_uint16_is_refused() -> None:
    with pytest.raises(Malformed):
        encode_bundle([bytes(65_536)])


@pytest.mark.parametrize("length", [0, 32, 63, 65, 96])
def test_a_hash_tile_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(Unverified, match=r"tile/0/000\.p/2"):
        decode_hashes(Tile(0, 0, 2), bytes(length))


def test_a_hash_tile_gives_its_hashes_back() -> None:
    hashes = tuple(bytes([number]) * 32 for number in range(3))
    assert decode_hashes(Tile(0, 0, 3), encode_hashes(hashes)) == hashes
    assert clip(Tile(0, 0, 2), Tile(0, 0, 3), encode_hashes(hashes)) == encode_hashes(hashes[:2])


def test_a_partial_tile_is_not_cut_from_a_narrower_one() -> None:
    with pytest.raises(Unverified):
        clip(Tile(None, 0, 2), Tile(None, 0), encode_bundle([b"a"]))
    with pytest.raises(Unverified):
        clip(Tile(0, 0, 2), Tile(0, 0), bytes(32))
