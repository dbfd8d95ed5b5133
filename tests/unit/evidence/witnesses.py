"""Witnesses of the three regions, as Ed25519 cosignatures (type 0x04) in one process."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import verify_checkpoint
from dataspace.audit.notes import NoteSignature, VerifierKey, parse_note
from dataspace.errors import Unverified
from dataspace.evidence.logged import Cosigned
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import TrustList

KEYS = {region: Ed25519PrivateKey.generate() for region in REGIONS}
KEYIDS = {region: f"w{number}id".encode() for number, region in enumerate(REGIONS)}


def cosign(note_text: str, regions: Sequence[str], at_ms: int) -> str:
    """The note with a line of each region's witness."""
    body = parse_note(note_text).text
    lines = ""
    for region in regions:
        signed = KEYS[region].sign(_covered(body, at_ms // 1000))
        stamped = struct.pack(">Q", at_ms // 1000) + signed
        lines += NoteSignature(f"witness/{region}", KEYIDS[region], stamped).line
    return note_text + lines


def quorum(note_text: str, log_key: VerifierKey, owner: str, trust: TrustList) -> Cosigned:
    """Two regions other than the owner's."""
    checkpoint = verify_checkpoint(note_text, log_key)
    note, times = parse_note(note_text), {}
    for each in note.signatures[1:]:
        region = each.name.removeprefix("witness/")
        if KEYIDS.get(region) != each.keyid:
            raise Unverified("a line by a key that the trust list does not name", code="stranger")
        (at_s,) = struct.unpack(">Q", each.signature[:8])
        try:
            KEYS[region].public_key().verify(each.signature[8:], _covered(note.text, at_s))
        except InvalidSignature:
            raise Unverified("a cosignature does not hold", code="cosignature") from None
        times[region] = at_s * 1000
    counted = sorted(at for region, at in times.items() if region != owner)
    if len(counted) < 2:
        raise Unverified("not cosigned yet by two other regions", code="not-cosigned")
    others = tuple(sorted(region for region in times if region != owner))
    return Cosigned(checkpoint, counted[1], others)


def _covered(body: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{body}".encode()
