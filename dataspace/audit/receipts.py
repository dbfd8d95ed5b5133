"""Receipts: an entry, its place, and the signed root that it is under. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.merkle import leaf_hash, verify_inclusion
from dataspace.audit.notes import VerifierKey


def verify_receipt(
    entry: bytes, index: int, inclusion: Sequence[bytes], checkpoint_text: str, key: VerifierKey
) -> Checkpoint:
    """The checkpoint under which the log's owner recorded `entry` at `index`.

    Raises `Unverified` unless `key` signed the checkpoint and the audit path leads from
    the entry's leaf to its root. Says nothing of cosignatures, nor of what the entry means.
    """
    checkpoint = verify_checkpoint(checkpoint_text, key)
    verify_inclusion(index, checkpoint.size, leaf_hash(entry), inclusion, checkpoint.root)
    return checkpoint
