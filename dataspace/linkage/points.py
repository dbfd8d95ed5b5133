"""Points of ristretto255 (RFC 9496) in packed batches: hashing to them, and blinding them.

A batch is the encodings one after the other, 32 bytes each. Draws no randomness: scalars and
random points come of uniform bytes that are passed in. The identity and every encoding that is
not the canonical one are refused, naming their position. Runs on one core; `node.blinding`
spreads batches over all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from dataspace.errors import Malformed, Unverified
from dataspace.linkage import sodium
from dataspace.linkage.hashing import expand, expand_each
from dataspace.linkage.sodium import POINT_BYTES, SCALAR_BYTES, UNIFORM_BYTES, Buffer

__all__ = [
    "GENERATOR",
    "GROUP_ORDER",
    "POINT_BYTES",
    "SCALAR_BYTES",
    "UNIFORM_BYTES",
    "Buffer",
    "blind",
    "check_points",
    "hash_all",
    "hash_to_group",
    "hash_to_scalar",
    "inverse",
    "random_points",
    "scalar_from",
]

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
_ZERO = bytes(SCALAR_BYTES)
_IDENTITY = bytes(POINT_BYTES)
GENERATOR = sodium.multiply_base((1).to_bytes(SCALAR_BYTES, "little"))


def scalar_from(uniform: bytes) -> bytes:
    """The scalar of 64 uniform random bytes (RFC 9496 §4.4), never zero.

    Raises `Malformed` (`scalar`) for another length, and for bytes that reduce to zero.
    """
    if len(uniform) != UNIFORM_BYTES:
        raise Malformed("a scalar is made of 64 random bytes", code="scalar")
    scalar = sodium.scalar_reduce(uniform)
    if scalar == _ZERO:
        raise Malformed("these bytes make the scalar zero; draw others", code="scalar")
    return scalar


def inverse(scalar: bytes) -> bytes:
    """The scalar that undoes this one. Raises `Malformed` (`scalar`)."""
    _check_scalar(scalar)
    return sodium.scalar_invert(scalar)


def hash_to_group(message: bytes, dst: bytes) -> bytes:
    """`hash_to_ristretto255` of RFC 9380, appendix B, with SHA-512, under a separation tag."""
    return hash_all([message], dst)


def hash_all(messages: Iterable[bytes], dst: bytes) -> bytes:
    """The batch of the points that the messages hash to, in their order."""
    return sodium.from_uniform(expand_each(messages, dst))


def hash_to_scalar(message: bytes, dst: bytes) -> bytes:
    """`HashToScalar` of RFC 9497 §4.1; may be zero, with negligible probability."""
    return sodium.scalar_reduce(expand(message, dst, UNIFORM_BYTES))


def random_points(uniform: Buffer) -> bytes:
    """A batch of points, one for each 64 uniform random bytes."""
    return sodium.from_uniform(uniform)


def blind(points: Buffer, scalar: bytes, first: int = 0) -> bytes:
    """The batch with every point multiplied by `scalar`.

    `first` is the position of the batch in what it belongs to, for messages alone. Raises
    `Unverified` (`bad-point`) for the identity, a point that is not canonical, or a part of
    one; `Malformed` (`scalar`) for a scalar that is zero or not reduced.
    """
    _check_scalar(scalar)
    _check_whole(points)
    blinded, good = sodium.multiply(scalar, points)
    if good * POINT_BYTES != len(points):
        raise _bad_point(first + good)
    return blinded


def check_points(points: Buffer, first: int = 0) -> None:
    """Refuse what `blind` refuses, at a tenth of its cost. Raises `Unverified` (`bad-point`)."""
    _check_whole(points)
    good = sodium.valid(points)
    data = bytes(points)
    at = data.find(_IDENTITY)
    while at >= 0 and at % POINT_BYTES:
        at = data.find(_IDENTITY, at + 1)
    if at >= 0:
        good = min(good, at // POINT_BYTES)
    if good * POINT_BYTES != len(data):
        raise _bad_point(first + good)


def _check_scalar(scalar: bytes) -> None:
    # SECURITY: libsodium ignores the top bit and multiplies by zero without a word.
    value = int.from_bytes(scalar, "little")
    if len(scalar) != SCALAR_BYTES or not 0 < value < GROUP_ORDER:
        raise Malformed("a scalar is 32 bytes, reduced and not zero", code="scalar")


def _check_whole(points: Buffer) -> None:
    if len(points) % POINT_BYTES:
        raise Unverified("points have 32 bytes each; the last is cut short", code="bad-point")


def _bad_point(position: int) -> Unverified:
    return Unverified(
        f"point {position} is the identity or not canonical; whoever sent it is at fault",
        code="bad-point",
    )
