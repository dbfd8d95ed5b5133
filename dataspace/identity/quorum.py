"""Who signed with trust keys, and whether that is enough. Pure.

One rule for whatever the regions decide together: trust lists and charters. A signature by an
unknown key counts for nothing; a wrong one by a known key refuses the whole.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from dataspace.errors import Malformed
from dataspace.identity.algorithms import sign, verify
from dataspace.identity.dsse import pae
from dataspace.identity.trusted import QUORUM, TrustList
from dataspace.v1.envelope_pb2 import Envelope, Signature

MAX_SIGNATURES = 16


def cosign(envelope: Envelope, keyid: str, private_key: PrivateKeyTypes) -> Envelope:
    """The same payload with one signature more, so that each region signs at home."""
    covered = pae(envelope.payload_type, envelope.payload)
    signature = Signature(sig=sign(private_key, covered), keyid=keyid)
    return Envelope(
        payload_type=envelope.payload_type,
        payload=envelope.payload,
        signatures=[*envelope.signatures, signature],
    )


def signing_regions(authority: TrustList, envelope: Envelope) -> frozenset[str]:
    """The regions of `authority` whose trust keys signed; suspended ones are among them.

    Raises `Malformed` (`bad-envelope`) and `Unverified` (`bad-signature`).
    """
    _check_form(envelope)
    owners = {
        key.keyid: (name, key)
        for name, region in authority.regions.items()
        for key in region.trust_keys
    }
    covered = pae(envelope.payload_type, envelope.payload)
    signers = set()
    for signature in envelope.signatures:
        if signature.keyid in owners:
            name, key = owners[signature.keyid]
            verify(key.public_key, signature.sig, covered)
            signers.add(name)
    return frozenset(signers)


def is_quorum(authority: TrustList, signers: frozenset[str]) -> bool:
    """Whether two regions that are not suspended are among those that signed."""
    # INVARIANT: a suspended region counts for nothing but consent to changes of its own.
    return sum(not authority.is_suspended(region) for region in signers) >= QUORUM


def _check_form(envelope: Envelope) -> None:
    keyids = [signature.keyid for signature in envelope.signatures]
    if (
        not 0 < len(keyids) <= MAX_SIGNATURES
        or len(set(keyids)) != len(keyids)
        or any(signature.chain or not signature.keyid for signature in envelope.signatures)
    ):
        raise Malformed(
            "what regions decide together is signed by bare keys, each once and named by its id",
            code="bad-envelope",
        )
