"""Public copies of logs: what follows is taken, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.mirrors import COSIGNED, MOST_TILES, Mirror
from dataspace.audit.entries import Entry
from dataspace.audit.merkle import leaf_hash, verify_inclusion
from dataspace.audit.notes import verifier_key
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import LogStore
from dataspace.audit.tiles import Tile, tiles_between, tiles_of
from dataspace.audit.verify import Entries, verify_log
from dataspace.errors import DataspaceError, Malformed, Unverified

ORIGIN = "test.log/macao"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = verifier_key(ORIGIN, KEY)


def a_log(folder: Path, size: int, tag: str = "a") -> LogStore:
    log = LogStore.create(folder, ORIGIN, KEY)
    grow(log, size, tag)
    return log


def grow(log: LogStore, count: int, tag: str = "a") -> None:
    waiting = [log.submit(Entry("test.entry", n, {"tag": tag})) for n in range(count)]
    for each in waiting:
        each.result()


def tiles_for(log: LogStore, old_size: int) -> dict[str, bytes]:
    """What a copy of `old_size` entries lacks."""
    grown = [tile for tile in tiles_between(old_size, log.size) if tile.level is not None]
    return {tile.path: log.tile_bytes(tile) for tile in grown}


def hand_over(mirror: Mirror, log: LogStore) -> None:
    mirror.take(mirror.size, tiles_for(log, mirror.size), log.checkpoint_text)


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirror", VKEY)


@pytest.mark.parametrize("steps", [(1,), (3, 4), (255, 1, 1), (256, 256), (700,), (1, 300, 500)])
def test_a_copy_is_the_log_without_its_entries(
    tmp_path: Path, mirror: Mirror, steps: tuple[int, ...]
) -> None:
    with a_log(tmp_path / "log", 0) as log:
        for count in steps:
            grow(log, count)
            hand_over(mirror, log)
            assert mirror.size == log.size
        for tile in tiles_of(log.size):
            file = mirror.directory / tile.path
            if tile.level is None:
                assert not file.exists()
            else:
                assert file.read_bytes() == log.tile_bytes(tile)
        verify_log(DirectoryReader(mirror.directory), VKEY, entries=Entries.ABSENT)
        again = Mirror(mirror.directory, VKEY)
        assert again.size == log.size
        index = log.size // 2
        path = again.prove_inclusion(index, log.size)
        verify_inclusion(index, log.size, leaf_hash(log.read_entry(index)), path, log.root)


def test_an_update_may_come_in_pieces(tmp_path: Path, mirror: Mirror) -> None:
    with a_log(tmp_path / "log", 600) as log:
        tiles = list(tiles_for(log, 0).items())
        mirror.take(0, dict(tiles[:2]), "")
        assert mirror.size == 0
        mirror.take(0, dict(tiles[2:]), log.checkpoint_text)
        assert mirror.size == 600


def test_another_history_is_refused_and_the_copy_stays(tmp_path: Path, mirror: Mirror) -> None:
    with a_log(tmp_path / "one", 300) as log:
        hand_over(mirror, log)
    before = {file: file.read_bytes() for file in files(mirror.directory)}
    with a_log(tmp_path / "other", 300, "b") as fork:
        with pytest.raises(Unverified):
            mirror.take(300, {}, fork.checkpoint_text)
        grow(fork, 30, "b")
        with pytest.raises(DataspaceError):
            mirror.take(300, tiles_for(fork, 300), fork.checkpoint_text)
    with a_log(tmp_path / "short", 299) as short, pytest.raises(Unverified) as caught:
        mirror.take(300, {}, short.checkpoint_text)
    assert caught.value.code == "log-truncated"
    assert {file: file.read_bytes() for file in files(mirror.directory)} == before


def test_anothers_checkpoint_is_refused(tmp_path: Path, mirror: Mirror) -> None:
    other = Ed25519PrivateKey.generate()
    with LogStore.create(tmp_path / "log", ORIGIN, other) as log:
        grow(log, 3)
        with pytest.raises(Unverified):
            hand_over(mirror, log)
    assert mirror.size == 0


def test_entries_full_tiles_again_and_wrong_lengths_are_refused(
    tmp_path: Path, mirror: Mirror
) -> None:
    with a_log(tmp_path / "log", 300) as log:
        hand_over(mirror, log)
        full = log.tile_bytes(Tile(0, 0))
        for path, data in [
            ("tile/entries/000", b"x"),
            ("tile/0/000", full),
            ("tile/0/001.p/45", full[:32]),
            ("tile/0/../../../etc/x", full),
            ("checkpoint", full),
        ]:
            with pytest.raises(DataspaceError):
                mirror.take(300, {path: data}, "")


def test_a_missing_tile_and_a_wrong_size_are_named(tmp_path: Path, mirror: Mirror) -> None:
    with a_log(tmp_path / "log", 300) as log:
        tiles = tiles_for(log, 0)
        tiles.pop("tile/0/001.p/44")
        with pytest.raises(Malformed) as caught:
            mirror.take(0, tiles, log.checkpoint_text)
        assert "tile/0/001.p/44" in caught.value.message
        with pytest.raises(Malformed) as caught:
            mirror.take(7, tiles_for(log, 0), log.checkpoint_text)
        assert caught.value.code == "mirror-size"
        hand_over(mirror, log)
        assert mirror.size == 300


def test_an_update_has_a_bound(mirror: Mirror) -> None:
    tiles = {f"tile/0/x001/{number:03}": bytes(8192) for number in range(MOST_TILES + 1)}
    with pytest.raises(Malformed):
        mirror.take(0, tiles, "")


@pytest.mark.parametrize("victim", ["checkpoint", "tile/0/000", "tile/0/001.p/44"])
def test_a_copy_that_was_changed_is_thrown_away_and_made_anew(
    tmp_path: Path, mirror: Mirror, victim: str
) -> None:
    with a_log(tmp_path / "log", 300) as log:
        hand_over(mirror, log)
        file = mirror.directory / victim
        file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
        again = Mirror(mirror.directory, VKEY)
        if victim != "tile/0/000":  # a full tile is read, and checked, when it is proved from
            assert again.size == 0
            hand_over(again, log)
            assert again.size == 300
        else:
            with pytest.raises(Unverified):
                again.prove_inclusion(0, 300)


def test_a_cosigned_checkpoint_of_another_history_is_refused(
    tmp_path: Path, mirror: Mirror
) -> None:
    with a_log(tmp_path / "log", 30) as log:
        hand_over(mirror, log)
        mirror.put_cosigned(log.checkpoint_text)
        assert (mirror.directory / COSIGNED).read_text() == log.checkpoint_text
    with a_log(tmp_path / "fork", 20, "b") as fork, pytest.raises(Unverified):
        mirror.put_cosigned(fork.checkpoint_text)
    with a_log(tmp_path / "longer", 31) as longer, pytest.raises(Unverified):
        mirror.put_cosigned(longer.checkpoint_text)


def files(directory: Path) -> list[Path]:
    """Every file of a copy, drafts left out."""
    return sorted(
        file for file in directory.rglob("*") if file.is_file() and "staging" not in file.parts
    )


def test_a_short_log_that_changed_its_past_is_refused(tmp_path: Path, mirror: Mirror) -> None:
    """Of three entries nothing is a full tile that could not be written again."""
    with a_log(tmp_path / "one", 3) as log:
        hand_over(mirror, log)
    with a_log(tmp_path / "other", 5, "b") as fork:
        with pytest.raises(Unverified) as caught:
            mirror.take(3, tiles_for(fork, 0), fork.checkpoint_text)
        assert caught.value.code == "log-fork"
    assert mirror.size == 3


def test_entries_are_not_even_staged(mirror: Mirror) -> None:
    with pytest.raises(Malformed):
        mirror.take(0, {"tile/entries/000.p/3": bytes(96)}, "")
    assert files(mirror.directory) == []


def test_what_waits_for_a_checkpoint_has_a_bound(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.mirrors._MOST_STAGED", 3)
    for number in range(3):
        mirror.take(0, {f"tile/0/x001/{number:03}": bytes(8192)}, "")
    with pytest.raises(Malformed):
        mirror.take(0, {"tile/0/x001/003": bytes(8192)}, "")
