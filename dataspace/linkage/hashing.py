"""Hashing to uniform bytes: `expand_message_xmd` with SHA-512 (RFC 9380 §5.3.1).

    b_0 = H(Z_pad ‖ msg ‖ I2OSP(len, 2) ‖ 0x00 ‖ DST_prime)
    b_1 = H(b_0 ‖ 0x01 ‖ DST_prime),  b_i = H((b_0 XOR b_(i-1)) ‖ i ‖ DST_prime)

`DST_prime` is the domain separation tag followed by its length. A tag longer than 255 bytes is
refused rather than hashed: none of ours is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from dataspace.errors import Malformed

_BLOCK = 128  # of SHA-512
_DIGEST = 64
_ZERO_BLOCK = hashlib.sha512(bytes(_BLOCK))  # Z_pad is a whole block: compress it once


def expand(message: bytes, dst: bytes, length: int) -> bytes:
    """`length` uniform bytes of a message, 1 to 255 × 64. Raises `Malformed` (`hash-tag`)."""
    tag = _tag(dst)
    if not 1 <= length <= 255 * _DIGEST:
        raise Malformed("a hash has 1 to 16,320 bytes", code="hash-length")
    first = _first_block(message, length, tag)
    blocks = [hashlib.sha512(first + b"\x01" + tag).digest()]
    for number in range(2, -(-length // _DIGEST) + 1):
        mixed = bytes(a ^ b for a, b in zip(first, blocks[-1], strict=True))
        blocks.append(hashlib.sha512(mixed + bytes([number]) + tag).digest())
    return b"".join(blocks)[:length]


def expand_each(messages: Iterable[bytes], dst: bytes) -> bytes:
    """64 uniform bytes of each message, one after the other."""
    tag = _tag(dst)
    end, sha512 = b"\x01" + tag, hashlib.sha512
    return b"".join(
        sha512(_first_block(message, _DIGEST, tag) + end).digest() for message in messages
    )


def _first_block(message: bytes, length: int, tag: bytes) -> bytes:
    state = _ZERO_BLOCK.copy()
    state.update(message + length.to_bytes(2, "big") + b"\x00" + tag)
    return state.digest()


def _tag(dst: bytes) -> bytes:
    if not 1 <= len(dst) <= 255:
        raise Malformed("a domain separation tag has 1 to 255 bytes", code="hash-tag")
    return dst + bytes([len(dst)])
