from __future__ import annotations

from dataclasses import replace

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.merkle import leaf_hash, tree_root
from dataspace.audit.notes import encode_base64
from dataspace.audit.proofs import HEADER, Proof, make_proof, parse_proof, verify_proof
from dataspace.audit.tree import Tree
from dataspace.errors import Unverified

from .samples import KEY, ORIGIN, PRIVATE_KEY
from .test_checkpoints import EXAMPLE

ENTRIES = [b"entry %d" % number for number in range(300)]
TREE = Tree(0, lambda _: b"")
for _entry in ENTRIES:
    TREE.append(leaf_hash(_entry))
ORACLE = pymerkle.InmemoryTree.init_from_entries(ENTRIES, algorithm="sha256")

# The proof of C2SP tlog-proof's example, under a checkpoint that is written out in full.
HASHES = """gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=
"""
EXTRA = "extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ\n"
TEXT = f"{HEADER}\n{EXTRA}index 73894\n{HASHES}\n{EXAMPLE}"


def note(size: int) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, tree_root(TREE, size)), PRIVATE_KEY)


def proof(index: int, size: int) -> Proof:
    return make_proof(TREE, index, note(size))


def test_the_example_of_the_specification_is_read_and_written_byte_for_byte() -> None:
    read = parse_proof(TEXT)
    assert (read.index, len(read.path), read.note_text) == (73894, 5, EXAMPLE)
    assert read.extra is not None
    assert read.extra.startswith(b"age-v1.2.1-darwin-arm64.tar.gz")
    assert read.to_text() == TEXT


HASH = st.binary(min_size=32, max_size=32)


@given(
    st.integers(0, 2**63 - 1),
    st.lists(HASH, max_size=63),
    st.one_of(st.none(), st.binary(min_size=1, max_size=50)),
    st.integers(1, 300),
)
def test_a_proof_is_read_back(
    index: int, path: list[bytes], extra: bytes | None, size: int
) -> None:
    made = Proof(index, tuple(path), note(size), extra)
    assert parse_proof(made.to_text()) == made


@given(st.integers(1, 300), st.data())
def test_a_proof_convinces_whoever_holds_entry_and_key(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    made = proof(index, size)
    assert list(made.path) == ORACLE.prove_inclusion(index + 1, size).path[1:]
    found = verify_proof(parse_proof(made.to_text()), leaf_hash(ENTRIES[index]), KEY)
    assert (found.origin, found.size) == (ORIGIN, size)


@given(st.integers(2, 300), st.data())
def test_a_proof_of_anything_else_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    made = proof(index, size)
    leaf = leaf_hash(ENTRIES[index])
    shorter = note(data.draw(st.integers(1, size - 1)))
    for wrong, hashed in (
        (made, leaf_hash(ENTRIES[other])),
        (replace(made, index=other), leaf),
        (replace(made, path=made.path[1:]), leaf),
        (replace(made, path=(*made.path, leaf)), leaf),
        (replace(made, note_text=shorter), leaf),
    ):
        with pytest.raises(Unverified):
            verify_proof(wrong, hashed, KEY)


def test_hashes_that_are_not_the_checkpoints_make_no_proof() -> None:
    other = sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(32)), PRIVATE_KEY)
    with pytest.raises(Unverified, match="not under the root"):
        make_proof(TREE, 3, other)
    with pytest.raises(Unverified, match="no leaf 9"):
        make_proof(TREE, 9, note(9))


PLAIN = f"{HEADER}\nindex 5\n{HASHES}\n{EXAMPLE}"
LINE = HASHES.split("\n", maxsplit=1)[0] + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        PLAIN.removeprefix(HEADER),
        PLAIN.replace("@v1", "@v2"),
        PLAIN.replace("index 5\n", ""),
        PLAIN.replace("index 5", "index 05"),
        PLAIN.replace("index 5", "index -5"),
        PLAIN.replace("index 5", "index +5"),
        PLAIN.replace("index 5", "index 5 "),
        PLAIN.replace("index 5", "index  5"),
        PLAIN.replace("index 5", "index ٥"),
        PLAIN.replace("index 5", "index x"),
        PLAIN.replace("index 5", f"index {2**63}"),
        PLAIN.replace("index 5", "extra !!\nindex 5"),
        PLAIN.replace("index 5", "extra \nindex 5"),
        PLAIN.replace("index 5", "extra\nindex 5"),
        PLAIN.replace("index 5", "extra AAAA\nextra AAAA\nindex 5"),
        PLAIN.replace("index 5", "index 5\nextra AAAA"),
        PLAIN.replace("index 5", "index 5\nindex 5"),
        PLAIN.replace("PlQ=\n", "PlQ\n"),
        PLAIN.replace("PlQ=\n", "PlR=\n"),
        PLAIN.replace("PlQ=\n", "PlQ= \n"),
        PLAIN.replace("gSKyXoYZ", "gSKy"),
        PLAIN.replace(LINE, encode_base64(bytes(64)) + "\n"),
        PLAIN.replace(HASHES, LINE * 64),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("AHCioX9n", "\nAHCioX9n"),
        PLAIN.replace("\n\n", "\n", 1),
        " " + PLAIN,
        PLAIN + "x" * 1_200_000,
    ],
)
def test_a_proof_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(Unverified):
        parse_proof(text)


def test_the_refused_are_near_to_one_that_is_read() -> None:
    assert parse_proof(PLAIN).index == 5
    assert parse_proof(PLAIN.replace(HASHES, "")).path == ()


def test_a_proof_under_a_checkpoint_of_another_log_is_refused() -> None:
    other = sign_checkpoint(Checkpoint("gba.example/other", 9, tree_root(TREE, 9)), PRIVATE_KEY)
    with pytest.raises(Unverified):
        verify_proof(replace(proof(3, 9), note_text=other), leaf_hash(ENTRIES[3]), KEY)


@pytest.mark.parametrize("extra", [b"", b"x"])
def test_extra_data_is_there_or_its_line_is_not(extra: bytes) -> None:
    if extra:
        assert parse_proof(replace(proof(3, 9), extra=extra).to_text()).extra == extra
    else:
        with pytest.raises(Unverified, match="no line for it"):
            replace(proof(3, 9), extra=extra)
