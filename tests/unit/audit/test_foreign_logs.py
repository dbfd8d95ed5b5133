from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.audit.checkpoints import verify_checkpoint
from dataspace.audit.merkle import leaf_hash
from dataspace.audit.proofs import make_proof, verify_proof
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tree import Tree
from dataspace.audit.verify import Entries, VerifiedLog, verify_log
from dataspace.errors import Unverified

from .foreign import root_of, write_foreign
from .samples import KEY, ORIGIN, entry, write_batched

SIZES = (0, 1, 2, 255, 256, 257, 511, 512, 700)
BOTH = (Entries.HASHED, Entries.ABSENT)


def some(size: int, seed: int = 1) -> list[bytes]:
    dice = random.Random(seed)
    return [dice.randbytes(dice.choice((0, 1, 7, 60))) for _ in range(size)]


def verify(directory: Path, entries: Entries = Entries.HASHED) -> VerifiedLog:
    return verify_log(DirectoryReader(directory), KEY, entries=entries)


@pytest.mark.parametrize("size", SIZES)
def test_a_log_of_any_bytes_verifies_with_its_entries_and_without(
    size: int, tmp_path: Path
) -> None:
    entries = some(size)
    write_foreign(tmp_path, entries)
    root = root_of(entries)
    assert verify(tmp_path) == VerifiedLog(ORIGIN, size, root, size)
    shutil.rmtree(tmp_path / "tile/entries", ignore_errors=True)
    assert verify(tmp_path, Entries.ABSENT) == VerifiedLog(ORIGIN, size, root, 0)


def test_a_log_of_more_than_two_levels_verifies(tmp_path: Path) -> None:
    size = 256 * 256 + 300
    entries = [b"%d" % number for number in range(size)]
    write_foreign(tmp_path, entries)
    assert (tmp_path / "tile/2/000.p/1").exists()
    for mode in BOTH:
        assert verify(tmp_path, mode).root == root_of(entries)


def test_entries_of_another_form_are_no_entries_of_a_space(tmp_path: Path) -> None:
    write_foreign(tmp_path, some(3))
    with pytest.raises(Unverified, match="entry 0"):
        verify(tmp_path, Entries.CANONICAL)


def test_a_log_of_the_space_is_one_of_anybodys(tmp_path: Path) -> None:
    write_batched(tmp_path / "log", 300)
    write_foreign(tmp_path / "other", [entry(number) for number in range(300)])
    found = {verify(tmp_path / name, mode).root for name in ("log", "other") for mode in BOTH}
    assert found == {root_of([entry(number) for number in range(300)])}


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_in_any_file_is_found(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("flipped")
    write_foreign(directory, some(600, seed=2))
    files = sorted(each for each in directory.rglob("*") if each.is_file())
    file = data.draw(st.sampled_from(files))
    mode = data.draw(st.sampled_from(BOTH))
    raw = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(raw)
    if mode is Entries.ABSENT and "entries" in file.parts:
        assert verify(directory, mode).entries_checked == 0
        return
    with pytest.raises(Unverified):
        verify(directory, mode)
    shutil.rmtree(directory)


@pytest.mark.parametrize("mode", BOTH)
def test_a_log_extends_every_checkpoint_that_was_seen(mode: Entries, tmp_path: Path) -> None:
    entries = some(700)
    seen = [
        verify_checkpoint(write_foreign(tmp_path / str(size), entries[:size]), KEY)
        for size in (0, 3, 256, 700)
    ]
    reader = DirectoryReader(tmp_path / "700")
    assert verify_log(reader, KEY, seen=seen, entries=mode).size == 700
    for size in (3, 256, 700):
        other = verify_checkpoint(write_foreign(tmp_path / "x", some(size, seed=9)), KEY)
        with pytest.raises(Unverified, match=f"first {size} entries"):
            verify_log(reader, KEY, seen=[*seen, other], entries=mode)


@given(size=st.integers(1, 700), data=st.data())
@settings(max_examples=30, deadline=None)
def test_proofs_are_made_from_a_logs_files(
    size: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("proved")
    entries = some(700)
    older = write_foreign(directory / "older", entries[:size])
    write_foreign(directory / "log", entries)
    index = data.draw(st.integers(0, size - 1))
    tree = Tree(700, DirectoryReader(directory / "log").read)
    made = make_proof(tree, index, older)
    assert verify_proof(made, leaf_hash(entries[index]), KEY).size == size
    shutil.rmtree(directory)
