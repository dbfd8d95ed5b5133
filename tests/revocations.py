"""Revocation lists of a founded space, signed with the keys that its homes hold."""

from __future__ import annotations

from pathlib import Path

from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from dataspace.identity.revocation import accept_list, seal_revocation_list
from dataspace.identity.trustlist import TrustList


def current_trust(home: Path, now_ms: int) -> TrustList:
    """The trust list of a space that does not run, with a list of each region that revokes
    nobody."""
    trust = PartyHome(home / "broker").trust(now_ms)
    for region in REGIONS:
        signer = PartyHome(home / region / "revocation").identity
        envelope = seal_revocation_list(signer, trust.space, 1, now_ms, [])
        trust = accept_list(trust, envelope, now_ms)
    return trust
