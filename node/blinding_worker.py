"""A process that multiplies points for its node, and does nothing else. Rim.

    request = operation[1] ‖ scalar[32] ‖ length[4] ‖ batch      on standard input
    reply   = status[1] ‖ length[4] ‖ batch, position[8] or code on standard output

Ends when its input does: no worker outlives its node. Keeps nothing between requests.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import BinaryIO

from dataspace.errors import DataspaceError
from dataspace.linkage import sodium
from dataspace.linkage.oprf import evaluate
from dataspace.linkage.points import POINT_BYTES, blind, check_points, random_points
from dataspace.linkage.tuples import KEY_BYTES, hash_keys

REQUEST = struct.Struct(">B32sI")
REPLY = struct.Struct(">BI")
BLIND, HASH, RANDOM, EVALUATE, CHECK = range(5)
DONE, BAD_POINT, FAILED = range(3)
MAX_BATCH_BYTES = 16 * 1024 * 1024


def _evaluate(batch: bytes, secret: bytes) -> bytes:
    return evaluate(secret, [batch[at : at + KEY_BYTES] for at in range(0, len(batch), KEY_BYTES)])


def _check(batch: bytes, _: bytes) -> bytes:
    check_points(batch)
    return b""


_OPERATIONS: dict[int, Callable[[bytes, bytes], bytes]] = {
    BLIND: blind,
    HASH: lambda batch, _: hash_keys(batch),
    RANDOM: lambda batch, _: random_points(batch),
    EVALUATE: _evaluate,
    CHECK: _check,
}


def answer(operation: int, scalar: bytes, batch: bytes) -> tuple[int, bytes]:
    """One request's status and reply."""
    try:
        return DONE, _OPERATIONS[operation](batch, scalar)
    except DataspaceError as error:
        if error.code == "bad-point":
            return BAD_POINT, _position(operation, scalar, batch).to_bytes(8, "big")
        return FAILED, error.code.encode()


def _position(operation: int, scalar: bytes, batch: bytes) -> int:
    whole = batch[: len(batch) // POINT_BYTES * POINT_BYTES]
    one = (1).to_bytes(32, "little")
    return sodium.multiply(scalar if operation == BLIND else one, whole)[1]


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        operation, scalar, length = REQUEST.unpack(head)
        batch = source.read(length)
        if len(batch) != length:
            return
        status, reply = answer(operation, scalar, batch)
        sink.write(REPLY.pack(status, len(reply)) + reply)
        sink.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
