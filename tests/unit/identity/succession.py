"""Trust lists one after the other, with nothing changed but what a test changes."""

from __future__ import annotations

from dataspace.identity.trustlist import TrustList, accept_next
from dataspace.v1 import trust_pb2

from .world import NOW_MS, Space


def first(space: Space) -> TrustList:
    return space.trust()


def following(space: Space, current: TrustList, version: int | None = None) -> trust_pb2.TrustList:
    """What comes after `current`, with nothing changed but what must change."""
    return space.list(
        version=version or current.version + 1,
        previous_sha256=current.payload_sha256,
        issued_at_ms=current.issued_at_ms + 1,
    )


def accept(space: Space, wire: trust_pb2.TrustList, *keyids: str) -> TrustList:
    return accept_next(first(space), space.seal(wire, *keyids), NOW_MS)
