"""What regions say of themselves in a new trust list: profiles, and who signs revocations. Rim.

The profiles are an example: each region's own words for who holds which office, and how
surely its authorities know it (1 low, 2 substantial, 3 high).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dataspace.identity.keystore import SIGNING_CHAIN, TLS_CHAIN, load_chain
from dataspace.identity.names import ActorUri
from dataspace.identity.register import REGISTER, Issued, Register
from dataspace.identity.revoked import CertificateId
from dataspace.v1 import trust_pb2

REVOCATION = "revocation"  # a region's signer is a party of its own, in a directory of the region's

# region -> role -> (profile, assurance)
PROFILES: dict[str, dict[str, tuple[str, int]]] = {
    "guangzhou": {
        "clinician": ("licensed-physician", 3),
        "researcher": ("registered-researcher", 2),
        "public_health": ("disease-control-officer", 3),
        "regulator": ("cyberspace-inspector", 3),
        "operator": ("system-administrator", 2),
    },
    "hongkong": {
        "clinician": ("registered-doctor", 3),
        "researcher": ("principal-investigator", 2),
        "public_health": ("health-protection-officer", 3),
        "regulator": ("privacy-commissioner-officer", 3),
        "operator": ("systems-manager", 2),
    },
    "macao": {
        "clinician": ("medico", 3),
        "researcher": ("investigador", 2),
        "public_health": ("tecnico-de-saude-publica", 3),
        "regulator": ("inspector-de-dados-pessoais", 3),
        "operator": ("tecnico-de-informatica", 2),
    },
}


def profile_of(uri: ActorUri) -> str:
    """What a holder's signing certificate calls its office; services have none."""
    return PROFILES[uri.region].get(uri.role, ("", 0))[0]


def profiles_of(region: str) -> list[trust_pb2.TrustedProfile]:
    """A region's profiles, for the trust list."""
    return [
        trust_pb2.TrustedProfile(profile=profile, role=role, assurance=assurance)
        for role, (profile, assurance) in sorted(PROFILES[region].items())
    ]


def signer_of(directory: Path, uri: ActorUri) -> trust_pb2.TrustedRevocationSigner:
    """A signer, for the trust list, by the certificate in its directory."""
    leaf = load_chain(directory / SIGNING_CHAIN)[0]
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return trust_pb2.TrustedRevocationSigner(uri=str(uri), public_key=spki)


def found_register(directory: Path, holders: Iterable[tuple[Path, ActorUri]]) -> None:
    """A register that knows what the region has issued to its holders, and nothing revoked."""
    register = Register(directory / REGISTER)
    issued = []
    for home, uri in holders:
        for use, file in (("signing", SIGNING_CHAIN), ("tls", TLS_CHAIN)):
            issued.append(issued_of(load_chain(home / file)[0], uri, use))
    register.issue(issued)
    register.close()


def issued_of(certificate: x509.Certificate, uri: ActorUri, use: str) -> Issued:
    """A register's row for a certificate."""
    until: datetime = certificate.not_valid_after_utc
    until_ms = int(until.timestamp() * 1000)
    return Issued(CertificateId.of(certificate), str(uri), use, until_ms)
