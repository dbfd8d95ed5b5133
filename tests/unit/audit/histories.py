"""Logs as lists of entries, from which checkpoints and proofs of any size follow."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.merkle import leaf_hash, prove_consistency, root_of
from dataspace.audit.tree import Tree
from dataspace.audit.witness import AddCheckpoint

from .samples import ORIGIN, PRIVATE_KEY


class History:
    """A log's entries, from which a size's checkpoint and proofs follow."""

    def __init__(self, entries: list[bytes], private_key: Ed25519PrivateKey = PRIVATE_KEY) -> None:
        self.leaves = [leaf_hash(each) for each in entries]
        self.tree = Tree(0, lambda _: b"")
        for leaf in self.leaves:
            self.tree.append(leaf)
        self.private_key = private_key

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, root_of(self.leaves[:size]))

    def note(self, size: int) -> str:
        return sign_checkpoint(self.checkpoint(size), self.private_key)

    def request(self, old: int, size: int) -> bytes:
        proof = prove_consistency(self.tree, old, size)
        return AddCheckpoint(old, proof, self.note(size)).to_bytes()
