"""Revocation lists of a founded space, signed with the keys that its homes hold."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from dataspace.identity.revocation import accept_list, seal_revocation_list
from dataspace.identity.trustlist import TrustList
from dataspace.v1.envelope_pb2 import Envelope


def fresh_lists(home: Path, now_ms: int, number: int = 1) -> list[Envelope]:
    """A list of each region that revokes nobody."""
    signers = [PartyHome(home / region / "revocation").identity for region in REGIONS]
    return [seal_revocation_list(signer, "gba", number, now_ms, []) for signer in signers]


def current_trust(home: Path, now_ms: int) -> TrustList:
    """The trust list of a space that does not run, with current lists beside it."""
    return reduce(
        lambda trust, envelope: accept_list(trust, envelope, now_ms),
        fresh_lists(home, now_ms),
        PartyHome(home / "broker").trust(now_ms),
    )
