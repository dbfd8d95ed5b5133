from __future__ import annotations

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from dataspace.audit.tiles import Tile
from dataspace.audit.tree import Tree
from dataspace.errors import Unverified

# The test tree of the certificate-transparency reference implementation.
CT_ENTRIES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
SIZES = st.integers(1, 700)


def nothing_stored(tile: Tile) -> bytes:
    raise AssertionError(f"{tile.path} was read back")


def grow(entries: list[bytes]) -> Tree:
    tree = Tree(0, nothing_stored)
    for each in entries:
        tree.append(leaf_hash(each))
    return tree


def numbered(size: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(size)]


TREE = grow(numbered(700))
ORACLE = pymerkle.InmemoryTree.init_from_entries(numbered(700), algorithm="sha256")


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert root_of(()) == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_certificate_transparency_tree(size: int) -> None:
    assert root_of(map(leaf_hash, CT_ENTRIES[:size])).hex() == CT_ROOTS[size - 1]
    assert tree_root(grow(CT_ENTRIES), size).hex() == CT_ROOTS[size - 1]


@pytest.mark.parametrize(("sizes", "path"), CT_CONSISTENCY.items())
def test_consistency_proofs_are_those_of_the_certificate_transparency_tree(
    sizes: tuple[int, int], path: list[str]
) -> None:
    proof = prove_consistency(grow(CT_ENTRIES), *sizes)
    assert [each.hex() for each in proof] == path


@given(SIZES)
def test_roots_agree_with_another_implementation(size: int) -> None:
    assert tree_root(TREE, size) == ORACLE.get_root(size)
    assert tree_root(TREE, size) == root_of(map(leaf_hash, numbered(size)))


@given(SIZES, st.data())
def test_inclusion_proofs_agree_with_another_implementation(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(TREE, index, size)
    assert list(proof) == ORACLE.prove_inclusion(index + 1, size).path[1:]
    verify_inclusion(index, size, leaf_hash(b"entry %d" % index), proof, tree_root(TREE, size))


@given(SIZES, st.data())
def test_a_grown_tree_proves_that_it_extends_every_earlier_one(
    size: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, size))
    proof = prove_consistency(TREE, old, size)
    old_root = ORACLE.get_root(old) if old else EMPTY_ROOT
    verify_consistency(old, old_root, size, ORACLE.get_root(size), proof)


@given(SIZES, st.data())
def test_an_inclusion_proof_of_anything_else_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size + 3).filter(lambda number: number != index))
    proof = prove_inclusion(TREE, index, size)
    leaf, root = leaf_hash(b"entry %d" % index), tree_root(TREE, size)
    refused = [
        (other, size, leaf, proof, root),
        (index, size, leaf_hash(b"another"), proof, root),
        (index, size, leaf, (*proof, root), root),
        (index, size, leaf, proof, leaf_hash(root)),
        (index, size, leaf[:31], proof, root),
        *((index, size, leaf, _changed(proof, at), root) for at in range(len(proof))),
        *([(index, size, leaf, proof[:-1], root)] if proof else []),
    ]
    for case in refused:
        with pytest.raises(Unverified):
            verify_inclusion(*case)


@given(SIZES, st.data())
def test_a_consistency_proof_of_another_history_is_refused(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    proof = prove_consistency(TREE, old, size)
    old_root, new_root = tree_root(TREE, old), tree_root(TREE, size)
    other = leaf_hash(b"another")
    refused = [
        (old, other, size, new_root, proof),
        (old, old_root, size, other, proof),
        (size + 1, old_root, size, new_root, proof),
        (old, old_root, size, new_root, (*proof, other)),
        (0, old_root, size, new_root, proof),
        (0, EMPTY_ROOT, size, new_root, (other,)),
        *((old, old_root, size, new_root, _changed(proof, at)) for at in range(len(proof))),
        *([(old, old_root, size, new_root, proof[:-1])] if proof else []),
        *([(old, old_root, size, new_root, ())] if proof else []),
    ]
    for case in refused:
        with pytest.raises(Unverified):
            verify_consistency(*case)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(Unverified):
        prove_inclusion(TREE, index, size)


@pytest.mark.parametrize(("old", "new"), [(4, 3), (-1, 3)])
def test_there_is_no_proof_of_shrinking(old: int, new: int) -> None:
    with pytest.raises(Unverified):
        prove_consistency(TREE, old, new)


def test_a_tile_changed_behind_a_running_tree_never_becomes_a_proof() -> None:
    kept = {tile: TREE.tile_bytes(tile) for tile in (Tile(0, 2, 188), Tile(1, 0, 2))}
    tree = Tree(700, lambda tile: kept.get(tile, bytes(8192)))
    with pytest.raises(Unverified, match="tile/0/001"):
        tree.node(0, 300)


def _changed(proof: tuple[bytes, ...], at: int) -> tuple[bytes, ...]:
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    return (*proof[:at], flipped, *proof[at + 1 :])
