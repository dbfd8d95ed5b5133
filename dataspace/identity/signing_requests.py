"""Signing requests: what a party asks its region's authority to certify. Makes and keeps no keys.

    file       DSSE as JSON; payloadType application/vnd.gba.dataspace.signing-request.v1+json
    payload    {"uri", "made_at_ms", "signing": PEM, "tls": PEM,          two PKCS#10 requests
                "log": vkey, "witness": [vkey, vkey],                     of those who have them
                "previous": PEM}                                          the certificate before
    signatures one by each key of the payload; keyid "signing", "tls", "log", "witness-1",
               "witness-2", "previous"

Each key signs the whole payload, so that each is proven to be held, and none can be taken out of
one request and put into another. The fingerprint is of the payload: two people who read it to
each other know that they hold the same request. A certificate of before that signs along
shows that its holder asks; without it an authority does not know who did.

A PKCS#10 request is taken with exactly one extension, the alternative names, and these are the URI
and, for a broker's TLS, DNS names. What else a certificate says is the authority's to decide.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from dataspace.audit.notes import COSIGNATURE_ML_DSA_44, VerifierKey, parse_vkey
from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.identity.algorithms import (
    ECDSA_P256,
    algorithm_of,
    certificate_hash,
    sign,
    verify,
)
from dataspace.identity.dsse import pae
from dataspace.identity.names import ActorUri
from dataspace.identity.reading import read_pem_certificates
from dataspace.identity.revoked import spki_sha256

REQUEST_TYPE = "application/vnd.gba.dataspace.signing-request.v1+json"
MAX_REQUEST_BYTES = 65_536  # with ML-DSA-44 throughout a request has about 30,000
SIGNING, TLS, LOG, WITNESS, PREVIOUS = "signing", "tls", "log", "witness", "previous"
_EXTENSION_REQUEST = x509.ObjectIdentifier("1.2.840.113549.1.9.14")  # RFC 2985, 5.4.2
_LOG_ROLES = frozenset({"node", "broker"})
_FINGERPRINT_GROUPS = 10


@dataclass(frozen=True)
class SigningRequest:
    """A request whose every signature was verified. What it asks for is not granted yet."""

    uri: ActorUri
    made_at_ms: int
    signing_key: PublicKeyTypes
    tls_key: PublicKeyTypes
    dns_names: tuple[str, ...]
    log: VerifierKey | None
    witness: tuple[VerifierKey, ...]
    previous: x509.Certificate | None  # its key signed along; whose it is, an authority knows
    sha256: bytes  # of the payload

    @property
    def fingerprint(self) -> str:
        """To be read out; see `spoken`."""
        return spoken(self.sha256)


@dataclass(frozen=True)
class RequestKeys:
    """The private keys that a party asks certificates for, and those that sign along."""

    signing: PrivateKeyTypes = field(repr=False)
    tls: PrivateKeyTypes = field(repr=False)
    log: tuple[VerifierKey, PrivateKeyTypes] | None = field(default=None, repr=False)
    witness: Sequence[tuple[VerifierKey, PrivateKeyTypes]] = field(default=(), repr=False)
    previous: tuple[x509.Certificate, PrivateKeyTypes] | None = field(default=None, repr=False)


def spoken(sha256: bytes) -> str:
    """The first 160 bits of a digest, in groups to be read out."""
    text = sha256.hex()
    return " ".join(text[at : at + 4] for at in range(0, _FINGERPRINT_GROUPS * 4, 4))


def make_request(
    uri: ActorUri, keys: RequestKeys, made_at_ms: int, dns_names: Sequence[str] = ()
) -> bytes:
    """A request's file."""
    signers = {SIGNING: keys.signing, TLS: keys.tls}
    said: dict[str, object] = {
        "uri": str(uri),
        "made_at_ms": made_at_ms,
        SIGNING: _csr(uri, keys.signing, ()),
        TLS: _csr(uri, keys.tls, dns_names),
    }
    if keys.log is not None:
        said[LOG], signers[LOG] = keys.log[0].to_text(), keys.log[1]
    if keys.witness:
        said[WITNESS] = [vkey.to_text() for vkey, _ in keys.witness]
        signers |= {f"{WITNESS}-{n}": key for n, (_, key) in enumerate(keys.witness, 1)}
    if keys.previous is not None:
        said[PREVIOUS] = keys.previous[0].public_bytes(Encoding.PEM).decode()
        signers[PREVIOUS] = keys.previous[1]
    payload = json.dumps(said, sort_keys=True).encode()
    signatures = [
        {"keyid": name, "sig": base64.b64encode(sign(key, pae(REQUEST_TYPE, payload))).decode()}
        for name, key in signers.items()
    ]
    file = {
        "payloadType": REQUEST_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": signatures,
    }
    return json.dumps(file, indent=1).encode() + b"\n"


def read_request(file: bytes) -> SigningRequest:
    """A request from its file, every signature verified.

    Raises `Malformed` (`signing-request`) for what breaks the form, and `Unverified`
    (`signing-request`, `bad-signature`) where a key is not proven to be held.
    """
    payload, signatures = _opened(file)
    said = _object(payload, {"uri", "made_at_ms", SIGNING, TLS}, {LOG, WITNESS, PREVIOUS})
    uri = ActorUri.parse(_text(said["uri"]))
    made_at_ms = said["made_at_ms"]
    if not isinstance(made_at_ms, int) or made_at_ms <= 0:
        raise _bad("it does not say when it was made")
    signing_key, more = _checked_csr(_text(said[SIGNING]), uri)
    tls_key, dns_names = _checked_csr(_text(said[TLS]), uri)
    if more or bool(dns_names) != (uri.role == "broker"):
        raise _bad("a broker's TLS request names its DNS name, and no other request names any")
    if algorithm_of(tls_key) != ECDSA_P256:
        raise _bad("TLS takes a P-256 key")
    log = _vkey(said[LOG], 0x01) if LOG in said else None
    witness = _vkeys(said[WITNESS]) if WITNESS in said else ()
    previous = _certificate(_text(said[PREVIOUS])) if PREVIOUS in said else None
    if (log is not None and uri.role not in _LOG_ROLES) or (witness and uri.role != WITNESS):
        raise _bad(f"a {uri.role} has no such key; leave it out")
    keys = {SIGNING: signing_key, TLS: tls_key}
    if log is not None:
        keys[LOG] = _public(log)
    keys |= {f"{WITNESS}-{n}": _public(each) for n, each in enumerate(witness, 1)}
    # SECURITY: one key for two uses would let what it signs for the one pass for the other.
    if len({spki_sha256(key) for key in keys.values()}) != len(keys):
        raise _bad("one key stands in it twice; each use has a key of its own")
    if previous is not None:
        keys[PREVIOUS] = previous.public_key()
    _verify_all(keys, signatures, payload)
    return SigningRequest(
        uri, made_at_ms, signing_key, tls_key, dns_names, log, witness, previous,
        hashlib.sha256(payload).digest(),
    )  # fmt: skip


def _verify_all(
    keys: Mapping[str, PublicKeyTypes], signatures: Mapping[str, bytes], payload: bytes
) -> None:
    if keys.keys() != signatures.keys():
        raise Unverified(
            "this signing request is not signed by exactly the keys in it; "
            "have it made again with `gba identity request`",
            code="signing-request",
        )
    for name, key in keys.items():
        verify(key, signatures[name], pae(REQUEST_TYPE, payload))


def _csr(uri: ActorUri, key: PrivateKeyTypes, dns_names: Sequence[str]) -> str:
    names = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(str(uri)), *map(x509.DNSName, dns_names)]
    )
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, uri.name)])
    ).add_extension(names, critical=False)
    signed = builder.sign(key, certificate_hash(key))  # type: ignore[arg-type]  # of `algorithms`
    return signed.public_bytes(Encoding.PEM).decode()


def _checked_csr(pem: str, uri: ActorUri) -> tuple[PublicKeyTypes, tuple[str, ...]]:
    """The key of a PKCS#10 request, and its DNS names; nothing else may be asked for."""
    try:
        csr = x509.load_pem_x509_csr(pem.encode())
        extensions = list(csr.extensions)
        attributes = {each.oid for each in csr.attributes}
        key, valid = csr.public_key(), csr.is_signature_valid
    except Exception as error:  # the parser raises several unrelated kinds
        raise _bad("a PKCS#10 request in it cannot be read") from error
    algorithm_of(key)
    if not valid:
        raise Unverified(
            "a PKCS#10 request is not signed by its own key; have it made again",
            code="signing-request",
        )
    # SECURITY: a right to issue, another use or a further name is never an authority's to
    # overlook: whoever asks for it is refused, and not merely given less.
    if attributes - {_EXTENSION_REQUEST} or len(extensions) != 1:
        raise _bad("it asks for more than its names; the authority decides what else is certified")
    names = extensions[0].value
    if not isinstance(names, x509.SubjectAlternativeName):
        raise _bad("it asks for more than its names; the authority decides what else is certified")
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    dns_names = tuple(names.get_values_for_type(x509.DNSName))
    if uris != [str(uri)] or len(list(names)) != 1 + len(dns_names):
        raise _bad("a PKCS#10 request in it names another than the request does, or more")
    return key, dns_names


def _opened(file: bytes) -> tuple[bytes, dict[str, bytes]]:
    if len(file) > MAX_REQUEST_BYTES:
        raise _bad(f"it has more than {MAX_REQUEST_BYTES} bytes")
    outer = _object(file, {"payloadType", "payload", "signatures"}, set())
    if outer["payloadType"] != REQUEST_TYPE or not isinstance(outer["signatures"], list):
        raise _bad("it is of another type")
    signatures = {}
    for each in outer["signatures"]:
        if not isinstance(each, dict) or each.keys() != {"keyid", "sig"}:
            raise _bad("a signature has a keyid and a sig")
        if _text(each["keyid"]) in signatures:
            raise _bad("a key signs it once")
        signatures[each["keyid"]] = _decode(each["sig"])
    return _decode(outer["payload"]), signatures


def _object(text: bytes, needed: set[str], may: set[str]) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise _bad("a key stands in it twice")
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _bad("it is no JSON") from error
    if not isinstance(value, dict) or not needed <= value.keys() <= needed | may:
        raise _bad(f"it holds {', '.join(sorted(needed))}, and nothing that is not known")
    return value


def _vkeys(value: object) -> tuple[VerifierKey, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= 2:
        raise _bad("a witness has one or two keys")
    found = tuple(_vkey(each, 0x04, 0x06) for each in value)
    if len({each.name for each in found}) != 1:
        raise _bad("the keys of a witness bear one name")
    return found


def _vkey(value: object, *kinds: int) -> VerifierKey:
    try:
        key = parse_vkey(_text(value))
    except DataspaceError as error:
        raise _bad(error.message) from error
    if key.kind not in kinds:
        raise _bad("a verifier key in it is of another kind")
    return key


def _public(vkey: VerifierKey) -> PublicKeyTypes:
    if vkey.kind == COSIGNATURE_ML_DSA_44:
        return MLDSA44PublicKey.from_public_bytes(vkey.public)
    return Ed25519PublicKey.from_public_bytes(vkey.public)


def _certificate(pem: str) -> x509.Certificate:
    found = read_pem_certificates(pem.encode())
    if len(found) != 1:
        raise _bad("it names one certificate of before, without its chain")
    return found[0]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _bad("something in it is no text")
    return value


def _decode(value: object) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except ValueError as error:
        raise _bad("something in it is no base64") from error


def _bad(what: str) -> Malformed:
    return Malformed(
        f"this signing request cannot be used: {what}; have it made again with "
        "`gba identity request`",
        code="signing-request",
    )
