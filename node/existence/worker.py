"""`python -m node.existence.worker`: evaluates the PRF, frame by frame, until its input ends. Rim.

A process of its own, with little in it: the node's threads would share one interpreter lock.

    frame = length[4] ‖ payload
    first the secret; then batches: length[2] ‖ document, …; each is answered by its outputs
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from dataspace.linkage.oprf import evaluate

_NICENESS = 10  # queries come first


def pack(documents: list[bytes]) -> bytes:
    """A batch as a frame's payload."""
    return b"".join(len(each).to_bytes(2, "big") + each for each in documents)


def unpack(payload: bytes) -> list[bytes]:
    """The documents of a batch."""
    found, at = [], 0
    while at < len(payload):
        end = at + 2 + int.from_bytes(payload[at : at + 2], "big")
        found.append(payload[at + 2 : end])
        at = end
    return found


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    """Send one frame."""
    stream.write(len(payload).to_bytes(4, "big") + payload)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, or None where the stream has ended."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    payload = stream.read(int.from_bytes(head, "big"))
    return payload if len(payload) == int.from_bytes(head, "big") else None


def main() -> None:
    """Serve one caller on standard input and output."""
    os.nice(_NICENESS)
    secret = read_frame(sys.stdin.buffer)
    while secret is not None and (batch := read_frame(sys.stdin.buffer)) is not None:
        write_frame(sys.stdout.buffer, evaluate(secret, unpack(batch)))


if __name__ == "__main__":
    main()
