from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.merkle import leaf_hash, root_of
from dataspace.audit.notes import verifier_key
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import Tile, encode_bundle, encode_hashes
from dataspace.audit.verify import VerifiedLog, verify_log
from dataspace.errors import Unverified

from .samples import KEY, ORIGIN, OTHER_PRIVATE_KEY, PRIVATE_KEY, entry, new_log, write_log

SIZE = 262  # a full tile, a partial one, and one level above


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "log"
    write_log(directory, SIZE)
    return directory


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "log")
    return tmp_path / "log"


def verify(directory: Path, seen: Checkpoint | None = None) -> VerifiedLog:
    return verify_log(DirectoryReader(directory), KEY, seen=seen)


def public_files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "lock")


def test_a_whole_log_verifies(whole: Path) -> None:
    root = root_of(leaf_hash(entry(number)) for number in range(SIZE))
    assert verify(whole) == VerifiedLog(ORIGIN, SIZE, root, SIZE)


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 0)
    assert verify(tmp_path / "log").size == 0


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_changed_byte_in_any_file_is_found(copy: Path, place: float) -> None:
    for file in public_files(copy):
        data = file.read_bytes()
        at = int(place * (len(data) - 1))
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Unverified):
            verify(copy)
        file.write_bytes(data)
    verify(copy)


@pytest.mark.parametrize("change", [b"", b"\x00", b"\x00" * 32])
def test_a_longer_file_is_found(copy: Path, change: bytes) -> None:
    for file in public_files(copy):
        data = file.read_bytes()
        file.write_bytes(data + change if change else data[:-1])
        with pytest.raises(Unverified):
            verify(copy)
        file.write_bytes(data)


def test_a_missing_file_is_found_and_named(copy: Path) -> None:
    needed = ["checkpoint", "tile/0/000", "tile/0/001.p/6", "tile/1/000.p/1",
              "tile/entries/000", "tile/entries/001.p/6"]  # fmt: skip
    for path in needed:
        data = (copy / path).read_bytes()
        (copy / path).unlink()
        with pytest.raises(Unverified, match=path.split(".p")[0]):
            verify(copy)
        (copy / path).write_bytes(data)


def test_a_changed_entry_is_named_by_file_and_index(copy: Path) -> None:
    file = copy / "tile/entries/001.p/6"
    file.write_bytes(file.read_bytes().replace(f"{259:064x}".encode(), f"{999:064x}".encode()))
    with pytest.raises(Unverified, match=r"tile/0/001\.p/6: hash 259"):
        verify_without_listing(copy)


def test_a_file_of_no_width_among_partial_tiles_is_found(copy: Path) -> None:
    (copy / "tile/0/001.p/extra").write_bytes(b"")
    with pytest.raises(Unverified, match=r"tile/0/001\.p"):
        verify(copy)


def test_a_log_signed_by_another_key_is_refused(whole: Path) -> None:
    with pytest.raises(Unverified):
        verify_log(DirectoryReader(whole), verifier_key(ORIGIN, OTHER_PRIVATE_KEY))


def test_a_truncated_log_is_found_by_who_saw_a_larger_checkpoint(tmp_path: Path) -> None:
    with new_log(tmp_path / "log", 9) as log:
        seen = log.checkpoint
    write_log(tmp_path / "cut", 5)
    verify(tmp_path / "cut")
    with pytest.raises(Unverified, match="9 were seen before"):
        verify(tmp_path / "cut", seen)


def test_a_rewritten_log_is_found_by_who_saw_an_earlier_checkpoint(tmp_path: Path) -> None:
    with new_log(tmp_path / "log", 9) as log:
        seen = log.checkpoint
        log.append(entry(9))
    assert verify(tmp_path / "log", seen).size == 10
    with new_log(tmp_path / "other") as other:
        for number in range(1, 11):
            other.append(entry(number))
    verify(tmp_path / "other")
    with pytest.raises(Unverified, match="history was rewritten"):
        verify(tmp_path / "other", seen)


def test_a_checkpoint_of_another_log_says_nothing_about_this_one(whole: Path) -> None:
    with pytest.raises(Unverified, match="is of another"):
        verify(whole, Checkpoint("another", 1, bytes(32)))


@pytest.mark.parametrize("content", [b"not json", b'{"kind":"a","at_ms":0,"fields":{}}'])
def test_an_owner_cannot_hide_unreadable_entries_in_a_sound_tree(
    tmp_path: Path, content: bytes
) -> None:
    leaf = leaf_hash(content)
    files = {
        Tile(None, 0, 1).path: encode_bundle([content]),
        Tile(0, 0, 1).path: encode_hashes([leaf]),
        "checkpoint": sign_checkpoint(Checkpoint(ORIGIN, 1, leaf), PRIVATE_KEY).encode(),
    }
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    with pytest.raises(Unverified, match=r"tile/entries/000\.p/1: entry 0"):
        verify(tmp_path)


def test_a_sound_tree_under_another_signed_root_is_refused(copy: Path) -> None:
    text = sign_checkpoint(Checkpoint(ORIGIN, SIZE, bytes(32)), PRIVATE_KEY)
    (copy / "checkpoint").write_text(text)
    with pytest.raises(Unverified, match="root"):
        verify(copy)


def verify_without_listing(directory: Path) -> VerifiedLog:
    """As over a reader that cannot list, such as a remote one."""
    reader = DirectoryReader(directory)
    reader.widths = lambda tile: ()  # type: ignore[method-assign]  # a reader without listing
    return verify_log(reader, KEY)
