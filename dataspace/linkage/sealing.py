"""Sealing to a key: HPKE in base mode (RFC 9180), single-shot, bound to what it is for. Pure.

    kind                 KEM                     public key             overhead
    x25519               DHKEM(X25519)           32                     48 bytes
    mlkem768-x25519      ML-KEM-768 + X25519     1184 (ML-KEM) ‖ 32     1136 bytes

with HKDF-SHA256 and AES-256-GCM. Base mode proves nothing about the sender: whatever is sealed
is signed as well. The encapsulation draws its own randomness, as signatures do; keys come of
random bytes that are passed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from dataspace.errors import Malformed, Unverified

X25519 = "x25519"
HYBRID = "mlkem768-x25519"
KINDS = (HYBRID, X25519)  # the best first

_X25519_BYTES = 32
_MLKEM_BYTES = 1184
_MLKEM_SEED_BYTES = 64
SEED_BYTES = {X25519: _X25519_BYTES, HYBRID: _MLKEM_SEED_BYTES + _X25519_BYTES}
_KEY_BYTES = {X25519: _X25519_BYTES, HYBRID: _MLKEM_BYTES + _X25519_BYTES}

_SUITES = {
    kind: hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    for kind, kem in ((X25519, hpke.KEM.X25519), (HYBRID, hpke.KEM.MLKEM768_X25519))
}

_Private: TypeAlias = X25519PrivateKey | hpke.MLKEM768X25519PrivateKey
_Public: TypeAlias = X25519PublicKey | hpke.MLKEM768X25519PublicKey

_LENGTH_BYTES = 4
_SMALLEST_CLASS = 4096
_LARGEST_CLASS = 4 * 1024 * 1024


@dataclass(frozen=True)
class PublicSealingKey:
    """Whom to seal to. Raises `Malformed` (`sealing-key`) for what is no key of its kind."""

    kind: str
    data: bytes
    _key: _Public = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.data) != _KEY_BYTES.get(self.kind):
            raise _no_key()
        try:
            object.__setattr__(self, "_key", _read_public(self.kind, self.data))
        except ValueError:
            raise _no_key() from None

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """Encrypt for this key's holder alone; opens only with the same `info`.

        Raises `Malformed` (`sealing-key`) where the key turns out to be of small order.
        """
        try:
            return _SUITES[self.kind].encrypt(plaintext, self._key, info=info)
        except ValueError:
            raise _no_key() from None


@dataclass(frozen=True)
class SealingKey:
    """A holder's key, made of `SEED_BYTES[kind]` random bytes."""

    kind: str
    public: PublicSealingKey
    _key: _Private = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, kind: str, seed: bytes) -> SealingKey:
        """Raises `Malformed` (`sealing-key`) for another kind or length."""
        if len(seed) != SEED_BYTES.get(kind):
            raise _no_key()
        curve = X25519PrivateKey.from_private_bytes(seed[-_X25519_BYTES:])
        public = curve.public_key().public_bytes_raw()
        if kind == X25519:
            return cls(kind, PublicSealingKey(kind, public), curve)
        lattice = MLKEM768PrivateKey.from_seed_bytes(seed[:_MLKEM_SEED_BYTES])
        public = lattice.public_key().public_bytes_raw() + public
        key = hpke.MLKEM768X25519PrivateKey(lattice, curve)
        return cls(kind, PublicSealingKey(kind, public), key)

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Decrypt. Raises `Unverified` (`sealed`) for another key, place or purpose, or bytes."""
        try:
            return _SUITES[self.kind].decrypt(sealed, self._key, info=info)
        except (InvalidTag, ValueError):
            raise Unverified(
                "this is not sealed to us for this place; do not use it", code="sealed"
            ) from None


def common_kind(mine: Iterable[str], theirs: Iterable[str]) -> str:
    """The best kind that both sides have. Raises `Malformed` (`sealing-kind`) without one."""
    both = set(mine) & set(theirs)
    for kind in KINDS:
        if kind in both:
            return kind
    raise Malformed("the two sides have no kind of sealing key in common", code="sealing-kind")


def bound_to(purpose: str, *parts: bytes) -> bytes:
    """The `info` of something sealed: its purpose and what it belongs to, each with its length."""
    return b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (b"gba-dataspace sealing v1", purpose.encode(), *parts)
    )


def pad(plaintext: bytes, least: int = _SMALLEST_CLASS) -> bytes:
    """Fill up to a size class: `least`, twice that, and so on to 4 MiB, so that size says little.

        padded = length[4] ‖ plaintext ‖ zeros

    `least` is a power of two, 4 KiB unless given. Raises `Malformed` (`too-large`).
    """
    size = least
    while size < _LENGTH_BYTES + len(plaintext):
        size *= 2
    if size > _LARGEST_CLASS:
        raise Malformed("too much to be sealed at once; ask for less", code="too-large")
    return (len(plaintext).to_bytes(_LENGTH_BYTES, "big") + plaintext).ljust(size, b"\0")


def unpad(padded: bytes, least: int = _SMALLEST_CLASS) -> bytes:
    """What `pad` filled up. Raises `Unverified` (`padding`) for any other form of it."""
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    plaintext = padded[_LENGTH_BYTES : _LENGTH_BYTES + length]
    # INVARIANT: one text has one padded form, so that the filling carries nothing.
    if len(plaintext) != length or length > _LARGEST_CLASS or pad(plaintext, least) != padded:
        raise Unverified("what was sealed is not filled up as it should be", code="padding")
    return plaintext


def _read_public(kind: str, data: bytes) -> _Public:
    curve = X25519PublicKey.from_public_bytes(data[-_X25519_BYTES:])
    if kind == X25519:
        return curve
    return hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(data[:_MLKEM_BYTES]), curve
    )


def _no_key() -> Malformed:
    return Malformed("this is not a sealing key of a kind that we know", code="sealing-key")
