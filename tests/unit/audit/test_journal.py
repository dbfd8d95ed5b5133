"""Logs whose process ended with entries in the journal alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.journal import Journal, read_journal
from dataspace.audit.merkle import leaf_hash, root_of
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.records import Record, decode_segment, encode_record
from dataspace.audit.verify import verify_log
from dataspace.errors import Unverified

from .disk import Disk
from .samples import (
    KEY,
    ORIGIN,
    OTHER_PRIVATE_KEY,
    PRIVATE_KEY,
    acknowledge_only,
    entry,
    new_log,
    reopen,
    write_log,
)


@pytest.fixture
def crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two entries published, three more in the journal."""
    write_log(tmp_path / "log", 2)
    acknowledge_only(tmp_path / "log", tmp_path / "crashed", range(2, 5), monkeypatch)
    return tmp_path / "crashed"


def segment(directory: Path) -> Path:
    (path,) = (directory / "journal").iterdir()
    return path


def journal_files(directory: Path) -> list[Path]:
    return list((directory / "journal").iterdir())


def signed(record: Record, *, other: bool = False) -> Record:
    """The record with a checkpoint that is right for the log of `entry(0)…` and its entries."""
    leaves = [leaf_hash(entry(number)) for number in range(record.old_size)]
    root = root_of([*leaves, *map(leaf_hash, record.entries)])
    key = OTHER_PRIVATE_KEY if other else PRIVATE_KEY
    text = sign_checkpoint(Checkpoint(ORIGIN, record.size, root), key)
    return Record(record.old_size, text, record.entries)


def test_what_the_journal_holds_is_in_the_files_once_the_log_is_open(crashed: Path) -> None:
    assert verify_log(DirectoryReader(crashed), KEY).size == 2
    with reopen(crashed) as log:
        assert log.size == 5
        assert verify_log(DirectoryReader(crashed), KEY).size == 5
        assert list((crashed / "journal").iterdir()) == []
        assert log.append(entry(5)).index == 5
    assert list((crashed / "journal").iterdir()) == []


def test_a_journal_that_is_published_already_adds_nothing(crashed: Path, tmp_path: Path) -> None:
    kept = segment(crashed).read_bytes()
    reopen(crashed).close()
    (crashed / "journal" / f"{2:019d}").write_bytes(kept)
    with reopen(crashed) as log:
        assert log.size == 5


def test_a_journal_of_another_history_than_the_files_is_refused(crashed: Path) -> None:
    reopen(crashed).close()
    other = signed(Record(2, "", (entry(7), entry(8))))
    (crashed / "journal" / f"{2:019d}").write_bytes(encode_record(other))
    with pytest.raises(Unverified, match="was changed after entry 2"):
        reopen(crashed)


def test_a_segment_that_was_only_begun_is_no_harm(crashed: Path) -> None:
    for begun in (b"", bytes(1000)):
        (crashed / "journal" / f"{5:019d}").write_bytes(begun)
        with reopen(crashed) as log:
            assert log.size == 5


def test_a_changed_journal_is_refused_in_words(crashed: Path) -> None:
    file = segment(crashed)
    good = file.read_bytes()
    first, second, third = decode_segment("s", good)
    forged = Record(2, first.checkpoint_text, (entry(9),))
    journals = {
        "lacks the entries from 2": [second, third],
        "lacks the entries from 3": [first, third],
        "was changed after entry 2": [forged, second, third],
        "is not signed by": [signed(first, other=True), second, third],
        "was changed after entry 3": [first, Record(3, third.checkpoint_text, second.entries)],
        "does not fit the public checkpoint": [signed(Record(1, "", (entry(1), entry(2))))],
    }
    for words, records in journals.items():
        file.unlink()
        file = file.with_name(f"{records[0].old_size:019d}")
        file.write_bytes(b"".join(map(encode_record, records)).ljust(len(good), b"\0"))
        with pytest.raises(Unverified, match=words):
            reopen(crashed)


def test_a_changed_journal_is_left_as_it_was_found(crashed: Path) -> None:
    file = segment(crashed)
    file.write_bytes(file.read_bytes().replace(b"decided", b"refused", 1))
    before = {path: path.read_bytes() for path in crashed.rglob("*") if path.is_file()}
    with pytest.raises(Unverified, match="was changed"):
        reopen(crashed)
    assert {path: path.read_bytes() for path in crashed.rglob("*") if path.is_file()} == before


def test_a_strange_file_in_the_journal_is_refused(crashed: Path) -> None:
    (crashed / "journal/notes.txt").touch()
    with pytest.raises(Unverified, match="move it away"):
        reopen(crashed)


def test_two_histories_are_refused(crashed: Path, tmp_path: Path) -> None:
    """Tiles beyond the checkpoint that are not those of the journal."""
    other = tmp_path / "other"
    with new_log(other, 2) as log:
        for number in (7, 8, 9):
            log.append(entry(number))
    shutil.copy(other / "tile/0/000.p/5", crashed / "tile/0/000.p/5")
    with pytest.raises(Unverified, match="does not hold what the journal does"):
        reopen(crashed)


def test_a_long_journal_is_cut_while_the_log_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataspace.audit.journal.SEGMENT_BYTES", 4096)
    monkeypatch.setattr("dataspace.audit.store._MAX_JOURNAL_BYTES", 16384)
    with new_log(tmp_path / "log") as log:
        for number in range(2000):
            log.submit(entry(number))
        log.append(entry(2000))
        log.publish()
        log.append(entry(2001))
        log.publish()
        deadline = time.monotonic() + 10
        while len(journal_files(tmp_path / "log")) > 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert verify_log(DirectoryReader(tmp_path / "log"), KEY).size == 2002


def test_a_log_makes_its_next_segment_ready_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataspace.audit.journal.SEGMENT_BYTES", 2048)
    with new_log(tmp_path / "log", 3) as log:
        log.publish()
        deadline = time.monotonic() + 10
        while log._journal._spare is None:  # its file is there before it is durable
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(journal_files(tmp_path / "log")) == 2
        with monkeypatch.context() as patch:
            patch.setattr("dataspace.audit.publishing.Publisher.offer", lambda *_: None)
            disk = Disk(patch)
            log.append(entry(3))
            log.append(entry(4))
        assert "fsync" not in [what for what, _ in disk.calls]


def test_a_journal_does_not_grow_beyond_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataspace.audit.journal.SEGMENT_BYTES", 2048)
    monkeypatch.setattr("dataspace.audit.store._MAX_JOURNAL_BYTES", 8192)
    monkeypatch.setattr("dataspace.audit.publishing.Publisher.offer", lambda *_: None)
    with new_log(tmp_path / "log") as log:
        for number in range(60):
            log.append(entry(number))
            assert _bytes_of(journal_files(tmp_path / "log")) <= 12288


def _bytes_of(files: Sequence[Path]) -> int:
    """Their sizes; the publisher may cut one away meanwhile."""
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def test_the_next_segment_is_ready_before_the_present_one_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append(signed(Record(0, "", (entry(0),))))
    journal.prepare()
    assert len(journal_files(tmp_path)) == 1
    large = tuple(b'{"%d":"%s"}' % (number, b"x" * 50_000) for number in range(12))
    journal.append(signed(Record(1, "", large)))
    for _ in range(2):
        journal.prepare()
    assert len(journal_files(tmp_path)) == 2
    journal.append(signed(Record(13, "", large)))
    assert len(journal_files(tmp_path)) == 2
    journal.prepare()
    with monkeypatch.context() as patch:  # more than the prepared one can take
        disk = Disk(patch)
        journal.append(signed(Record(25, "", large * 3)))
        assert [what for what, _ in disk.calls if what == "fsync"]
    journal.cut(24)
    assert len(journal_files(tmp_path)) == 2
    assert [record.size for record in read_journal(tmp_path)] == [25, 61]
    journal.close()


def test_a_cut_leaves_every_record_beyond_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataspace.audit.journal.SEGMENT_BYTES", 1024)
    journal = Journal(tmp_path)
    records = [signed(Record(number, "", (entry(number),))) for number in range(20)]
    for record in records:
        journal.append(record)
    assert read_journal(tmp_path) == tuple(records)
    length = journal.length
    for size in range(21):
        journal.cut(size)
        left = read_journal(tmp_path)
        assert left[-len(records[size:]) :] == tuple(records[size:]) or size == 20
        assert len(left) <= len(records) - size + 2
    assert journal.length == 1024 < length
    journal.close()
