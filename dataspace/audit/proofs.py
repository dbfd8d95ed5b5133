"""Inclusion proofs as files: C2SP tlog-proof. Pure.

    proof = "c2sp.org/tlog-proof@v1" LF [ "extra " base64 LF ] "index " number LF
            *( base64(hash) LF ) LF checkpoint-note

Whoever holds one needs the log's key, and the witnesses', and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dataspace.audit.checkpoints import Checkpoint, parse_checkpoint, verify_checkpoint
from dataspace.audit.merkle import HASH_BYTES, HashReader, prove_inclusion, verify_inclusion
from dataspace.audit.notes import (
    MAX_NOTE_BYTES,
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_note,
)
from dataspace.errors import Unverified

HEADER = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 63
_MAX_BYTES = MAX_NOTE_BYTES + 100_000
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_EXTRA = "extra "


@dataclass(frozen=True)
class Proof:
    """An entry's place, its audit path, and the checkpoint at the end of it.

    `extra` is what an application adds; nothing authenticates it. None: there is none.
    """

    index: int
    path: tuple[bytes, ...]
    note_text: str
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index < 2**63 or len(self.path) > _MAX_HASHES:
            raise _bad("an index or a path that no log has")
        if any(len(each) != HASH_BYTES for each in self.path):
            raise _bad("a hash has 32 bytes")
        if self.extra == b"":
            raise _bad("a proof without extra data has no line for it")
        parse_checkpoint(parse_note(self.note_text).text)

    def to_text(self) -> str:
        """The file."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(_EXTRA + encode_base64(self.extra))
        lines += [f"index {self.index}", *map(encode_base64, self.path), "", self.note_text]
        return "\n".join(lines)


def parse_proof(text: str) -> Proof:
    """A proof from its text, unverified; `Unverified` unless it is the canonical text."""
    if len(text) > _MAX_BYTES:
        raise _bad("a proof is not that long")
    head, divider, note_text = text.partition("\n\n")
    lines = head.split("\n")
    if not divider or lines.pop(0) != HEADER:
        raise _bad(f"a proof begins with {HEADER}")
    extra = None
    if lines and lines[0].startswith(_EXTRA):
        extra = decode_base64(lines.pop(0).removeprefix(_EXTRA))
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None:
        raise _bad("a proof says the entry's index")
    proof = Proof(int(index[1]), tuple(map(decode_base64, lines)), note_text, extra)
    # INVARIANT: whatever is accepted is spelt as we would spell it.
    if proof.to_text() != text:
        raise _bad("not the canonical text of a proof")
    return proof


def make_proof(reader: HashReader, index: int, note_text: str, extra: bytes | None = None) -> Proof:
    """The proof of entry `index` under the checkpoint in a note, from the log's hashes.

    Raises `Unverified` where the hashes are not those of the checkpoint, so that whoever
    writes a proof learns at once what its reader would.
    """
    checkpoint = parse_checkpoint(parse_note(note_text).text)
    path = prove_inclusion(reader, index, checkpoint.size)
    verify_inclusion(index, checkpoint.size, reader.node(0, index), path, checkpoint.root)
    return Proof(index, path, note_text, extra)


def verify_proof(proof: Proof, leaf: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint that `key` signed and that the entry with this leaf hash is under.

    Raises `Unverified`. Says nothing of cosignatures: see `quorum`.
    """
    checkpoint = verify_checkpoint(proof.note_text, key)
    verify_inclusion(proof.index, checkpoint.size, leaf, proof.path, checkpoint.root)
    return checkpoint


def _bad(message: str) -> Unverified:
    return Unverified(message, code="tlog-proof")
