"""Signed envelopes: sealing a message, and opening one. Judges no freshness.

The order of opening is the promise: type, size, one signature, chain, signature, and only
then is the payload parsed. The payload names its signer's URI and leaf, so that neither
can be swapped for another that would verify as well.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, Protocol

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from google.protobuf.message import Message

from dataspace.errors import Malformed, Unverified
from dataspace.identity.algorithms import sign, verify
from dataspace.identity.chains import CHAIN_LENGTH, VerifiedSigner, verify_chain
from dataspace.identity.dsse import (
    MAX_PAYLOAD_BYTES,
    M,
    check_payload,
    pae,
    parse_envelope,
    parse_strictly,
    payload_type_of,
)
from dataspace.identity.names import ActorUri
from dataspace.identity.profiles import signing_uri
from dataspace.identity.reading import read_certificate
from dataspace.identity.trustlist import TrustList
from dataspace.v1.envelope_pb2 import Envelope, Signature, Signer

__all__ = [
    "Identity",
    "Opened",
    "SigningIdentity",
    "check_signer",
    "open_envelope",
    "pae",
    "parse_envelope",
    "payload_type_of",
    "seal",
]


@dataclass(frozen=True)
class SigningIdentity:
    """An actor with its key and chain (DER, leaf first). `Malformed` if they do not belong."""

    uri: ActorUri
    private_key: PrivateKeyTypes
    chain_der: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if len(self.chain_der) != CHAIN_LENGTH:
            raise _mismatch("its chain is the leaf and the member's authority")
        leaf = read_certificate(self.chain_der[0])
        if leaf.public_key() != self.private_key.public_key():
            raise _mismatch("its key is not the one of its certificate")
        if signing_uri(leaf) != self.uri:
            raise _mismatch("its certificate names another actor")

    @property
    def leaf_sha256(self) -> bytes:
        """SHA-256 of the DER leaf certificate."""
        return hashlib.sha256(self.chain_der[0]).digest()

    def current(self) -> SigningIdentity:
        """Itself: see `Identity`."""
        return self


class Identity(Protocol):
    """Who signs: always the same actor, with keys that may be renewed while it runs."""

    @property
    def uri(self) -> ActorUri:
        """The actor."""

    def current(self) -> SigningIdentity:
        """The key and certificate to sign with now."""


@dataclass(frozen=True)
class Opened(Generic[M]):
    """A message whose envelope was verified. Made by `open_envelope` alone."""

    message: M
    signer: VerifiedSigner
    payload_sha256: bytes  # the message's digest: of its exact bytes, never of a signature
    envelope: Envelope = field(compare=False, repr=False)  # as it came, for who keeps it


def seal(message: Message, signing: Identity) -> Envelope:
    """Sign a copy of `message` that names the identity in its `signer` field."""
    identity = signing.current()  # once: key, chain and the digest in the payload are of one kind
    signed = type(message)()
    signed.CopyFrom(message)
    signer = _signer_of(signed)
    signer.CopyFrom(Signer(uri=str(identity.uri), leaf_sha256=identity.leaf_sha256))
    payload = signed.SerializeToString(deterministic=True)
    payload_type = payload_type_of(type(message))
    signature = Signature(
        sig=sign(identity.private_key, pae(payload_type, payload)), chain=identity.chain_der
    )
    return Envelope(payload_type=payload_type, payload=payload, signatures=[signature])


def open_envelope(
    envelope: Envelope,
    message_class: type[M],
    trust: TrustList,
    at: datetime,
    *,
    max_payload_bytes: int = MAX_PAYLOAD_BYTES,
) -> Opened[M]:
    """Verify an envelope as of an aware time, and only then parse what it holds.

    Raises `Malformed` (`wrong-payload-type`, `too-large`, `bad-envelope`, `bad-message`,
    `unknown-field`), `Unverified` (`bad-signature`, `signer-mismatch`, and those of
    `verify_chain`) and `Refused` (`trust-list-expired`, `role-unrecognised`, and those of
    `verify_chain` and `TrustList.check_standing`).
    """
    check_payload(envelope, message_class, max_payload_bytes)
    signature, signer = _standing_signer(envelope, trust, at)
    verify(signer.public_key, signature.sig, pae(envelope.payload_type, envelope.payload))
    message = parse_strictly(message_class, envelope.payload, max_payload_bytes)
    _hold_against_signer(_signer_of(message), signer)
    return Opened(message, signer, hashlib.sha256(envelope.payload).digest(), envelope)


def check_signer(envelope: Envelope, trust: TrustList, at: datetime) -> None:
    """Look again at who signed an envelope that was opened before: raises as `open_envelope`
    does of chains, where its signer has lost its standing since."""
    _standing_signer(envelope, trust, at)


def _standing_signer(
    envelope: Envelope, trust: TrustList, at: datetime
) -> tuple[Signature, VerifiedSigner]:
    """The only signature, and who stands behind it; that it holds is still to be verified."""
    trust.check_current(at)
    signature = _only_signature(envelope)
    signer = verify_chain(signature.chain, trust.listed_roots(), at)
    trust.check_standing(signer, at)
    return signature, replace(signer, assurance=trust.assurance_of(signer))


def _only_signature(envelope: Envelope) -> Signature:
    if len(envelope.signatures) != 1 or envelope.signatures[0].keyid:
        raise Malformed(
            "an envelope carries one signature, by a certificate and not by a bare key",
            code="bad-envelope",
        )
    return envelope.signatures[0]


def _hold_against_signer(named: Signer, verified: VerifiedSigner) -> None:
    # SECURITY: one key may have two certificates. The payload says which one it meant.
    if named.uri != str(verified.uri) or not hmac.compare_digest(
        named.leaf_sha256, verified.leaf_sha256
    ):
        raise Unverified(
            "the message names another signer than its certificate; do not use it",
            code="signer-mismatch",
        )


def _signer_of(message: Message) -> Signer:
    signer = getattr(message, "signer", None)
    if not isinstance(signer, Signer):
        raise TypeError(f"{message.DESCRIPTOR.name} has no signer field and cannot be sealed")
    return signer


def _mismatch(what: str) -> Malformed:
    return Malformed(f"this signing identity is not whole: {what}", code="bad-identity")
