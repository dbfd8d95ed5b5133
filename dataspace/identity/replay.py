"""What makes a signed request unique. Remembers nothing: the node's ledger does.

The key is taken over the signer's leaf and the nonce, never over the signature: an ECDSA
signature can be altered into another valid one, and would then look like a new request.
"""

from __future__ import annotations

from typing import Any

from dataspace.identity.envelopes import Opened
from dataspace.identity.freshness import NONCE_BYTES


def replay_key(opened: Opened[Any]) -> bytes:
    """48 bytes: the leaf's SHA-256, then the nonce of the message's `freshness`."""
    nonce: bytes = opened.message.freshness.nonce
    if len(nonce) != NONCE_BYTES:
        raise ValueError("check the freshness of a request before its replay key")
    return opened.signer.leaf_sha256 + nonce
