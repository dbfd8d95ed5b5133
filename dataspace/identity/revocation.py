"""Signing revocation lists, and accepting them. Keeps none: the caller stores what was accepted.

list N+1   signed by a certificate of role `revocation` in its region, with the key that the
           trust list names for that very signer
number     above the one that was accepted before; a lower one is refused, and so is
           another list under the same number
time       not from the future; that it is not stale is asked whenever it is used
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dataspace.errors import Refused, Unverified
from dataspace.identity.envelopes import Identity, open_envelope, seal
from dataspace.identity.revoked import (
    PERIOD_MS,
    SKEW_MS,
    CertificateId,
    RevocationList,
    Revocations,
    Revoked,
    bad_list,
)
from dataspace.identity.trusted import REVOCATION, TrustList
from dataspace.v1 import revocation_pb2
from dataspace.v1.envelope_pb2 import Envelope


def seal_revocation_list(
    identity: Identity,
    space: str,
    number: int,
    issued_at_ms: int,
    revoked: Iterable[Revoked],
) -> Envelope:
    """A region's list number `number`, signed. The order of `revoked` does not matter."""
    wire = revocation_pb2.RevocationList(
        space=space,
        region=identity.uri.region,
        number=number,
        issued_at_ms=issued_at_ms,
        next_at_ms=issued_at_ms + PERIOD_MS,
    )
    places = {(each.certificate.issuer, each.certificate.serial): each for each in revoked}
    for _, each in sorted(places.items()):
        wire.revoked.add(
            issuer=each.certificate.issuer,
            serial=_number_bytes(each.certificate.serial),
            spki_sha256=each.certificate.spki_sha256,
            revoked_at_ms=each.revoked_at_ms,
            reason=each.reason,
        )
    return seal(wire, identity)


def open_revocation_list(envelope: Envelope, trust: TrustList, at: datetime) -> RevocationList:
    """Verify that a list is its region's, as of an aware time.

    Raises those of `open_envelope`, and `Unverified` (`revocation-signer`,
    `bad-revocation-list`).
    """
    opened = open_envelope(envelope, revocation_pb2.RevocationList, trust, at)
    wire, signer = opened.message, opened.signer
    key = signer.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    # SECURITY: a certificate alone does not make a signer; the key is pinned, so that a member's
    # authority cannot make one up, and one region's signer cannot speak for another region.
    if (
        signer.uri.role != REVOCATION
        or not any(
            (each.uri, each.public_key_der) == (signer.uri, key)
            for each in trust.revocation_signers
        )
        or wire.region != signer.uri.region
        or wire.space != trust.space
    ):
        raise Unverified(
            "this revocation list is not signed by a signer that the trust list names for its "
            "region; see `gba trust show`",
            code="revocation-signer",
        )
    return RevocationList(
        region=wire.region,
        number=wire.number,
        issued_at_ms=wire.issued_at_ms,
        revoked=tuple(_revoked_of(each) for each in wire.revoked),
        envelope=envelope,
        payload_sha256=opened.payload_sha256,
    )


def accept_list(trust: TrustList, envelope: Envelope, now_ms: int) -> TrustList:
    """`trust` with one list more in force. The list that is there already changes nothing.

    Raises those of `open_revocation_list`, and `Unverified` (`revocation-rollback`,
    `-fork`, `-future`).
    """
    known = trust.revocations.lists
    digest = hashlib.sha256(envelope.payload).digest()
    if any(each.payload_sha256 == digest for each in known.values()):
        return trust
    fresh = open_revocation_list(envelope, trust, datetime.fromtimestamp(now_ms / 1000, UTC))
    if fresh.issued_at_ms > now_ms + SKEW_MS:
        raise _unverified("future", "is from the future; check both clocks")
    current = known.get(fresh.region)
    if current is not None and fresh.number < current.number:
        raise _unverified("rollback", f"comes after number {current.number}; keep the later one")
    if current is not None and fresh.number == current.number:
        raise _unverified(
            "fork", f"is another than the one accepted as number {current.number}; ask the region"
        )
    lists = {**known, fresh.region: fresh}
    return replace(trust, revocations=replace(trust.revocations, lists=lists))


def carry_lists(trust: TrustList, earlier: Revocations, now_ms: int) -> TrustList:
    """A newer trust list with the lists that were in force, without those of signers it no
    longer names."""
    for each in earlier.lists.values():
        try:
            trust = accept_list(trust, each.envelope, now_ms)
        except (Refused, Unverified):
            continue
    return trust


def _revoked_of(wire: revocation_pb2.RevokedCertificate) -> Revoked:
    serial = int.from_bytes(wire.serial)
    if _number_bytes(serial) != wire.serial:
        raise bad_list("a serial number is not written in its one form")
    return Revoked(
        CertificateId(wire.issuer, serial, wire.spki_sha256), wire.revoked_at_ms, wire.reason
    )


def _number_bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _unverified(what: str, message: str) -> Unverified:
    return Unverified(f"this revocation list {message}", code=f"revocation-{what}")
