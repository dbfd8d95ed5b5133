"""A log as another implementation might leave it: any bytes as entries, no partial siblings.

Its root is `pymerkle`'s and its tiles are cut here from plain lists, so that it shares no
code with what verifies it but the hash of a leaf and of a node.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pymerkle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint

from .samples import ORIGIN, PRIVATE_KEY

EMPTY_ROOT = hashlib.sha256(b"").digest()


def root_of(entries: Sequence[bytes]) -> bytes:
    """The root, as `pymerkle` computes it."""
    if not entries:
        return EMPTY_ROOT
    tree = pymerkle.InmemoryTree.init_from_entries(list(entries), algorithm="sha256")
    root: bytes = tree.get_root(len(entries))
    return root


def write_foreign(
    directory: Path, entries: Sequence[bytes], private_key: Ed25519PrivateKey = PRIVATE_KEY
) -> str:
    """Write a log in the form of C2SP tlog-tiles; gives its checkpoint's note."""
    hashes = [hashlib.sha256(b"\x00" + each).digest() for each in entries]
    for at in range(0, len(entries), 256):
        part = entries[at : at + 256]
        bundle = b"".join(len(each).to_bytes(2, "big") + each for each in part)
        _write(directory, "entries", at // 256, len(part), bundle)
    level = 0
    while hashes:
        for at in range(0, len(hashes), 256):
            part = hashes[at : at + 256]
            _write(directory, str(level), at // 256, len(part), b"".join(part))
        full = [hashes[at : at + 256] for at in range(0, len(hashes) // 256 * 256, 256)]
        hashes = [_above(part) for part in full]
        level += 1
    note = sign_checkpoint(Checkpoint(ORIGIN, len(entries), root_of(entries)), private_key)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "checkpoint").write_text(note)
    return note


def _above(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [
            hashlib.sha256(b"\x01" + left + right).digest()
            for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


def _write(directory: Path, tree: str, index: int, width: int, data: bytes) -> None:
    suffix = "" if width == 256 else f".p/{width}"
    file = directory / f"tile/{tree}/{index:03d}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
