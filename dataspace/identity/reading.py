"""Certificates from bytes, read whole at once. Verifies nothing.

The parser reads lazily and raises several unrelated kinds of error, each where a field is
first asked for. Here all fields are asked for, so that a certificate that was read once
raises nothing later.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dataspace.errors import Unverified
from dataspace.identity.algorithms import algorithm_of

MAX_CERTIFICATE_BYTES = 16_384  # with ML-DSA-44 a certificate has about 4,500


def read_certificate(der: bytes) -> x509.Certificate:
    """One certificate and nothing behind it; `Unverified` `bad-certificate` otherwise."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise _bad(f"it has more than {MAX_CERTIFICATE_BYTES} bytes")
    try:
        certificate = x509.load_der_x509_certificate(der)
        _touch(certificate)
    except Exception as error:
        raise _bad("its fields are broken") from error
    # SECURITY: the parser takes signature bits declared unused, and would so let anybody
    # make a second certificate, with another digest, out of a valid one.
    if not der.endswith(b"\0" + certificate.signature) or certificate.serial_number <= 0:
        raise _bad("its fields are broken")
    algorithm_of(certificate.public_key())
    return certificate


def read_pem_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM text, at least one; errors as above."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _bad("it is no PEM text") from error
    return tuple(read_certificate(one.public_bytes(Encoding.DER)) for one in certificates)


def _touch(certificate: x509.Certificate) -> tuple[object, ...]:
    return (
        certificate.subject,
        certificate.issuer,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.serial_number,
        certificate.public_key(),
        list(certificate.extensions),
    )


def _bad(what: str) -> Unverified:
    return Unverified(f"a certificate cannot be read: {what}", code="bad-certificate")
