"""Keys of a party, and the request for their certificates. Rim: makes keys in files or a token.

    first      keys/signing.key, keys/tls.key; a node's or broker's keys/log.key, a witness's two
    rotating   keys/signing.next.key, keys/tls.next.key beside those in use

What is there already is used again: to make a request twice, or once more after a crash, gives a
request for the same keys. Two kinds of keys are pinned in the trust list, a broker's TLS key and a
revocation signer's signing key. A rotation keeps them, unless it is told not to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from dataspace.audit.cosignatures import CosigningPrivateKey, cosigning_vkey
from dataspace.audit.notes import VerifierKey, verifier_key
from dataspace.errors import Malformed, Refused
from dataspace.held_keys import LOG_KEY, log_key
from dataspace.identity.algorithms import ECDSA_P256, ED25519, algorithm_of
from dataspace.identity.keystore import (
    FORMER,
    SIGNING_CHAIN,
    SIGNING_KEY,
    TLS_CHAIN,
    TLS_KEY,
    WITNESS_KEYS,
    find_private_key,
    generate_private_key,
    load_chain,
    load_private_key,
    next_key,
    write_private_key,
)
from dataspace.identity.names import ActorUri
from dataspace.identity.profiles import signing_uri
from dataspace.identity.revoked import spki_sha256
from dataspace.identity.signing_requests import RequestKeys, make_request
from dataspace.tokens import find_token_key, list_token_keys, make_token_key, parse_key_uri

BROKER_DNS = "broker.dataspace.internal"


@dataclass(frozen=True)
class KeyPlaces:
    """A party's directory, who it is, and where its keys are kept if not in files."""

    path: Path
    uri: ActorUri
    log_origin: str = ""
    signing_uri: str = ""  # PKCS#11
    log_uri: str = ""

    @property
    def witness_name(self) -> str:
        """A witness's name, in the space that the log's origin names."""
        space = self.log_origin.partition("/")[0]
        return f"{space}/witness/{self.uri.region}"


def first_request(
    places: KeyPlaces, made_at_ms: int, algorithm: str = ED25519, dns_name: str = BROKER_DNS
) -> bytes:
    """A request for a party that has no certificates yet; makes the keys that are missing.

    `Refused` by `identity-there` where it has them: then it rotates.
    """
    if (places.path / SIGNING_CHAIN).exists() and (places.path / TLS_CHAIN).exists():
        raise Refused(
            f"{places.path} has its certificates; renew them with `gba identity rotate`",
            code="identity-there",
            rule="identity-there",
            basis="space rule: keys",
        )
    if places.signing_uri:
        signing = _token_key(places, algorithm, None)
    else:
        signing = _kept(places.path / SIGNING_KEY, algorithm)
    keys = RequestKeys(
        signing,
        _kept(places.path / TLS_KEY, ECDSA_P256),
        _log(places) if places.uri.role in {"node", "broker"} else None,
        _witness(places) if places.uri.role == "witness" else (),
    )
    return make_request(places.uri, keys, made_at_ms, _dns_names(places.uri, dns_name))


def rotation_request(
    places: KeyPlaces, made_at_ms: int, *, same_keys: bool = False, pinned_too: bool = False
) -> bytes:
    """A request for new keys beside those in use, or (`same_keys`) for new certificates alone.

    Signed by the key in use too, so that the authority sees who asks.
    """
    chain, tls_chain = load_chain(places.path / SIGNING_CHAIN), load_chain(places.path / TLS_CHAIN)
    if signing_uri(chain[0]) != places.uri:
        raise Malformed("the certificate in use names another party", code="bad-identity")
    signing = _signing_of(places, chain[0].public_key())
    tls = find_private_key(places.path / TLS_KEY, tls_chain[0].public_key())
    role = places.uri.role
    keeps_signing = same_keys or (role == "revocation" and not pinned_too)
    keeps_tls = same_keys or (role == "broker" and not pinned_too)
    keys = RequestKeys(
        signing if keeps_signing else _next_signing(places, signing),
        tls if keeps_tls else _kept(next_key(places.path / TLS_KEY), ECDSA_P256),
        previous=(chain[0], signing),
    )
    names = _dns_of(tls_chain[0]) if role == "broker" else ()
    return make_request(places.uri, keys, made_at_ms, names)


def _signing_of(places: KeyPlaces, public: PublicKeyTypes) -> PrivateKeyTypes:
    if places.signing_uri:
        return find_token_key(parse_key_uri(places.signing_uri, places.path), public)
    return find_private_key(places.path / SIGNING_KEY, public)


def _next_signing(places: KeyPlaces, used: PrivateKeyTypes) -> PrivateKeyTypes:
    algorithm = algorithm_of(used.public_key())
    if places.signing_uri:
        return _token_key(places, algorithm, used.public_key())
    return _kept(next_key(places.path / SIGNING_KEY), algorithm)


def _token_key(places: KeyPlaces, algorithm: str, used: PublicKeyTypes | None) -> PrivateKeyTypes:
    """The one key of the label that is not in use yet; made where there is none."""
    uri = parse_key_uri(places.signing_uri, places.path)
    retired = {spki_sha256(each.public_key()) for each in _former_leaves(places.path)}
    fresh = [
        each for each in list_token_keys(uri) if each != used and spki_sha256(each) not in retired
    ]
    if len(fresh) > 1:
        raise Malformed(
            f"the token holds {len(fresh)} keys {uri.label} that no certificate was installed for; "
            "remove all but one of them",
            code="token-key",
        )
    return find_token_key(uri, fresh[0]) if fresh else make_token_key(uri, algorithm)


def _former_leaves(home: Path) -> list[x509.Certificate]:
    return [load_chain(file)[0] for file in sorted((home / FORMER).glob("*.pem"))]


def _dns_names(uri: ActorUri, name: str) -> tuple[str, ...]:
    return (name,) if uri.role == "broker" else ()


def _dns_of(leaf: x509.Certificate) -> tuple[str, ...]:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(names.get_values_for_type(x509.DNSName))


def _kept(file: Path, algorithm: str) -> PrivateKeyTypes:
    if not file.exists():
        write_private_key(file, generate_private_key(algorithm))
    return load_private_key(file)


def _log(places: KeyPlaces) -> tuple[VerifierKey, PrivateKeyTypes]:
    if places.log_uri:
        uri = parse_key_uri(places.log_uri, places.path)
        if not list_token_keys(uri):
            make_token_key(uri, ED25519)
    else:
        _kept(places.path / LOG_KEY, ED25519)
    key = log_key(places.path, places.log_uri)
    return verifier_key(places.log_origin, key), key


def _witness(places: KeyPlaces) -> list[tuple[VerifierKey, PrivateKeyTypes]]:
    made: list[CosigningPrivateKey] = [Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate()]
    found: list[tuple[VerifierKey, PrivateKeyTypes]] = []
    for name, fresh in zip(WITNESS_KEYS, made, strict=True):
        file = places.path / name
        if not file.exists():
            write_private_key(file, fresh)
        key = load_private_key(file)
        if not isinstance(key, type(fresh)):
            raise Malformed(f"{file} holds a key of another kind", code="witness-key")
        found.append((cosigning_vkey(places.witness_name, key), key))
    return found
