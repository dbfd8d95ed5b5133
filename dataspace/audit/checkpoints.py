"""Checkpoints of a log, as C2SP tlog-checkpoint defines them. Pure.

    body = origin LF size LF base64( root ) LF    ; size decimal, no leading zero

Extension lines are refused: ML-DSA-44 cosignatures do not cover them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.merkle import EMPTY_ROOT, HASH_BYTES
from dataspace.audit.notes import (
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_note,
    sign_note,
    verify_note,
)
from dataspace.errors import Unverified

_MAX_SIZE = 2**63 - 1
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """What a log's owner says: this log, of so many entries, has this root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin:
            raise _bad("an origin is one line that is not empty")
        if not 0 <= self.size <= _MAX_SIZE:
            raise _bad("a size is between 0 and 2^63 - 1")
        if len(self.root) != HASH_BYTES:
            raise _bad("a root has 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise _bad("the root of an empty log is SHA-256 of nothing")

    def to_text(self) -> str:
        """The note text that is signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from a note's text; `Unverified` unless it is the canonical text."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise _bad("a checkpoint has the lines origin, size and root, and no other")
    if not _SIZE.fullmatch(lines[1]):
        raise _bad("a size is a decimal number without leading zeros")
    return Checkpoint(lines[0], int(lines[1]), decode_base64(lines[2]))


def sign_checkpoint(checkpoint: Checkpoint, private_key: Ed25519PrivateKey) -> str:
    """The signed note of a checkpoint; the key's name is the origin."""
    return sign_note(checkpoint.to_text(), checkpoint.origin, private_key).to_text()


def verify_checkpoint(note_text: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a note that `key` signed, else `Unverified`.

    SECURITY: the origin must be the key's name, so that a checkpoint of one log does not
    pass for another's that the same owner signs.
    """
    note = parse_note(note_text)
    verify_note(note, key)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != key.name:
        raise Unverified(
            f"key {key.name} may not speak for the log {checkpoint.origin}", code="origin"
        )
    return checkpoint


def _bad(message: str) -> Unverified:
    return Unverified(message, code="checkpoint")
