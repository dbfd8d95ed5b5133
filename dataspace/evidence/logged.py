"""What a log recorded, proved offline: entry, place, cosigned checkpoint, context. Pure.

The proof is a C2SP tlog-proof without `extra`: see `dataspace.audit.proofs`.
Who must have cosigned is the `Quorum`'s to say, which is handed in.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dataspace.audit.checkpoints import Checkpoint
from dataspace.audit.entries import SALT_BYTES, Entry, commitment
from dataspace.audit.merkle import leaf_hash, verify_inclusion
from dataspace.audit.notes import VerifierKey, parse_vkey
from dataspace.audit.proofs import Proof, parse_proof
from dataspace.errors import Unverified
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import evidence_pb2


@dataclass(frozen=True)
class Cosigned:
    """A checkpoint that enough others have seen, by when, and the regions that vouch."""

    checkpoint: Checkpoint
    at_ms: int
    regions: tuple[str, ...]


class Quorum(Protocol):
    """Verifies a checkpoint's own signature and its cosignatures by the trust list's rule.

    Raises `Unverified`, with code `not-cosigned` where only cosignatures are missing.
    """

    def __call__(
        self, note_text: str, log_key: VerifierKey, owner: str, trust: TrustList
    ) -> Cosigned: ...


@dataclass(frozen=True)
class Logged:
    """An entry that was under a cosigned checkpoint of its owner's log."""

    owner: str
    origin: str
    index: int
    entry: Entry
    entry_bytes: bytes
    cosigned: Cosigned


def write_proof(index: int, path: Sequence[bytes], checkpoint_text: str) -> str:
    """The tlog-proof of an entry."""
    return Proof(index, tuple(path), checkpoint_text).to_text()


def read_proof(text: str) -> tuple[int, tuple[bytes, ...], str]:
    """Index, audit path and checkpoint of a tlog-proof; nothing is verified."""
    proof = parse_proof(text)
    # INVARIANT: no byte of evidence is idle, and nothing authenticates what `extra` holds.
    if proof.extra is not None:
        raise Unverified("a proof in evidence carries nothing extra", code="evidence-proof")
    return proof.index, proof.path, proof.note_text


def place_of(proof: str) -> int:
    """The index that a proof is for, unverified."""
    return read_proof(proof)[0]


def verify_cosigned(record: evidence_pb2.Recorded, trust: TrustList, quorum: Quorum) -> Cosigned:
    """The checkpoint in a record's proof, once its owner's log and a quorum signed it."""
    checkpoint_text = read_proof(record.proof)[2]
    origin = checkpoint_text.split("\n", 1)[0]
    keys = {log.origin: log.vkey for log in trust.logs_of(record.owner)}
    if origin not in keys:
        raise Unverified(
            f"the trust list names no log {origin!r} of {record.owner}", code="evidence-origin"
        )
    return quorum(checkpoint_text, parse_vkey(keys[origin]), record.owner, trust)


def verify_place(record: evidence_pb2.Recorded, cosigned: Cosigned) -> Logged:
    """The entry of a record, once it is shown to stand under the cosigned checkpoint."""
    index, path, _ = read_proof(record.proof)
    checkpoint = cosigned.checkpoint
    try:
        verify_inclusion(index, checkpoint.size, leaf_hash(record.entry), path, checkpoint.root)
    except Unverified as error:
        raise Unverified(f"{record.owner}: {error.message}", code=error.code) from None
    entry = Entry.from_bytes(record.entry)
    return Logged(record.owner, checkpoint.origin, index, entry, record.entry, cosigned)


def open_context(record: evidence_pb2.Recorded, entry: Entry) -> Mapping[str, Any]:
    """What an entry commits to, held against its commitment; empty where it commits to nothing."""
    committed = entry.fields.get("context")
    if committed is None:
        if record.salt or record.context:
            raise _context(record, "its entry commits to none")
        return {}
    if len(record.salt) != SALT_BYTES:
        raise _context(record, "it lacks its salt: its owner may have erased it")
    if not hmac.compare_digest(commitment(record.salt, record.context).hex(), str(committed)):
        raise _context(record, "it is not the one that was recorded")
    try:
        context = json.loads(record.context)
    except (ValueError, RecursionError):
        raise _context(record, "it cannot be read") from None
    if not isinstance(context, dict):
        raise _context(record, "it is no set of named fields")
    return context


def check_sealed(record: evidence_pb2.Recorded) -> None:
    """Raise `Unverified` unless what an entry commits to was left with its owner."""
    if record.salt or record.context:
        raise _context(record, "what is beside an entry on a round is nobody else's to see")


def _context(record: evidence_pb2.Recorded, what: str) -> Unverified:
    return Unverified(f"the context that {record.owner} gives does not hold: {what}",
                      code="evidence-context")  # fmt: skip
