from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dataspace.audit.checkpoints import Checkpoint
from dataspace.audit.entries import Entry
from dataspace.audit.merkle import EMPTY_ROOT, leaf_hash, verify_consistency
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.receipts import verify_receipt
from dataspace.audit.store import Appended, LogStore
from dataspace.audit.verify import verify_log
from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified

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
    run_threads,
    write_batched,
    write_log,
)


def test_every_append_gives_a_receipt_that_verifies(tmp_path: Path) -> None:
    with new_log(tmp_path / "log") as log:
        for number in range(300):
            done = log.append(entry(number))
            assert (done.index, done.size) == (number, number + 1)
            assert done.leaf_hash == leaf_hash(entry(number))
            checkpoint = verify_receipt(
                entry(number), done.index, done.inclusion, done.checkpoint_text, KEY
            )
            assert (checkpoint.size, checkpoint.root) == (log.size, log.root)


def test_a_reopened_log_goes_on_where_it_stopped(tmp_path: Path) -> None:
    new_log(tmp_path / "log").close()
    for number in range(20):
        with reopen(tmp_path / "log") as log:
            assert log.append(entry(number)).index == number
    with reopen(tmp_path / "log") as log:
        assert [log.read_entry(number) for number in range(20)] == [entry(n) for n in range(20)]


@pytest.mark.parametrize("size", [255, 256, 257, 512, 600])
def test_a_reopened_log_proves_its_whole_past(tmp_path: Path, size: int) -> None:
    write_batched(tmp_path / "log", size)
    with reopen(tmp_path / "log") as log:
        old = log.checkpoint
        log.append(entry(size))
        for index in (0, 1, 254, size - 1, size):
            proof = log.prove_inclusion(index, log.size)
            verify_receipt(log.read_entry(index), index, proof, log.checkpoint_text, KEY)
        proof = log.prove_consistency(old.size, log.size)
        verify_consistency(old.size, old.root, log.size, log.root, proof)


def test_a_reader_that_takes_the_checkpoint_first_always_finds_a_whole_log(tmp_path: Path) -> None:
    log = new_log(tmp_path / "log")
    writer = threading.Thread(target=lambda: [log.append(entry(n)) for n in range(300)])
    writer.start()
    seen = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    while writer.is_alive():
        verified = verify_log(DirectoryReader(tmp_path / "log"), KEY, seen=seen)
        seen = Checkpoint(ORIGIN, verified.size, verified.root)
    writer.join()
    log.close()
    assert verify_log(DirectoryReader(tmp_path / "log"), KEY, seen=seen).size == 300


def test_threads_append_together_and_each_gets_its_own_receipt(tmp_path: Path) -> None:
    receipts: dict[int, Appended] = {}

    def work(first: int) -> None:
        for number in range(first, first + 40):
            receipts[number] = log.append(entry(number))

    with new_log(tmp_path / "log") as log:
        run_threads([threading.Thread(target=work, args=(at * 40,)) for at in range(16)])
        assert sorted(done.index for done in receipts.values()) == list(range(640))
        for number, done in receipts.items():
            assert log.read_entry(done.index) == entry(number)
            verify_receipt(entry(number), done.index, done.inclusion, done.checkpoint_text, KEY)
    assert verify_log(DirectoryReader(tmp_path / "log"), KEY).entries_checked == 640


def test_partial_tiles_go_once_their_full_tile_is_there(tmp_path: Path) -> None:
    write_batched(tmp_path / "log", 256)
    assert not (tmp_path / "log/tile/0/000.p").exists()
    assert not (tmp_path / "log/tile/entries/000.p").exists()
    assert (tmp_path / "log/tile/0/000").stat().st_size == 8192
    assert (tmp_path / "log/tile/1/000.p/1").stat().st_size == 32


def test_a_second_opener_is_refused_while_the_first_has_the_log(tmp_path: Path) -> None:
    with new_log(tmp_path / "log", 1):
        with pytest.raises(Unavailable):
            reopen(tmp_path / "log")
        with pytest.raises(DataspaceError):
            new_log(tmp_path / "log")
    reopen(tmp_path / "log").close()


def test_another_process_cannot_open_a_log_in_use(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 1)
    script = (
        "import sys, pathlib\n"
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey\n"
        "from dataspace.audit.store import LogStore\n"
        "from dataspace.errors import Unavailable\n"
        "key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))\n"
        "try:\n"
        "    LogStore.open(pathlib.Path(sys.argv[1]), sys.argv[2], key)\n"
        "except Unavailable:\n"
        "    sys.exit(5)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log"), ORIGIN]
    with reopen(tmp_path / "log"):
        assert subprocess.run(command, check=False).returncode == 5
    assert subprocess.run(command, check=False).returncode == 0


def test_a_log_is_created_once(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 1)
    with pytest.raises(Malformed):
        new_log(tmp_path / "log")
    assert reopen(tmp_path / "log").size == 1


def test_a_log_of_another_origin_or_key_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 1)
    with pytest.raises(Unverified):
        LogStore.open(tmp_path / "log", "gba.example/macao/node", PRIVATE_KEY)
    with pytest.raises(Unverified):
        LogStore.open(tmp_path / "log", ORIGIN, OTHER_PRIVATE_KEY)
    with pytest.raises(Unverified):
        reopen(tmp_path / "nowhere")
    reopen(tmp_path / "log").close()


def test_what_is_no_canonical_entry_is_not_recorded(tmp_path: Path) -> None:
    with new_log(tmp_path / "log", 1) as log:
        with pytest.raises(Unverified):
            log.append(b'{"kind": "a"}')
        assert log.size == 1


def test_what_the_log_does_not_have_is_refused(tmp_path: Path) -> None:
    with new_log(tmp_path / "log", 2) as log:
        for index in (-1, 2):
            with pytest.raises(Malformed):
                log.read_entry(index)
        with pytest.raises(Malformed):
            log.prove_inclusion(0, 3)
        with pytest.raises(Malformed):
            log.prove_consistency(1, 3)


def test_a_closed_log_takes_nothing_more(tmp_path: Path) -> None:
    log = new_log(tmp_path / "log", 1)
    log.close()
    log.close()
    with pytest.raises(Unavailable):
        log.append(entry(1))


def test_a_log_that_could_not_flush_acknowledges_nothing_until_reopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = new_log(tmp_path / "log", 3)
    with monkeypatch.context() as patch:
        Disk(patch, 0, errno.ENOSPC)
        with pytest.raises(Unavailable, match=r"No space left.*open it again"):
            log.append(entry(3))
    with pytest.raises(Unavailable):
        log.append(entry(3))
    assert log.size == 3
    log.close()
    with reopen(tmp_path / "log") as log:
        assert log.append(entry(3)).index == 3


@pytest.mark.parametrize("size", [3, 254, 255, 256])
def test_a_publication_that_stopped_before_its_checkpoint_is_finished_from_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    write_batched(tmp_path / "log", size)
    acknowledge_only(tmp_path / "log", tmp_path / "crashed", range(size, size + 3), monkeypatch)
    for path in (tmp_path / "log/tile").rglob("*"):  # partial tiles go only after the checkpoint
        target = tmp_path / "crashed" / path.relative_to(tmp_path / "log")
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    shutil.copytree(tmp_path / "crashed", tmp_path / "no journal")
    verify_log(DirectoryReader(tmp_path / "crashed"), KEY)
    with reopen(tmp_path / "crashed") as log:
        assert [log.read_entry(each) for each in range(size + 3)] == [
            entry(each) for each in range(size + 3)
        ]
    assert verify_log(DirectoryReader(tmp_path / "crashed"), KEY).size == size + 3
    shutil.rmtree(tmp_path / "no journal/journal")
    with pytest.raises(Unverified, match="restore the newer checkpoint and journal"):
        reopen(tmp_path / "no journal")


@pytest.mark.parametrize("older", [1, 3, 5])
def test_an_older_checkpoint_put_back_over_newer_tiles_is_refused(
    tmp_path: Path, older: int
) -> None:
    write_log(tmp_path / "log", older)
    checkpoint = (tmp_path / "log/checkpoint").read_bytes()
    for number in range(older, 6):
        with reopen(tmp_path / "log") as log:
            log.append(entry(number))
    (tmp_path / "log/checkpoint").write_bytes(checkpoint)
    with pytest.raises(Unverified, match="restore the newer checkpoint"):
        reopen(tmp_path / "log")


def test_a_log_with_any_file_missing_is_not_served(tmp_path: Path) -> None:
    write_batched(tmp_path / "log", 300)
    needed = ["checkpoint", *(f"tile/{tree}" for tree in (
        "0/000", "0/001.p/44", "1/000.p/1", "entries/000", "entries/001.p/44"))]  # fmt: skip
    for path in needed:
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "log", copy)
        (copy / path).unlink()
        with pytest.raises(Unverified, match=path):
            reopen(copy)
        shutil.rmtree(copy)


def test_a_log_with_a_changed_right_edge_is_not_served(tmp_path: Path) -> None:
    write_batched(tmp_path / "log", 300)
    for path in ("checkpoint", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"):
        file = tmp_path / "log" / path
        data = file.read_bytes()
        file.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
        with pytest.raises(Unverified):
            reopen(tmp_path / "log")
        file.write_bytes(data)
    reopen(tmp_path / "log").close()


def test_an_entry_changed_behind_a_running_log_is_not_read(tmp_path: Path) -> None:
    write_batched(tmp_path / "log", 256)
    with reopen(tmp_path / "log") as log:
        file = tmp_path / "log/tile/entries/000"
        file.write_bytes(file.read_bytes().replace(b"decided", b"refused"))
        with pytest.raises(Unverified):
            log.read_entry(1)


def test_a_submitted_entry_is_recorded_even_if_its_caller_gives_up(tmp_path: Path) -> None:
    with new_log(tmp_path / "log") as log:
        assert not log.submit(entry(0)).cancel()
    with reopen(tmp_path / "log") as log:
        assert log.read_entry(0) == entry(0)


def test_closing_waits_for_what_was_submitted(tmp_path: Path) -> None:
    log = new_log(tmp_path / "log")
    waiting = [log.submit(entry(number)) for number in range(1000)]
    log.close()
    assert [each.result(0).index for each in waiting] == list(range(1000))
    assert verify_log(DirectoryReader(tmp_path / "log"), KEY).size == 1000
    assert list((tmp_path / "log/journal").iterdir()) == []


def test_an_entry_is_taken_as_a_value_or_as_its_bytes(tmp_path: Path) -> None:
    with new_log(tmp_path / "log") as log:
        log.append(Entry.from_bytes(entry(0)))
        log.append(entry(1))
        assert [log.read_entry(0), log.read_entry(1)] == [entry(0), entry(1)]
