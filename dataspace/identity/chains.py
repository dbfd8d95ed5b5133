"""Certificate chains held against the regions' roots. Judges no revocation: trust lists do.

A chain is the leaf and its member's authority. The region's root is left out: whoever
verifies takes roots from the trust list alone. Path building, signatures and the profile
of authorities are `cryptography.x509.verification`'s (RFC 5280); that a leaf speaks for the
region and member of its chain is ours, since URI name constraints are not supported there.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.verification import Criticality, ExtensionPolicy

from dataspace.errors import Refused, Unverified
from dataspace.identity.algorithms import may_issue
from dataspace.identity.certificates import member_of, profile_of, region_of
from dataspace.identity.names import ActorUri
from dataspace.identity.profiles import signing_uri, tls_uri
from dataspace.identity.reading import read_certificate, read_pem_certificates
from dataspace.identity.revoked import CertificateId

CHAIN_LENGTH = 2  # leaf, member's authority

Roots = Mapping[str, Sequence[x509.Certificate]]
Path = tuple[x509.Certificate, x509.Certificate, x509.Certificate]  # leaf, authority, root


@dataclass(frozen=True)
class VerifiedSigner:
    """Who holds a certificate whose chain was verified."""

    uri: ActorUri
    leaf_sha256: bytes  # SHA-256 of the DER leaf certificate
    public_key: CertificatePublicKeyTypes
    chain: tuple[CertificateId, ...]  # leaf and authority, as revocation lists name them
    profile: str = ""  # the region's own word for the office, from the leaf's subject
    assurance: int = 1  # as the trust list says of that profile; set by `open_envelope`


def verify_chain(
    chain_der: Sequence[bytes], roots_by_region: Roots, at: datetime
) -> VerifiedSigner:
    """Verify a signing chain, leaf first, as of an aware time.

    Raises `Unverified` (`bad-chain`, `bad-certificate`, `unknown-algorithm`) for what is no
    chain at all, and `Refused` under one of the rules `identity-unlisted`,
    `identity-certificate-expired`, `identity-certificate-profile`, `identity-chain-region`
    and `identity-chain-member`.
    """
    return _PATHS.verify(chain_der, roots_by_region, at, signing_uri, _SIGNING_POLICY)


def verify_tls_peer(
    leaf_pem: bytes, chain_pem: bytes, roots_by_region: Roots, at: datetime
) -> VerifiedSigner:
    """Verify the certificate of a TLS peer, with what the peer sent along; errors as above.

    `chain_pem` holds the member's authority. The leaf may stand in it too: some TLS
    libraries put it there, others do not.
    """
    leaves = read_pem_certificates(leaf_pem)
    authorities = [one for one in read_pem_certificates(chain_pem) if one not in leaves]
    chain = [one.public_bytes(Encoding.DER) for one in (*leaves, *authorities)]
    return _PATHS.verify(chain, roots_by_region, at, tls_uri, _TLS_POLICY)


_SIGNING_POLICY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    .require_present(x509.KeyUsage, Criticality.AGNOSTIC, None)
    .require_not_present(x509.ExtendedKeyUsage)
    .require_not_present(x509.NameConstraints)
)
_TLS_POLICY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    .require_present(x509.KeyUsage, Criticality.AGNOSTIC, None)
    .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
    .require_not_present(x509.NameConstraints)
)


class _Paths:
    """Paths that were verified: a chain is the same chain until one of its certificates, or
    the list of roots, changes. Holds what was found true, never an error."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[VerifiedSigner, Path]] = OrderedDict()

    def verify(
        self,
        chain_der: Sequence[bytes],
        roots_by_region: Roots,
        at: datetime,
        uri_of: Callable[[x509.Certificate], ActorUri],
        leaf_policy: ExtensionPolicy,
    ) -> VerifiedSigner:
        """As `_verify`; the certificates' own times are looked at every time."""
        # SECURITY: the key is the whole input but the time: the chain's exact bytes, every
        # root with its region, and whether it is a signing or a TLS chain.
        roots = tuple((region, tuple(own)) for region, own in sorted(roots_by_region.items()))
        key = (tuple(chain_der), roots, uri_of)
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
        if found is None or not all(_is_current(each, at) for each in found[1]):
            found = _verify(chain_der, roots_by_region, at, uri_of, leaf_policy)
            with self._lock:
                self._known[key] = found
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
        return found[0]


_PATHS = _Paths(most=1024)


def _verify(
    chain_der: Sequence[bytes],
    roots_by_region: Roots,
    at: datetime,
    uri_of: Callable[[x509.Certificate], ActorUri],
    leaf_policy: ExtensionPolicy,
) -> tuple[VerifiedSigner, Path]:
    leaf, authority = _read(chain_der)
    uri = uri_of(leaf)
    regions = _possible_roots(authority, roots_by_region)
    current = [root for root in regions if _is_current(root, at)]
    if not (current and _is_current(leaf, at) and _is_current(authority, at)):
        raise _expired()
    root = _build_path(leaf, authority, current, at, leaf_policy)
    _hold_against_chain(uri, authority, regions[root])
    signer = VerifiedSigner(
        uri=uri,
        leaf_sha256=hashlib.sha256(chain_der[0]).digest(),
        public_key=leaf.public_key(),
        chain=(CertificateId.of(leaf), CertificateId.of(authority)),
        profile=profile_of(leaf),
    )
    return signer, (leaf, authority, root)


def _read(chain_der: Sequence[bytes]) -> tuple[x509.Certificate, x509.Certificate]:
    if len(chain_der) != CHAIN_LENGTH:
        raise Unverified(
            "a chain is the leaf and its member's authority, without the region's root",
            code="bad-chain",
        )
    leaf, authority = map(read_certificate, chain_der)
    return leaf, authority


def _possible_roots(
    authority: x509.Certificate, roots_by_region: Roots
) -> dict[x509.Certificate, str]:
    """The listed roots that bear the issuer's name, each with its region."""
    regions: dict[x509.Certificate, str] = {}
    for region, roots in roots_by_region.items():
        for root in roots:
            if root.subject == authority.issuer:
                # SECURITY: a root listed under two regions would let one speak as the other.
                if root in regions:
                    raise _wrong_region()
                regions[root] = region
    if not regions:
        raise _unlisted()
    return regions


def _build_path(
    leaf: x509.Certificate,
    authority: x509.Certificate,
    roots: list[x509.Certificate],
    at: datetime,
    leaf_policy: ExtensionPolicy,
) -> x509.Certificate:
    """The root that the chain ends in."""
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(roots))
        .time(at.astimezone(UTC))
        .max_chain_depth(CHAIN_LENGTH - 1)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf_policy)
        .build_client_verifier()
    )
    try:
        path = verifier.verify(leaf, [authority]).chain
    except verification.VerificationError as error:
        raise _unlisted() from error
    # SECURITY: a listed root must not stand in for the member's authority.
    if path[:-1] != [leaf, authority]:
        raise _unlisted()
    if not all(may_issue(issuer.public_key()) for issuer in path[1:]):
        raise _unlisted()
    return path[-1]


def _hold_against_chain(uri: ActorUri, authority: x509.Certificate, region: str) -> None:
    if not uri.region == region_of(authority) == region:
        raise _wrong_region()
    if uri.member != member_of(authority):
        raise Refused(
            f"a member's authority may not speak for another member of {region}; "
            "have the certificate issued by the actor's own member",
            code="identity-chain-member",
            rule="identity-chain-member",
            basis=_BASIS,
        )


def _is_current(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


_BASIS = "space rule: identity"


def _wrong_region() -> Refused:
    return Refused(
        "one region's root may not speak for another region; "
        "have the certificate issued by the actor's own region",
        code="identity-chain-region",
        rule="identity-chain-region",
        basis=_BASIS,
    )


def _expired() -> Refused:
    return Refused(
        "a certificate of the chain has expired or is not valid yet; renew it, and check the clock",
        code="identity-certificate-expired",
        rule="identity-certificate-expired",
        basis=_BASIS,
    )


def _unlisted() -> Refused:
    return Refused(
        "no root of the trust list vouches for this certificate; see `gba trust show`",
        code="identity-unlisted",
        rule="identity-unlisted",
        basis=_BASIS,
    )
