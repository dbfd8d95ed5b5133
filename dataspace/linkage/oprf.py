"""The oblivious PRF of RFC 9497 in VOPRF mode, ristretto255-SHA512. Keeps no key, draws nothing.

    requester                                node (secret k, public K = kG)
    blind(input, b)        -> bH(x)   ---->  evaluate_blinded: kbH(x), proof that k is K's
    finalize               <----             (batched: one proof for several elements)
      = SHA-512(x, kH(x))                    evaluate: the same value, where x is known

The node learns nothing of x; the requester learns the value of x alone, and by the proof that
the node used the key it committed to. Scalars come of 64 uniform bytes that are passed in
(`points.scalar_from`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dataspace.errors import Malformed, Unverified
from dataspace.linkage import sodium
from dataspace.linkage.points import (
    GENERATOR,
    GROUP_ORDER,
    POINT_BYTES,
    SCALAR_BYTES,
    blind,
    check_points,
    hash_all,
    hash_to_group,
    hash_to_scalar,
    inverse,
)

OUTPUT_BYTES = 64
PROOF_BYTES = 2 * SCALAR_BYTES
MAX_INPUT_BYTES = 2**16 - 1

_CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"
_GROUP_TAG = b"HashToGroup-" + _CONTEXT
_SCALAR_TAG = b"HashToScalar-" + _CONTEXT
_KEY_TAG = b"DeriveKeyPair" + _CONTEXT
_SEED_TAG = b"Seed-" + _CONTEXT


@dataclass(frozen=True)
class EpochKey:
    """A node's key for one epoch. `Malformed` (`scalar`) where the secret is none."""

    secret: bytes
    public: bytes

    def __post_init__(self) -> None:
        if blind(GENERATOR, self.secret) != self.public:
            raise Malformed("the public key is not that of the secret", code="oprf-key")


def derive_key(seed: bytes, info: bytes) -> EpochKey:
    """`DeriveKeyPair` of RFC 9497 §3.2.1: `seed` is 32 random bytes."""
    if len(seed) != SCALAR_BYTES:
        raise Malformed("a key is derived from 32 random bytes", code="oprf-key")
    for counter in range(256):
        secret = hash_to_scalar(seed + _prefixed(info) + bytes([counter]), _KEY_TAG)
        if any(secret):
            return EpochKey(secret, sodium.multiply_base(secret))
    raise Malformed("this seed makes no key; draw another", code="oprf-key")


def blind_input(data: bytes, scalar: bytes) -> bytes:
    """`Blind`: what the requester sends; the node cannot tell which input it is of."""
    _check_input(data)
    return blind(hash_to_group(data, _GROUP_TAG), scalar)


def evaluate_blinded(key: EpochKey, blinded: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    """`BlindEvaluate`: the elements under the key, and one proof for all of them (64 bytes).

    `nonce` is a fresh scalar: used twice, it gives the key away. Raises `Unverified`
    (`bad-point`), and `Malformed` (`oprf-batch`) where there are no elements or over 65,535.
    """
    evaluated = blind(blinded, key.secret)
    combined = _combine(key.public, blinded, evaluated, key.secret)
    proof = _prove(key, combined, nonce)
    return evaluated, proof


def finalize(
    public: bytes,
    inputs: Sequence[bytes],
    scalars: Sequence[bytes],
    evaluated: bytes,
    proof: bytes,
) -> list[bytes]:
    """`Finalize`: the outputs (64 bytes each) of inputs that were blinded with `scalars`.

    Raises `Unverified` (`oprf-proof`) where the node used another key, or proves nothing.
    """
    blinded = b"".join(map(blind_input, inputs, scalars))
    if len(scalars) != len(inputs) or len(evaluated) != len(blinded):
        raise _unproven()
    check_points(public + evaluated)
    _verify(public, _combine(public, blinded, evaluated, None), proof)
    elements = [
        blind(evaluated[at : at + POINT_BYTES], inverse(scalar))
        for at, scalar in zip(range(0, len(evaluated), POINT_BYTES), scalars, strict=True)
    ]
    return list(map(_output, inputs, elements))


def evaluate(secret: bytes, inputs: Sequence[bytes]) -> bytes:
    """`Evaluate` (RFC 9497 §3.3.1) of many inputs: their outputs, 64 bytes each, in order.

    For the node's own tables: it knows the inputs, so nothing is blinded or proven. One
    multiplication and one hash to the group each.
    """
    for data in inputs:
        _check_input(data)
    elements = blind(hash_all(inputs, _GROUP_TAG), secret)
    return b"".join(
        _output(data, elements[at : at + POINT_BYTES])
        for data, at in zip(inputs, range(0, len(elements), POINT_BYTES), strict=True)
    )


def _output(data: bytes, element: bytes) -> bytes:
    return hashlib.sha512(_prefixed(data) + _prefixed(element) + b"Finalize").digest()


def _combine(
    public: bytes, blinded: bytes, evaluated: bytes, secret: bytes | None
) -> tuple[bytes, bytes]:
    """`ComputeComposites` (RFC 9497 §2.2.1): one pair of points that stands for all pairs."""
    count = len(blinded) // POINT_BYTES
    if not 1 <= count <= 2**16 - 1:
        raise Malformed("one proof is for 1 to 65,535 elements", code="oprf-batch")
    seed = hashlib.sha512(_prefixed(public) + _prefixed(_SEED_TAG)).digest()
    weights = [_weight(seed, at, blinded, evaluated) for at in range(count)]
    combined = _sum(weights, blinded)
    if secret is not None:
        return combined, blind(combined, secret)
    return combined, _sum(weights, evaluated)


def _weight(seed: bytes, number: int, blinded: bytes, evaluated: bytes) -> bytes:
    at = number * POINT_BYTES
    one, other = blinded[at : at + POINT_BYTES], evaluated[at : at + POINT_BYTES]
    place = number.to_bytes(2, "big")
    data = _prefixed(seed) + place + _prefixed(one) + _prefixed(other) + b"Composite"
    return hash_to_scalar(data, _SCALAR_TAG)


def _sum(weights: Iterable[bytes], points: bytes) -> bytes:
    total = bytes(POINT_BYTES)
    for number, weight in enumerate(weights):
        at = number * POINT_BYTES
        total = sodium.add(total, blind(points[at : at + POINT_BYTES], weight, number))
    return total


def _prove(key: EpochKey, combined: tuple[bytes, bytes], nonce: bytes) -> bytes:
    challenge = _challenge(key.public, combined, blind(GENERATOR, nonce), blind(combined[0], nonce))
    answer = sodium.scalar_subtract(nonce, sodium.scalar_multiply(challenge, key.secret))
    return challenge + answer


def _verify(public: bytes, combined: tuple[bytes, bytes], proof: bytes) -> None:
    challenge, answer = proof[:SCALAR_BYTES], proof[SCALAR_BYTES:]
    if len(proof) != PROOF_BYTES or not (_is_scalar(challenge) and _is_scalar(answer)):
        raise _unproven()
    first = sodium.add(blind(GENERATOR, answer), blind(public, challenge))
    second = sodium.add(blind(combined[0], answer), blind(combined[1], challenge))
    if not hmac.compare_digest(_challenge(public, combined, first, second), challenge):
        raise _unproven()


def _challenge(public: bytes, combined: tuple[bytes, bytes], first: bytes, second: bytes) -> bytes:
    parts = b"".join(map(_prefixed, (public, *combined, first, second)))
    return hash_to_scalar(parts + b"Challenge", _SCALAR_TAG)


def _is_scalar(data: bytes) -> bool:
    return 0 < int.from_bytes(data, "little") < GROUP_ORDER


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _check_input(data: bytes) -> None:
    if len(data) > MAX_INPUT_BYTES:
        raise Malformed("an input has at most 65,535 bytes", code="oprf-input")


def _unproven() -> Unverified:
    return Unverified(
        "the node does not prove that it used its epoch's key; do not use the answer",
        code="oprf-proof",
    )
