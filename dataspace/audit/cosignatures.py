"""Cosignatures of witnesses, as C2SP tlog-cosignature defines them. Pure: time is passed in.

    line      = note signature line; signature-bytes = u64 time, then the signature
    0x04      Ed25519 over    "cosignature/v1" LF "time " time LF checkpoint-body
    0x06      ML-DSA-44 over  "subtree/v1" LF NUL  name<1..255>  time  origin<1..255>
                              start=0  end=size  root[32]       (u64 and lengths big-endian)

Times are seconds since 1970. Whose cosignatures count is `quorum`'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from dataspace.audit.checkpoints import Checkpoint, parse_checkpoint
from dataspace.audit.notes import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    Note,
    NoteSignature,
    VerifierKey,
    parse_note,
    parse_signature_lines,
)
from dataspace.errors import Malformed, Unverified

CosigningPrivateKey: TypeAlias = Ed25519PrivateKey | MLDSA44PrivateKey

_TIME_BYTES = 8
_MAX_TIME = 2**63 - 1
_SIGNATURE_BYTES = {COSIGNATURE_ED25519: 64, COSIGNATURE_ML_DSA_44: 2420}


@dataclass(frozen=True)
class Cosigned:
    """A cosignature that holds: which key made it, and when (seconds since 1970)."""

    key: VerifierKey
    at_s: int


def cosigning_vkey(name: str, private_key: CosigningPrivateKey) -> VerifierKey:
    """The public half of a witness's key."""
    public = private_key.public_key().public_bytes_raw()
    ed25519 = isinstance(private_key, Ed25519PrivateKey)
    return VerifierKey(name, public, COSIGNATURE_ED25519 if ed25519 else COSIGNATURE_ML_DSA_44)


def cosign(
    checkpoint: Checkpoint, name: str, private_key: CosigningPrivateKey, at_s: int
) -> NoteSignature:
    """One witness's signature line for a checkpoint that it has found consistent."""
    key = cosigning_vkey(name, private_key)
    signature = private_key.sign(_message(checkpoint, key, at_s))
    return NoteSignature(name, key.keyid, at_s.to_bytes(_TIME_BYTES, "big") + signature)


def verify_cosignature(note: Note, checkpoint: Checkpoint, key: VerifierKey) -> Cosigned | None:
    """What `key` says of the note's checkpoint; None where it has not signed.

    Raises `Unverified` where a line that bears the key's name and id does not hold.
    """
    for each in note.signatures:
        if (each.name, each.keyid) == (key.name, key.keyid):
            return _verify(each, checkpoint, key)
    return None


def add_cosignatures(note_text: str, lines: Sequence[str]) -> str:
    """A checkpoint's note with more signature lines; a key's later line replaces its earlier."""
    note = parse_note(note_text)
    by_key = {(each.name, each.keyid): each for each in note.signatures}
    for line in lines:
        for each in parse_signature_lines(line):
            if (each.name, each.keyid) == (note.signatures[0].name, note.signatures[0].keyid):
                raise Unverified("a witness does not sign for the log", code="cosignature")
            by_key[each.name, each.keyid] = each
    return replace(note, signatures=tuple(by_key.values())).to_text()


def _verify(signature: NoteSignature, checkpoint: Checkpoint, key: VerifierKey) -> Cosigned:
    length = _SIGNATURE_BYTES.get(key.kind)
    at_s = int.from_bytes(signature.signature[:_TIME_BYTES], "big")
    if length is None or len(signature.signature) != _TIME_BYTES + length or at_s > _MAX_TIME:
        raise _bad(f"the cosignature of {key.name} is not one of its kind")
    message = _message(checkpoint, key, at_s)
    raw = signature.signature[_TIME_BYTES:]
    try:
        if key.kind == COSIGNATURE_ED25519:
            Ed25519PublicKey.from_public_bytes(key.public).verify(raw, message)
        else:
            MLDSA44PublicKey.from_public_bytes(key.public).verify(raw, message)
    except (InvalidSignature, ValueError):
        raise _bad(f"the cosignature of {key.name} does not hold") from None
    return Cosigned(key, at_s)


def _message(checkpoint: Checkpoint, key: VerifierKey, at_s: int) -> bytes:
    if not 0 <= at_s <= _MAX_TIME:
        raise Malformed("a cosignature's time is in seconds since 1970", code="cosignature")
    if key.kind == COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {at_s}\n{checkpoint.to_text()}".encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            _short(key.name),
            at_s.to_bytes(8, "big"),
            _short(checkpoint.origin),
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _short(text: str) -> bytes:
    raw = text.encode()
    if not 1 <= len(raw) <= 255:
        raise _bad("a name or an origin in a cosignature has 1 to 255 bytes")
    return bytes([len(raw)]) + raw


def checkpoint_of(note_text: str) -> tuple[Note, Checkpoint]:
    """A note and the checkpoint in it, neither verified."""
    note = parse_note(note_text)
    return note, parse_checkpoint(note.text)


def _bad(message: str) -> Unverified:
    return Unverified(message, code="cosignature")
