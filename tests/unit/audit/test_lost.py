"""A log that lost entries with its disk says which, keeps its history, and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataspace.audit.entries import Entry
from dataspace.audit.following import read_run
from dataspace.audit.lost import KIND, LOST, declaration
from dataspace.audit.notes import verifier_key
from dataspace.audit.quorum import Quorum
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import RESTORED
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle, encode_bundle, tiles_of
from dataspace.audit.verify import Entries, verify_log
from dataspace.backup.catching_up import fill_up
from dataspace.errors import Unavailable, Unverified
from tests.unit.audit.samples import (
    KEY,
    ORIGIN,
    OTHER_PRIVATE_KEY,
    entry,
    reopen,
    write_batched,
)

NOBODY = Quorum(KEY, "hongkong", {}, 2)


class PublicCopy(DirectoryReader):
    """What a broker serves of a log: no entries, and never one."""

    def read(self, tile: Tile) -> bytes:
        assert tile.level is not None
        return super().read(tile)

    def cosigned(self) -> str | None:
        return None


def older_and_newer(folder: Path, old: int, new: int) -> tuple[Path, Path]:
    """A log as a backup has it, and as it was when its disk was lost."""
    write_batched(folder / "old", old)
    shutil.copytree(folder / "old", folder / "new")
    with reopen(folder / "new") as log:
        for done in [log.submit(entry(number)) for number in range(old, new)]:
            done.result()
    return folder / "old", folder / "new"


def declare(directory: Path, first: int) -> None:
    with reopen(directory) as log:
        log.append(Entry(KIND, 1, declaration(first, log.size)))


@pytest.mark.parametrize(
    ("old", "new"), [(0, 3), (3, 4), (250, 256), (250, 257), (256, 600), (300, 300), (511, 1025)]
)
def test_a_log_that_is_filled_up_from_its_public_copy_goes_on_as_the_same_history(
    tmp_path: Path, old: int, new: int
) -> None:
    restored, lost = older_and_newer(tmp_path, old, new)
    assert fill_up(restored, KEY, NOBODY, PublicCopy(lost)) == new
    assert fill_up(restored, KEY, NOBODY, PublicCopy(lost)) == new
    declare(restored, old)
    with reopen(restored) as log:
        for number in range(new, new + 300):
            log.append(entry(number))
        assert read_run(log, DirectoryReader(restored), 0, new)[old:] == [LOST] * (new - old)
        if new > old:
            with pytest.raises(Unavailable) as caught:
                log.read_entry(old)
            assert caught.value.code == "entry-lost"
        assert log.read_entry(new + 1) == entry(new)
    # It extends every checkpoint that anybody has of the log that was lost.
    with reopen(lost) as log:
        seen = log.checkpoint
    verified = verify_log(DirectoryReader(restored), KEY, seen=seen)
    assert (verified.size, verified.lost) == (new + 301, new - old)
    assert verified.entries_checked == verified.size - verified.lost


def test_an_entry_that_is_missing_without_a_word_is_not_lost_but_hidden(tmp_path: Path) -> None:
    restored, lost = older_and_newer(tmp_path, 5, 9)
    fill_up(restored, KEY, NOBODY, PublicCopy(lost))
    with pytest.raises(Unverified) as caught:
        verify_log(DirectoryReader(restored), KEY)
    assert caught.value.code == "entry-missing"
    declare(restored, 5)
    assert verify_log(DirectoryReader(restored), KEY).lost == 4
    hide(restored, 2)
    with pytest.raises(Unverified) as caught:
        verify_log(DirectoryReader(restored), KEY)
    assert caught.value.code == "entry-missing"


@pytest.mark.parametrize(
    "fields",
    [{"lost_from": 1, "lost_until": 9}, {"lost_from": -1, "lost_until": 5}, {"lost_until": 5}],
)
def test_a_declaration_covers_only_what_comes_right_before_it(
    tmp_path: Path, fields: dict[str, int]
) -> None:
    write_batched(tmp_path / "log", 5)
    with reopen(tmp_path / "log") as log:
        log.append(Entry(KIND, 1, fields))
    hide(tmp_path / "log", 2)
    with pytest.raises(Unverified):
        verify_log(DirectoryReader(tmp_path / "log"), KEY)


def test_logs_of_others_have_no_lost_entries(tmp_path: Path) -> None:
    restored, lost = older_and_newer(tmp_path, 5, 9)
    fill_up(restored, KEY, NOBODY, PublicCopy(lost))
    declare(restored, 5)
    with pytest.raises(Unverified):
        verify_log(DirectoryReader(restored), KEY, entries=Entries.HASHED)
    assert verify_log(DirectoryReader(restored), KEY, entries=Entries.ABSENT).size == 10


def test_a_copy_of_another_history_fills_nothing_up(tmp_path: Path) -> None:
    restored, lost = older_and_newer(tmp_path, 5, 9)
    before = DirectoryReader(restored).checkpoint()
    other = tmp_path / "other"
    shutil.copytree(restored, other)
    with reopen(other) as log:
        log.append(b'{"at_ms":1,"fields":{},"kind":"other.history"}')
    shutil.rmtree(restored)
    write_batched(restored, 5)
    with reopen(restored) as log:
        log.append(entry(77))
        mine = log.checkpoint_text
    with pytest.raises(Unverified) as caught:  # both have the first five
        fill_up(restored, KEY, NOBODY, PublicCopy(lost))
    assert caught.value.code == "log-fork"
    assert DirectoryReader(restored).checkpoint() == mine != before


def test_a_copy_that_changed_a_hash_or_has_another_key_fills_nothing_up(tmp_path: Path) -> None:
    restored, lost = older_and_newer(tmp_path, 5, 9)
    foreign = verifier_key(ORIGIN, OTHER_PRIVATE_KEY)
    with pytest.raises(Unverified):
        fill_up(restored, foreign, NOBODY, PublicCopy(lost))
    tile = lost / Tile(0, 0, 9).path
    data = bytearray(tile.read_bytes())
    data[7 * 32] ^= 1
    tile.write_bytes(data)
    with pytest.raises(Unverified):
        fill_up(restored, KEY, NOBODY, PublicCopy(lost))
    assert verify_log(DirectoryReader(restored), KEY).size == 5


@pytest.mark.parametrize("files", range(1, 8))
def test_filling_up_that_was_cut_short_is_done_again(tmp_path: Path, files: int) -> None:
    restored, lost = older_and_newer(tmp_path, 250, 600)
    whole = tmp_path / "whole"
    shutil.copytree(restored, whole)
    fill_up(whole, KEY, NOBODY, PublicCopy(lost))
    # As far as it came: some tiles, and no checkpoint.
    for tile in list(tiles_of(600))[:files]:
        (restored / tile.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / tile.path, restored / tile.path)
    assert fill_up(restored, KEY, NOBODY, PublicCopy(lost)) == 600
    declare(restored, 250)
    assert verify_log(DirectoryReader(restored), KEY).lost == 350


def test_a_log_that_was_put_back_takes_no_entry_until_it_is_confirmed(tmp_path: Path) -> None:
    write_batched(tmp_path / "log", 5)
    (tmp_path / "log" / RESTORED).write_text('{"at_ms": 1, "size": 5}')
    with pytest.raises(Unavailable) as caught:
        reopen(tmp_path / "log")
    assert caught.value.code == "log-restored"
    assert verify_log(DirectoryReader(tmp_path / "log"), KEY).size == 5


def hide(directory: Path, index: int) -> None:
    """Take an entry's bytes away and leave its hash."""
    size = int(DirectoryReader(directory).checkpoint().split("\n")[1])
    bundle = Tile(None, index // FULL_WIDTH, min(FULL_WIDTH, size))
    file = directory / bundle.path
    entries = list(decode_bundle(bundle, file.read_bytes()))
    entries[index % FULL_WIDTH] = LOST
    file.write_bytes(encode_bundle(entries))
    for each in file.parent.iterdir():
        if each != file:
            each.unlink()
