"""Versions of the wire between nodes and the broker, and which of them two sides speak. Pure.

    1  without a version
    2  the broker states its versions in its challenge, the node in its hello the one it speaks

A release speaks its own version and the one before. Frames may grow fields, which an older side
passes over; what is signed may not, since unknown fields in it are refused: a new field of a
signed message goes only to a side that has stated the version which brought it.
"""

from __future__ import annotations

from dataspace.errors import Refused, Unavailable
from dataspace.v1 import broker_pb2

WIRE = 2
OLDEST = WIRE - 1  # N-1 works with N, either way round
_UNSTATED = 1


def stating(nonce: bytes) -> broker_pb2.Challenge:
    """The broker's challenge, which states its versions."""
    return broker_pb2.Challenge(nonce=nonce, wire=WIRE, oldest_wire=OLDEST)


def spoken_with(wire: int, oldest: int) -> int:
    """A node's choice for a broker that states these; 0 for one that states nothing.

    Raises `Unavailable` (`wire-version`), naming who has to be upgraded.
    """
    theirs = wire or _UNSTATED
    chosen = min(theirs, WIRE)
    if chosen < OLDEST:
        raise Unavailable(
            f"the broker speaks version {theirs} of the wire, and this release {OLDEST} to {WIRE}: "
            "have the broker upgraded first, see docs/upgrading.md",
            code="wire-version",
        )
    if (oldest or _UNSTATED) > WIRE:
        raise Unavailable(
            f"the broker speaks no version of the wire below {oldest}, and this release none above "
            f"{WIRE}: upgrade here, see docs/upgrading.md",
            code="wire-version",
        )
    return chosen


def stated_in_hello(chosen: int) -> int:
    """What a hello says of the wire: nothing to a broker that would not know the field."""
    return chosen if chosen > _UNSTATED else 0


def check_spoken(wire: int) -> int:
    """What a party that attaches speaks, held against this broker's. Raises `Refused`."""
    spoken = wire or _UNSTATED
    if not OLDEST <= spoken <= WIRE:
        raise Refused(
            f"this broker speaks versions {OLDEST} to {WIRE} of the wire, and the hello is of "
            f"{spoken}: see docs/upgrading.md",
            code="wire-version",
            rule="wire-version",
            basis="space rule: attachment",
        )
    return spoken
