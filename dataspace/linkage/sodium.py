"""libsodium's ristretto255, called over whole batches. Rim: it loads a shared library.

Values in, values out once loaded. Buffers are packed: element i is at i × its size. The
library is the one that the package `rbcl` carries; its own wrappers take one point a call and
copy it four times, so the functions are called by address here, at 0.1 µs a call. Every call
gives up the interpreter's lock and asks for it again, so that threads of a busy process starve:
who blinds many points does it in processes of their own (`node.blinding`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rbcl._sodium import _sodium

POINT_BYTES = 32
SCALAR_BYTES = 32
UNIFORM_BYTES = 64

Buffer = bytes | bytearray | memoryview
_Bytes = NDArray[np.uint8]

# The package writes the library into a temporary file that it leaves behind; once mapped, the
# file is not needed, and every process of a node would leave one.
LIBRARY_FILE: str = _sodium._name
with contextlib.suppress(OSError):
    os.unlink(LIBRARY_FILE)
if _sodium.sodium_init() < 0:
    raise ImportError("libsodium cannot be initialised")


def _function(name: str, arguments: int) -> Callable[..., int]:
    function = getattr(_sodium, name)
    function.argtypes = [ctypes.c_void_p] * arguments
    function.restype = ctypes.c_int
    called: Callable[..., int] = function
    return called


_multiply = _function("crypto_scalarmult_ristretto255", 3)
_multiply_base = _function("crypto_scalarmult_ristretto255_base", 2)
_valid = _function("crypto_core_ristretto255_is_valid_point", 1)
_from_hash = _function("crypto_core_ristretto255_from_hash", 2)
_add = _function("crypto_core_ristretto255_add", 3)
_scalar_reduce = _function("crypto_core_ristretto255_scalar_reduce", 2)
_scalar_invert = _function("crypto_core_ristretto255_scalar_invert", 2)
_scalar_multiply = _function("crypto_core_ristretto255_scalar_mul", 3)
_scalar_subtract = _function("crypto_core_ristretto255_scalar_sub", 3)


def multiply(scalar: bytes, points: Buffer) -> tuple[bytes, int]:
    """`scalar` times each point, and how many went well from the first on.

    libsodium refuses an encoding that is not canonical, and a result that is the identity.
    """
    source, count = _packed(points, POINT_BYTES)
    result = np.empty(count * POINT_BYTES, np.uint8)
    factor = _exactly(scalar, SCALAR_BYTES)
    at, to, by = source.ctypes.data, result.ctypes.data, factor.ctypes.data
    for offset in range(0, count * POINT_BYTES, POINT_BYTES):
        if _multiply(to + offset, by, at + offset):
            return b"", offset // POINT_BYTES
    return result.tobytes(), count


def valid(points: Buffer) -> int:
    """How many points from the first on are canonical encodings (the identity is one)."""
    source, count = _packed(points, POINT_BYTES)
    at = source.ctypes.data
    for offset in range(0, count * POINT_BYTES, POINT_BYTES):
        if not _valid(at + offset):
            return offset // POINT_BYTES
    return count


def from_uniform(uniform: Buffer) -> bytes:
    """A point for each 64 bytes: the one-way map of RFC 9496 §4.3.4."""
    source, count = _packed(uniform, UNIFORM_BYTES)
    result = np.empty(count * POINT_BYTES, np.uint8)
    at, to = source.ctypes.data, result.ctypes.data
    for number in range(count):
        _from_hash(to + number * POINT_BYTES, at + number * UNIFORM_BYTES)
    return result.tobytes()


def multiply_base(scalar: bytes) -> bytes:
    """`scalar` times the generator; empty where that is the identity."""
    result, factor = _room(), _exactly(scalar, SCALAR_BYTES)
    failed = _multiply_base(result.ctypes.data, factor.ctypes.data)
    return b"" if failed else result.tobytes()


def add(one: bytes, other: bytes) -> bytes:
    """The sum of two points; empty where one of them is none."""
    result, left, right = _room(), _exactly(one, POINT_BYTES), _exactly(other, POINT_BYTES)
    failed = _add(result.ctypes.data, left.ctypes.data, right.ctypes.data)
    return b"" if failed else result.tobytes()


def scalar_reduce(uniform: bytes) -> bytes:
    """64 bytes, little-endian, modulo the order of the group."""
    result, wide = _room(), _exactly(uniform, UNIFORM_BYTES)
    _scalar_reduce(result.ctypes.data, wide.ctypes.data)
    return result.tobytes()


def scalar_invert(scalar: bytes) -> bytes:
    """The inverse; empty for zero."""
    result, source = _room(), _exactly(scalar, SCALAR_BYTES)
    failed = _scalar_invert(result.ctypes.data, source.ctypes.data)
    return b"" if failed else result.tobytes()


def scalar_multiply(one: bytes, other: bytes) -> bytes:
    """The product of two scalars."""
    return _scalars(_scalar_multiply, one, other)


def scalar_subtract(one: bytes, other: bytes) -> bytes:
    """`one` minus `other`."""
    return _scalars(_scalar_subtract, one, other)


def _scalars(function: Callable[..., int], one: bytes, other: bytes) -> bytes:
    result, left, right = _room(), _exactly(one, SCALAR_BYTES), _exactly(other, SCALAR_BYTES)
    function(result.ctypes.data, left.ctypes.data, right.ctypes.data)
    return result.tobytes()


def _room() -> _Bytes:
    return np.empty(POINT_BYTES, np.uint8)


def _exactly(data: bytes, size: int) -> _Bytes:
    # INVARIANT: C reads `size` bytes, whatever there is.
    if len(data) != size:
        raise ValueError(f"this has {size} bytes")
    return np.frombuffer(data, np.uint8)


def _packed(data: Buffer, size: int) -> tuple[_Bytes, int]:
    # INVARIANT: addresses are taken of whole elements alone, or C would read past the end.
    if len(data) % size:
        raise ValueError(f"a batch is made of {size} bytes each")
    source = np.frombuffer(data, np.uint8) if len(data) else np.empty(0, np.uint8)
    return source, source.size // size
