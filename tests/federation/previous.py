"""A party as the release before this one: it knows nothing of what this one brought to the wire.

python -m tests.federation.previous node|broker --home HOME
"""

from __future__ import annotations

import sys

import broker.__main__
import broker.service
import node.__main__
import node.dialling
from dataspace.errors import Malformed
from dataspace.v1 import broker_pb2


def _stating(nonce: bytes) -> broker_pb2.Challenge:
    return broker_pb2.Challenge(nonce=nonce)


def _check_spoken(wire: int) -> int:
    if wire:  # signed by somebody who meant it, and unknown to us
        raise Malformed("the message has a field that this version does not know", code="unknown")
    return 1


def main() -> None:
    """Run it."""
    party = sys.argv.pop(1)
    vars(node.dialling)["spoken_with"] = lambda *_: 1
    vars(broker.service).update(stating=_stating, check_spoken=_check_spoken)
    (node if party == "node" else broker).__main__.main()


if __name__ == "__main__":
    main()
