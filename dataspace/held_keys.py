"""Where a party's private keys are: in files, or in the token that party.toml names. Rim."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from dataspace.errors import Malformed
from dataspace.identity.keystore import FindKey, find_private_key, load_private_key
from dataspace.tokens import find_token_key, parse_key_uri

LOG_KEY = Path("keys/log.key")


def signing_key_finder(home: Path, uri: str) -> FindKey:
    """What finds the signing key of a certificate: by the PKCS#11 URI, or in `keys/` without."""
    if not uri:
        return find_private_key
    place = parse_key_uri(uri, home)

    def find(_: Path, public_key: PublicKeyTypes) -> PrivateKeyTypes:
        return find_token_key(place, public_key)

    return find


def log_key(home: Path, uri: str) -> Ed25519PrivateKey:
    """The log's key, by its PKCS#11 URI, or out of `keys/log.key` without."""
    key = find_token_key(parse_key_uri(uri, home)) if uri else load_private_key(home / LOG_KEY)
    if not isinstance(key, Ed25519PrivateKey):
        raise Malformed(
            f"{uri or home / LOG_KEY} must be an Ed25519 key, as C2SP logs have it", code="log-key"
        )
    return key
