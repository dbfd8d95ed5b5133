"""Which certificates hold no more: the regions' lists, as values. Verifies no signature.

A list speaks of certificates under its own region's root and of no others. Whether one is
needed at all, the trust list says; `revocation` reads and accepts what signers sign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dataspace.errors import Refused, Unverified
from dataspace.v1.envelope_pb2 import Envelope

PERIOD_MS = 300_000  # from one list to the next
STALE_MS = 600_000  # after its issue, a list answers for nobody
SKEW_MS = 60_000  # by which a signer's clock may be ahead
REASONS = (
    "unspecified",
    "key-compromise",
    "ca-compromise",
    "affiliation-changed",
    "superseded",
    "cessation-of-operation",
    "privilege-withdrawn",
)  # of RFC 5280, section 5.3.1; a hold is not among them: what is revoked stays so

STALE_RULE = "revocation-stale"
REVOKED_RULE = "identity-revoked"
_BASIS = "space rule: revocation"


def spki_sha256(key: PublicKeyTypes) -> bytes:
    """What names a key: SHA-256 of its DER SubjectPublicKeyInfo."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


@dataclass(frozen=True)
class CertificateId:
    """What names a certificate in a list."""

    issuer: bytes  # DER Name
    serial: int
    spki_sha256: bytes  # of the DER SubjectPublicKeyInfo

    def __post_init__(self) -> None:
        if not self.issuer or self.serial <= 0 or len(self.spki_sha256) != 32:
            raise bad_list("a certificate in it is not named by issuer, serial number and key")

    @classmethod
    def of(cls, certificate: x509.Certificate) -> CertificateId:
        """The name of a certificate that was read whole."""
        return cls(
            certificate.issuer.public_bytes(),
            certificate.serial_number,
            spki_sha256(certificate.public_key()),
        )


@dataclass(frozen=True)
class Revoked:
    """One certificate that holds no more, since when, and why."""

    certificate: CertificateId
    revoked_at_ms: int
    reason: str

    def __post_init__(self) -> None:
        if self.reason not in REASONS or self.revoked_at_ms <= 0:
            raise bad_list("an entry has no time, or a reason that is none of the known ones")


@dataclass(frozen=True)
class RevocationList:
    """One numbered list of one region, with the envelope that it came in."""

    region: str
    number: int
    issued_at_ms: int
    revoked: tuple[Revoked, ...]
    envelope: Envelope
    payload_sha256: bytes
    _serials: frozenset[tuple[bytes, int]] = field(init=False, repr=False, compare=False)
    _keys: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.number < 1 or self.issued_at_ms <= 0:
            raise bad_list("it has no number or no time")
        names = [each.certificate for each in self.revoked]
        places = [(each.issuer, each.serial) for each in names]
        if places != sorted(set(places)):
            raise bad_list("its entries are not in their order, each once")
        object.__setattr__(self, "_serials", frozenset(places))
        object.__setattr__(self, "_keys", frozenset(each.spki_sha256 for each in names))

    def names(self, certificate: CertificateId) -> bool:
        """Whether a certificate is in it, or another one of the same key."""
        # SECURITY: by the key too, so that a revoked key does not come back under a new
        # certificate.
        place = (certificate.issuer, certificate.serial)
        return place in self._serials or certificate.spki_sha256 in self._keys

    def is_current(self, at_ms: int) -> bool:
        """Whether it answers for anybody at that time."""
        return self.issued_at_ms - SKEW_MS <= at_ms <= self.issued_at_ms + STALE_MS


@dataclass(frozen=True)
class Revocations:
    """The latest list of each region. Without lists it refuses everybody whom it is asked about.

    `must_be_current` is given up for what a party verified once and keeps, before anybody has
    handed it the lists of the day; nothing is released on such a look.
    """

    lists: Mapping[str, RevocationList] = field(default_factory=dict)
    must_be_current: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "lists", MappingProxyType(dict(self.lists)))

    def check(
        self, region: str, chain: Sequence[CertificateId], at_ms: int, *, may_be_stale: bool = False
    ) -> None:
        """Refuse, by rule `identity-revoked`, a chain of which a certificate is in its region's
        list; by rule `revocation-stale`, where there is no current list to look in."""
        own = self.lists.get(region)
        if own is not None and any(own.names(each) for each in chain):
            raise Refused(
                f"{region} has revoked this certificate or the authority that issued it; "
                "see `gba identity list`, and have a new one issued for a new key",
                code=REVOKED_RULE,
                rule=REVOKED_RULE,
                basis=_BASIS,
            )
        if may_be_stale or not self.must_be_current:
            return
        if own is None or not own.is_current(at_ms):
            raise Refused(
                f"there is no revocation list of {region} that is at most "
                f"{STALE_MS // 60_000} minutes old; see that its revocation signer runs and is "
                "attached (`gba space status`), and check the clock",
                code=STALE_RULE,
                rule=STALE_RULE,
                basis=_BASIS,
            )


def bad_list(what: str) -> Unverified:
    """The error for a list that contradicts itself."""
    return Unverified(
        f"this revocation list cannot be used: {what}; ask the region's signer for a sound one",
        code="bad-revocation-list",
    )
