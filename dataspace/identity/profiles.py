"""What an actor's certificate must look like, before its chain is asked about.

    signing   one alternative name, the URI     no extended key usage
    TLS       one URI among the names, P-256    extended key usage with clientAuth

Both: digitalSignature, no right to issue. The two exclude each other, so a key that a TLS
library holds never signs a request. Verifies no signature: a leaf that passes is still
nobody's until `chains` has verified it. Takes certificates from `reading`.
"""

from __future__ import annotations

from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from dataspace.errors import DataspaceError, Refused
from dataspace.identity.algorithms import ECDSA_P256, algorithm_of
from dataspace.identity.names import ActorUri

E = TypeVar("E", bound=x509.ExtensionType)

PROFILE_RULE = "identity-certificate-profile"


def signing_uri(leaf: x509.Certificate) -> ActorUri:
    """The actor a signing certificate names; `Refused` if it is not a signing certificate."""
    names = _check_holder(leaf)
    if _find(leaf, x509.ExtendedKeyUsage) is not None:
        raise _refused("a signing certificate has no extended key usage")
    if len(names) != 1:
        raise _refused("a signing certificate has one alternative name, the URI")
    return _uri(names)


def tls_uri(leaf: x509.Certificate) -> ActorUri:
    """The actor a TLS certificate names; `Refused` if it is not one for dialling out."""
    names = _check_holder(leaf)
    uses = _find(leaf, x509.ExtendedKeyUsage)
    if uses is None or ExtendedKeyUsageOID.CLIENT_AUTH not in uses:
        raise _refused("a TLS certificate has the extended key usage clientAuth")
    if algorithm_of(leaf.public_key()) != ECDSA_P256:
        raise _refused("a TLS certificate has a P-256 key")
    return _uri(names)


def holder_uri(certificate: x509.Certificate) -> ActorUri | None:
    """The actor that a certificate of either kind names; None for an authority's.

    `Refused` where it is neither.
    """
    constraints = _find(certificate, x509.BasicConstraints)
    return None if constraints is not None and constraints.ca else _uri(_check_holder(certificate))


def _check_holder(leaf: x509.Certificate) -> x509.SubjectAlternativeName:
    """What both kinds share; the alternative names."""
    constraints = _find(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise _refused("an authority does not speak for itself; use the actor's certificate")
    usage = _find(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise _refused("an actor's key is for digitalSignature, never for issuing")
    names = _find(leaf, x509.SubjectAlternativeName)
    if names is None:
        raise _refused("an actor's certificate names its URI")
    return names


def _uri(names: x509.SubjectAlternativeName) -> ActorUri:
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise _refused("an actor's certificate names exactly one URI")
    try:
        return ActorUri.parse(uris[0])
    except DataspaceError as error:
        raise _refused(error.message) from error


def _find(leaf: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _refused(what: str) -> Refused:
    return Refused(
        f"this certificate is not one that actors use here: {what}; have it issued again",
        code=PROFILE_RULE,
        rule=PROFILE_RULE,
        basis="space rule: identity",
    )
