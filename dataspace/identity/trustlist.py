"""Which trust list to believe. Keeps none: the caller stores what was accepted.

    version 1      pinned by digest, and signed by two of its own regions
    version N+1    signed by two distinct regions of N that N does not suspend
    + signature of region X itself, where X's roots, trust keys, logs, witnesses, revocation
      signers or profiles change

So two regions can suspend a third, but never speak for it. A signature by an unknown key
counts for nothing; a wrong one by a known key refuses the list.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from dataspace.errors import Malformed, Unverified
from dataspace.identity.dsse import payload_type_of
from dataspace.identity.quorum import cosign as cosign_trust_list
from dataspace.identity.quorum import is_quorum, signing_regions
from dataspace.identity.trusted import (
    TrustedBrokerValue,
    TrustedLogValue,
    TrustedRegionValue,
    TrustedWitnessValue,
    TrustKeyValue,
    TrustList,
    check_unexpired,
    read_unverified,
    trust_list_of,
)
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope

__all__ = [
    "TrustKeyValue",
    "TrustList",
    "TrustedBrokerValue",
    "TrustedLogValue",
    "TrustedRegionValue",
    "TrustedWitnessValue",
    "accept_chain",
    "accept_first",
    "accept_next",
    "cosign_trust_list",
    "seal_trust_list",
]


def seal_trust_list(
    wire: trust_pb2.TrustList, keys: Sequence[tuple[str, PrivateKeyTypes]]
) -> Envelope:
    """Sign a list with `(keyid, private key)` pairs; `Unverified` if it contradicts itself."""
    payload = wire.SerializeToString(deterministic=True)
    trust_list_of(wire, hashlib.sha256(payload).digest())
    envelope = Envelope(payload_type=payload_type_of(trust_pb2.TrustList), payload=payload)
    for keyid, private_key in keys:
        envelope = cosign_trust_list(envelope, keyid, private_key)
    return envelope


def accept_first(envelope: Envelope, pinned_sha256: bytes, now_ms: int) -> TrustList:
    """Version 1, held against the digest of its payload that was pinned at install."""
    return accept_chain([envelope], pinned_sha256, now_ms)


def accept_next(
    current: TrustList, envelope: Envelope, now_ms: int, *, between: Sequence[Envelope] = ()
) -> TrustList:
    """A later version than `current`; `between` holds the versions that were missed, in order.

    Raises `Malformed` (form), `Unverified` (`bad-signature`, `bad-trust-list`,
    `trust-list-rollback`, `-gap`, `-history`, `-quorum`, `-own-signature`) or `Refused`
    (`trust-list-expired`).
    """
    for following in (*between, envelope):
        current = _step(current, following)
    check_unexpired(current, now_ms)
    return current


def accept_chain(envelopes: Sequence[Envelope], pinned_sha256: bytes, now_ms: int) -> TrustList:
    """The last of versions 1 to N, each accepted by the one before; only it must be current."""
    if not envelopes:
        raise Malformed("there is no trust list; start from version 1", code="bad-envelope")
    first = _first(envelopes[0], pinned_sha256)
    if len(envelopes) == 1:
        check_unexpired(first, now_ms)
        return first
    return accept_next(first, envelopes[-1], now_ms, between=envelopes[1:-1])


def _first(envelope: Envelope, pinned_sha256: bytes) -> TrustList:
    if not hmac.compare_digest(hashlib.sha256(envelope.payload).digest(), pinned_sha256):
        raise _unverified("pin", "this is not the trust list that was pinned at install")
    first = read_unverified(envelope)
    if first.version != 1:
        raise _unverified("gap", "start from version 1 of the trust list, and hand over the rest")
    _check_quorum(first, signing_regions(first, envelope))
    return first


def _step(current: TrustList, envelope: Envelope) -> TrustList:
    """The version after `current`, expired or not."""
    following = read_unverified(envelope)
    _check_succession(current, following)  # first, so that a replayed list is called by its name
    signers = signing_regions(current, envelope)
    _check_quorum(current, signers)
    for region in current.regions:
        if region not in signers and _own(current, region) != _own(following, region):
            raise _unverified(
                "own-signature",
                f"the roots, keys, logs, witnesses, revocation signers or profiles of {region} "
                "change without its signature; "
                f"ask {region}",
            )
    return following


def _check_quorum(authority: TrustList, signers: frozenset[str]) -> None:
    if not is_quorum(authority, signers):
        raise _unverified(
            "quorum", "two regions must sign a trust list; ask another region for its signature"
        )


def _check_succession(current: TrustList, following: TrustList) -> None:
    if following.space != current.space:
        raise _unverified("history", "this trust list is another space's; use that of your own")
    if following.version <= current.version:
        raise _unverified(
            "rollback",
            f"version {following.version} of the trust list comes after {current.version} "
            "was accepted; keep the later one",
        )
    if following.version != current.version + 1:
        raise _unverified(
            "gap", f"version {current.version + 1} of the trust list is missing; hand it over too"
        )
    if (
        following.previous_sha256 != current.payload_sha256
        or following.issued_at_ms < current.issued_at_ms
    ):
        raise _unverified(
            "history",
            f"this trust list does not follow the accepted version {current.version}; "
            "compare both with another region",
        )


def _own(trust: TrustList, region: str) -> tuple[frozenset[object], ...]:
    """What only a region itself may change."""
    value = trust.regions.get(region)
    if value is None:
        return ()
    return (
        frozenset(value.roots),
        frozenset(value.trust_keys),
        frozenset(trust.logs_of(region)),
        frozenset(trust.witnesses_of(region)),
        frozenset(each for each in trust.revocation_signers if each.uri.region == region),
        frozenset(value.profiles),
    )


def _unverified(what: str, message: str) -> Unverified:
    return Unverified(message, code=f"trust-list-{what}")
