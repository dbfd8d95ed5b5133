"""The closed set of signature algorithms. Makes and keeps no keys.

Which algorithm signs follows from the key alone, so nothing in a message can choose it.
Adding one is one more entry in `_ALGORITHMS`.

- `ecdsa-p256-sha256`: FIPS 186-5, signature as DER `Ecdsa-Sig-Value` (RFC 3279)
- `ed25519`: RFC 8032
- `ml-dsa-44`: FIPS 204, pure, empty context
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from dataspace.errors import Unverified

ECDSA_P256 = "ecdsa-p256-sha256"
ED25519 = "ed25519"
ML_DSA_44 = "ml-dsa-44"


@dataclass(frozen=True)
class _Algorithm:
    """One entry. Keys are `Any`: the libraries' key classes share no typed `sign`."""

    matches: Callable[[Any], bool]  # is this public key of the algorithm?
    generate: Callable[[], PrivateKeyTypes]
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]  # key, signature, data
    certificate_hash: hashes.SHA256 | None  # what an X.509 builder is told to hash with


def _is_p256(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


_ALGORITHMS: dict[str, _Algorithm] = {
    ECDSA_P256: _Algorithm(
        matches=_is_p256,
        generate=lambda: ec.generate_private_key(ec.SECP256R1()),
        sign=lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA256())),
        verify=lambda key, sig, data: key.verify(sig, data, ec.ECDSA(hashes.SHA256())),
        certificate_hash=hashes.SHA256(),
    ),
    ED25519: _Algorithm(
        matches=lambda key: isinstance(key, ed25519.Ed25519PublicKey),
        generate=ed25519.Ed25519PrivateKey.generate,
        sign=lambda key, data: key.sign(data),
        verify=lambda key, sig, data: key.verify(sig, data),
        certificate_hash=None,
    ),
    ML_DSA_44: _Algorithm(
        matches=lambda key: isinstance(key, mldsa.MLDSA44PublicKey),
        generate=mldsa.MLDSA44PrivateKey.generate,
        sign=lambda key, data: key.sign(data),
        verify=lambda key, sig, data: key.verify(sig, data),
        certificate_hash=None,
    ),
}

ALGORITHMS = tuple(_ALGORITHMS)
CA_ALGORITHMS = (ECDSA_P256, ML_DSA_44)  # the chain verifier takes no Ed25519 issuer


def algorithm_of(public_key: PublicKeyTypes) -> str:
    """The name of the algorithm a key signs with; `Unverified` for any other key or curve."""
    for name, algorithm in _ALGORITHMS.items():
        if algorithm.matches(public_key):
            return name
    raise Unverified(
        f"this kind of key is not in use here; use one of {', '.join(ALGORITHMS)}",
        code="unknown-algorithm",
    )


def may_issue(public_key: PublicKeyTypes) -> bool:
    """Whether a key is of a kind that authorities use."""
    return any(_ALGORITHMS[name].matches(public_key) for name in CA_ALGORITHMS)


def sign(private_key: PrivateKeyTypes, data: bytes) -> bytes:
    """Sign `data` with the one algorithm of the key."""
    return _ALGORITHMS[algorithm_of(private_key.public_key())].sign(private_key, data)


def verify(public_key: PublicKeyTypes, signature: bytes, data: bytes) -> None:
    """Return if `signature` over `data` is the key's; `Unverified` `bad-signature` if not."""
    algorithm = _ALGORITHMS[algorithm_of(public_key)]
    try:
        algorithm.verify(public_key, signature, data)
    except (InvalidSignature, ValueError) as error:
        raise Unverified(
            "the signature does not fit what it covers; ask the sender to sign again",
            code="bad-signature",
        ) from error


def certificate_hash(private_key: PrivateKeyTypes) -> hashes.SHA256 | None:
    """The hash an X.509 builder needs for this key; none where the algorithm has its own."""
    return _ALGORITHMS[algorithm_of(private_key.public_key())].certificate_hash


def generate(algorithm: str) -> PrivateKeyTypes:
    """A new private key from the system's randomness, for `keystore` and tests alone."""
    try:
        entry = _ALGORITHMS[algorithm]
    except KeyError:
        raise Unverified(
            f"this algorithm is not in use here; use one of {', '.join(ALGORITHMS)}",
            code="unknown-algorithm",
        ) from None
    return entry.generate()
