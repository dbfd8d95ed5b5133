"""Certificates as a region's authorities issue them (RFC 5280). Keeps and verifies none.

    region root    O=region                    P-256 or ML-DSA-44, path length 1
      member CA    O=region, OU=member         P-256 or ML-DSA-44, path length 0
        signing    one URI SAN, gba://...      any algorithm of `algorithms`; title=profile
        TLS        the same URI, DNS and IP    P-256, under a P-256 chain

All is decided by the arguments: keys, serial numbers and times are passed in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificatePublicKeyTypes,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dataspace.errors import DataspaceError, Malformed
from dataspace.identity.algorithms import (
    CA_ALGORITHMS,
    ECDSA_P256,
    algorithm_of,
    certificate_hash,
    may_issue,
)
from dataspace.identity.names import ActorUri, check_part, check_region

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class _Terms:
    """From when, until when, and under which serial number a certificate holds."""

    not_before: datetime
    not_after: datetime
    serial: int

    def __post_init__(self) -> None:
        if self.not_before.tzinfo is None or self.not_after.tzinfo is None:
            raise _malformed("times carry their zone; pass aware datetimes")
        if self.not_before >= self.not_after:
            raise _malformed("a certificate ends after it begins")
        if not 0 < self.serial < 1 << 159:
            raise _malformed("a serial number is positive and below 2^159")


def issue_root(
    region: str,
    key: CertificateIssuerPrivateKeyTypes,
    not_before: datetime,
    not_after: datetime,
    serial: int,
) -> x509.Certificate:
    """A region's self-signed root."""
    check_region(region)
    subject = _subject(region, None, "region root")
    public_key = _ca_key(key.public_key())
    terms = _Terms(not_before, not_after, serial)
    builder = _builder(subject, subject, public_key, public_key, terms)
    return _sign(_as_ca(builder, path_length=1), key)


def issue_member_ca(
    region: str,
    member: str,
    public_key: CertificatePublicKeyTypes,
    root_cert: x509.Certificate,
    root_key: CertificateIssuerPrivateKeyTypes,
    *,
    not_before: datetime,
    not_after: datetime,
    serial: int,
) -> x509.Certificate:
    """A member's authority under its region's root. `Malformed` under another region's root."""
    check_part("member", member)
    if region_of(root_cert) != region:
        raise _malformed("a member belongs under its own region's root")
    subject = _subject(region, member, "member authority")
    terms = _Terms(not_before, not_after, serial)
    builder = _under(root_cert, root_key, subject, _ca_key(public_key), terms)
    return _sign(_as_ca(builder, path_length=0), root_key)


def issue_signing(
    uri: ActorUri,
    public_key: CertificatePublicKeyTypes,
    member_ca_cert: x509.Certificate,
    member_ca_key: CertificateIssuerPrivateKeyTypes,
    *,
    not_before: datetime,
    not_after: datetime,
    serial: int,
    profile: str = "",
) -> x509.Certificate:
    """An actor's signing certificate: exactly one URI, and fit for signatures alone.

    `profile` is the region's own word for the holder's office, which the trust list maps.
    """
    _known_key(public_key)
    _hold_against_ca(uri, member_ca_cert)
    if profile:
        check_part("profile", profile)
    subject = _subject(uri.region, uri.member, uri.name, profile)
    terms = _Terms(not_before, not_after, serial)
    builder = _under(member_ca_cert, member_ca_key, subject, public_key, terms)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(uri))])
    return _sign(_as_leaf(builder, names), member_ca_key)


def issue_tls(
    uri: ActorUri,
    public_key: CertificatePublicKeyTypes,
    member_ca_cert: x509.Certificate,
    member_ca_key: CertificateIssuerPrivateKeyTypes,
    *,
    not_before: datetime,
    not_after: datetime,
    serial: int,
    dns_names: Sequence[str] = (),
    ip_addresses: Sequence[IpAddress] = (),
    server: bool = False,
) -> x509.Certificate:
    """An actor's TLS certificate; with `server`, one that others may dial by DNS name."""
    for key in (public_key, member_ca_cert.public_key()):
        if _known_key(key) != ECDSA_P256:
            raise _malformed("TLS takes P-256 alone, for the holder and for its authority")
    if server != bool(dns_names) or (ip_addresses and not server):
        raise _malformed("a server needs a DNS name, and only a server has addresses")
    _hold_against_ca(uri, member_ca_cert)
    subject = _subject(uri.region, uri.member, uri.name)
    terms = _Terms(not_before, not_after, serial)
    builder = _under(member_ca_cert, member_ca_key, subject, public_key, terms)
    names = x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier(str(uri)),
            *(x509.DNSName(name) for name in dns_names),
            *(x509.IPAddress(address) for address in ip_addresses),
        ]
    )
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if server:
        uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return _sign(_as_leaf(builder, names), member_ca_key)


def region_of(certificate: x509.Certificate) -> str | None:
    """The region an authority's subject names (O), or none where it is not exactly one."""
    return _one_of(certificate, NameOID.ORGANIZATION_NAME)


def member_of(certificate: x509.Certificate) -> str | None:
    """The member an authority's subject names (OU), or none where it is not exactly one."""
    return _one_of(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME)


def profile_of(certificate: x509.Certificate) -> str:
    """The office that a holder's subject names (title), or "" where it is not exactly one."""
    return _one_of(certificate, NameOID.TITLE) or ""


def _one_of(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | None:
    values = certificate.subject.get_attributes_for_oid(oid)
    if len(values) != 1 or not isinstance(values[0].value, str):
        return None
    return values[0].value


def _subject(region: str, member: str | None, name: str, profile: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, region)]
    if member is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, member))
    if profile:
        parts.append(x509.NameAttribute(NameOID.TITLE, profile))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _known_key(public_key: CertificatePublicKeyTypes) -> str:
    try:
        return algorithm_of(public_key)
    except DataspaceError as error:
        raise _malformed(error.message) from error


def _ca_key(public_key: CertificatePublicKeyTypes) -> CertificatePublicKeyTypes:
    if not may_issue(public_key):
        raise _malformed(f"an authority's key is one of {', '.join(CA_ALGORITHMS)}")
    return public_key


def _hold_against_ca(uri: ActorUri, ca: x509.Certificate) -> None:
    if (region_of(ca), member_of(ca)) != (uri.region, uri.member):
        raise _malformed("an actor's certificate comes from its own member's authority")


def _under(
    issuer: x509.Certificate,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    terms: _Terms,
) -> x509.CertificateBuilder:
    if issuer_key.public_key() != issuer.public_key():
        raise _malformed("the authority's key is not the one of its certificate")
    return _builder(subject, issuer.subject, public_key, issuer_key.public_key(), terms)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: CertificatePublicKeyTypes,
    issuer_key: CertificatePublicKeyTypes,
    terms: _Terms,
) -> x509.CertificateBuilder:
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)  # type: ignore[arg-type]
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public_key)
        .not_valid_before(terms.not_before)
        .not_valid_after(terms.not_after)
        .serial_number(terms.serial)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(aki, critical=False)
    )


def _as_ca(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    return builder.add_extension(constraints, critical=True).add_extension(
        _key_usage(ca=True), critical=True
    )


def _as_leaf(
    builder: x509.CertificateBuilder, names: x509.SubjectAlternativeName
) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    return (
        builder.add_extension(constraints, critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(names, critical=False)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(
    builder: x509.CertificateBuilder, key: CertificateIssuerPrivateKeyTypes
) -> x509.Certificate:
    return builder.sign(key, certificate_hash(key))


def _malformed(message: str) -> Malformed:
    return Malformed(message, code="bad-certificate-request")
