from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint, verify_checkpoint
from dataspace.audit.durable import DurableDirectory
from dataspace.audit.merkle import leaf_hash, root_of
from dataspace.audit.notes import Note, NoteSignature, parse_note
from dataspace.audit.publishing import Publisher
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import Tile
from dataspace.audit.verify import verify_log
from dataspace.errors import Malformed, Unavailable, Unverified

from .disk import Disk
from .samples import (
    KEY,
    ORIGIN,
    OTHER_PRIVATE_KEY,
    PRIVATE_KEY,
    entry,
    new_log,
    reopen,
    write_batched,
    write_log,
)


def cosigned(text: str, *witnesses: str, stamp: bytes = b"1") -> str:
    """The note with lines that look like cosignatures; nobody here verifies them."""
    note = parse_note(text)
    lines = [
        NoteSignature(each, hashlib.sha256(each.encode()).digest()[:4], stamp * 72)
        for each in witnesses
    ]
    return Note(note.text, (*note.signatures, *lines)).to_text()


def names(text: str | None) -> list[str]:
    assert text is not None
    return [each.name for each in parse_note(text).signatures]


# --- the lag ---------------------------------------------------------------------------------


def test_publishing_waits_until_the_files_hold_what_was_acknowledged(tmp_path: Path) -> None:
    with new_log(tmp_path / "log") as log:
        for number in range(300):
            log.append(entry(number))
            if number % 50 == 0:
                log.publish()
                assert DirectoryReader(tmp_path / "log").checkpoint() == log.checkpoint_text
                assert verify_log(DirectoryReader(tmp_path / "log"), KEY).size == number + 1


def test_an_entry_gets_into_the_files_without_anyone_waiting(tmp_path: Path) -> None:
    with new_log(tmp_path / "log") as log:
        for number in range(3):
            log.append(entry(number))
        deadline = time.monotonic() + 10
        while DirectoryReader(tmp_path / "log").checkpoint() != log.checkpoint_text:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_entries_proofs_and_tiles_are_there_before_the_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "offer", lambda *_: None)
    with new_log(tmp_path / "log") as log:
        for done in [log.submit(entry(number)) for number in range(70 * 256 + 5)]:
            done.result()
        assert DirectoryReader(tmp_path / "log").checkpoint().splitlines()[1] == "0"
        leaves = [leaf_hash(entry(number)) for number in range(log.size)]
        assert log.root == root_of(leaves)
        for number in (0, 255, 256, log.size - 1):
            assert log.read_entry(number) == entry(number)
            assert log.prove_inclusion(number, log.size)
        assert log.tile_bytes(Tile(0, 0)) == b"".join(leaves[:256])
        assert log.tile_bytes(Tile(0, 0, 3)) == b"".join(leaves[:3])
        assert log.tile_bytes(Tile(0, 70, 5)) == b"".join(leaves[-5:])
        assert log.tile_bytes(Tile(1, 0, 70)) == b"".join(
            root_of(leaves[at * 256 : at * 256 + 256]) for at in range(70)
        )
    assert verify_log(DirectoryReader(tmp_path / "log"), KEY).size == 70 * 256 + 5


def test_a_hash_tile_of_a_reopened_log_is_that_of_its_file(tmp_path: Path) -> None:
    write_batched(tmp_path / "log", 600)
    with reopen(tmp_path / "log") as log:
        for tile in (Tile(0, 0), Tile(0, 1), Tile(0, 2, 88), Tile(1, 0, 2)):
            assert log.tile_bytes(tile) == (tmp_path / "log" / tile.path).read_bytes()
        for tile in (Tile(0, 2), Tile(0, 2, 89), Tile(1, 0, 3), Tile(2, 0, 1), Tile(None, 0)):
            with pytest.raises(Malformed):
                log.tile_bytes(tile)


def test_files_that_cannot_be_written_stop_the_log_but_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = new_log(tmp_path / "log")
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "offer", lambda *_: None)
        log.append(entry(0))
        Disk(patch, 0)
        with pytest.raises(Unavailable, match="open it again"):
            log.publish()
        with pytest.raises(Unavailable, match="open it again"):
            log.append(entry(1))
    log.close()
    with reopen(tmp_path / "log") as log:
        assert log.size == 1
    assert verify_log(DirectoryReader(tmp_path / "log"), KEY).size == 1


def test_a_log_that_cannot_publish_takes_nothing_more_though_its_journal_could(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with new_log(tmp_path / "log") as log:
        empty = log.checkpoint_text
        monkeypatch.setattr(DurableDirectory, "write", fail)
        log.append(entry(0))
        with pytest.raises(Unavailable, match="quota exceeded"):
            log.publish()
        with pytest.raises(Unavailable, match="quota exceeded"):
            log.append(entry(1))
        with pytest.raises(Unavailable, match="quota exceeded"):
            log.attach_cosignatures(cosigned(log.checkpoint_text, "w1"))
        monkeypatch.undo()
        with pytest.raises(Unavailable, match="quota exceeded"):
            log.attach_cosignatures(cosigned(empty, "w1"))
    with reopen(tmp_path / "log") as log:
        assert log.read_entry(0) == entry(0)
        assert log.size == 1


# --- cosignatures ------------------------------------------------------------------------------


def test_a_cosigned_checkpoint_is_public_as_long_as_it_is_the_latest(tmp_path: Path) -> None:
    reader = DirectoryReader(tmp_path / "log")
    with new_log(tmp_path / "log", 3) as log:
        assert reader.cosigned() is None
        note = cosigned(log.checkpoint_text, "w1", "w2")
        log.attach_cosignatures(note)
        assert reader.checkpoint() == reader.cosigned() == note
        assert verify_log(reader, KEY).size == 3
        log.append(entry(3))
        log.publish()
        assert reader.cosigned() == note
        assert reader.checkpoint() == log.checkpoint_text
    with reopen(tmp_path / "log") as log:
        assert log.append(entry(4)).size == 5


def test_an_earlier_checkpoint_is_cosigned_without_touching_the_latest(tmp_path: Path) -> None:
    reader = DirectoryReader(tmp_path / "log")
    with new_log(tmp_path / "log", 3) as log:
        earlier = log.checkpoint_text
        log.append(entry(3))
        log.publish()
        log.attach_cosignatures(cosigned(earlier, "w1"))
        assert verify_checkpoint(reader.cosigned() or "", KEY).size == 3
        assert reader.checkpoint() == log.checkpoint_text


def test_cosignatures_of_one_checkpoint_add_up_and_newer_ones_replace_theirs(
    tmp_path: Path,
) -> None:
    reader = DirectoryReader(tmp_path / "log")
    with new_log(tmp_path / "log", 3) as log:
        log.attach_cosignatures(cosigned(log.checkpoint_text, "w1", "w2"))
        again = cosigned(log.checkpoint_text, "w3", "w1", stamp=b"2")
        log.attach_cosignatures(again)
        assert names(reader.cosigned()) == [ORIGIN, "w3", "w1", "w2"]
        assert (reader.cosigned() or "").startswith(again)
        assert reader.checkpoint() == reader.cosigned()


def test_an_older_cosigned_checkpoint_does_not_replace_a_later_one(tmp_path: Path) -> None:
    reader = DirectoryReader(tmp_path / "log")
    with new_log(tmp_path / "log", 3) as log:
        earlier = log.checkpoint_text
        log.append(entry(3))
        log.attach_cosignatures(cosigned(log.checkpoint_text, "w1"))
        log.attach_cosignatures(cosigned(earlier, "w1", "w2"))
        assert verify_checkpoint(reader.cosigned() or "", KEY).size == 4
        assert names(reader.checkpoint()) == [ORIGIN, "w1"]


def test_a_note_of_another_history_log_or_key_is_not_published(tmp_path: Path) -> None:
    with new_log(tmp_path / "log", 3) as log:
        root = root_of([leaf_hash(entry(number)) for number in (0, 1, 7)])
        ahead = Checkpoint(ORIGIN, 4, root)
        for text in (
            sign_checkpoint(Checkpoint(ORIGIN, 3, root), PRIVATE_KEY),
            sign_checkpoint(ahead, PRIVATE_KEY),
            sign_checkpoint(log.checkpoint, OTHER_PRIVATE_KEY),
            sign_checkpoint(Checkpoint("gba.example/macao/node", 3, log.root), PRIVATE_KEY),
        ):
            with pytest.raises(Unverified):
                log.attach_cosignatures(cosigned(text, "w1"))
        assert DirectoryReader(tmp_path / "log").cosigned() is None


def test_a_log_older_than_its_cosigned_checkpoint_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 3)
    shutil.copytree(tmp_path / "log", tmp_path / "older")
    with reopen(tmp_path / "log") as log:
        log.append(entry(3))
        log.attach_cosignatures(cosigned(log.checkpoint_text, "w1"))
    shutil.copy(tmp_path / "log/checkpoint.cosigned", tmp_path / "older")
    with pytest.raises(Unverified, match="restore the newer checkpoint"):
        reopen(tmp_path / "older")
    with new_log(tmp_path / "fork", 2) as log:
        for number in (7, 8, 9):
            log.append(entry(number))
    shutil.copy(tmp_path / "log/checkpoint.cosigned", tmp_path / "fork")
    with pytest.raises(Unverified, match="not those that witnesses cosigned"):
        reopen(tmp_path / "fork")


def test_cosigning_while_the_log_grows_leaves_a_whole_log_at_every_moment(tmp_path: Path) -> None:
    reader = DirectoryReader(tmp_path / "log")
    with new_log(tmp_path / "log", 1) as log:
        growing = threading.Thread(target=lambda: [log.append(entry(n)) for n in range(1, 400)])
        growing.start()
        while growing.is_alive():
            log.attach_cosignatures(cosigned(log.checkpoint_text, "w1"))
            seen = verify_checkpoint(reader.cosigned() or "", KEY)
            verify_log(reader, KEY, seen=seen)
        growing.join()


def test_a_closed_log_is_not_cosigned(tmp_path: Path) -> None:
    log = new_log(tmp_path / "log", 1)
    log.close()
    with pytest.raises(Unavailable):
        log.attach_cosignatures(cosigned(log.checkpoint_text, "w1"))
    assert DirectoryReader(tmp_path / "log").cosigned() is None
