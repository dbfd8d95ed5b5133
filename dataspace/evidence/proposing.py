"""Proposals on their way: what one may look like, and who has signed it. Pure.

    proposal = charter N+1, signed by one region or more (+ the next trust list, likewise)

Its id is the digest of the charter's payload, which no signature changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dataspace.errors import Malformed, Refused, Unverified
from dataspace.identity.quorum import is_quorum, signing_regions
from dataspace.identity.trusted import TrustList, read_unverified
from dataspace.identity.trustlist import accept_next
from dataspace.policy.charter import Charter, read_charter
from dataspace.policy.charter_chain import check_follows, check_restores
from dataspace.v1.charter_pb2 import Proposal
from dataspace.v1.envelope_pb2 import Envelope


@dataclass(frozen=True)
class Proposed:
    """A proposal that may follow the charter in force. `signed_by` are regions that count.

    `trust_list` is the one that comes with it, not yet believed; None where none comes.
    `wanted` says what keeps it from being applied; empty where nothing does.
    """

    charter: Charter
    trust_list: TrustList | None
    signed_by: tuple[str, ...]
    wanted: str
    wire: Proposal

    @property
    def id(self) -> str:
        """The digest of the charter's payload, in hexadecimal."""
        return self.charter.id

    @property
    def is_ready(self) -> bool:
        """Whether enough regions have signed the charter, and the trust list that comes with it."""
        return not self.wanted


def read_proposal(
    wire: Proposal, charters: Sequence[Charter], lists: Sequence[TrustList]
) -> Proposed:
    """A proposal that follows the last of `charters` and stands on the last of `lists`.

    Raises `Malformed` (form, `proposal-unsigned`, `-trust-list`) and `Unverified` as
    `accept_charter` does, but for a missing quorum.
    """
    charter = read_charter(wire.charter)
    check_follows(charters[-1], charter, lists)
    check_restores(charter, charters)
    authority = lists[-1]
    if charter.authority_sha256 != authority.payload_sha256:
        raise Unverified(
            f"this charter was not made for version {authority.version} of the trust list, which "
            "is in force; propose it anew",
            code="charter-authority",
        )
    signers = _standing(authority, wire.charter)
    wanted = "" if is_quorum(authority, signers) else "another region has to sign it"
    trust_list = _trust_list(wire, charter, authority)
    if trust_list is not None:
        signers &= _standing(authority, wire.trust_list)
        wanted = wanted or _wanted(authority, trust_list, wire.trust_list)
    if not signers:
        raise Malformed(
            "no region of the trust list has signed this proposal; see `gba govern sign`",
            code="proposal-unsigned",
        )
    return Proposed(charter, trust_list, tuple(sorted(signers)), wanted, wire)


def merged(kept: Proposal, other: Proposal) -> Proposal:
    """One proposal with the signatures of both; the payloads have to be the same."""
    return Proposal(
        charter=_merged(kept.charter, other.charter),
        trust_list=_merged(kept.trust_list, other.trust_list)
        if kept.HasField("trust_list")
        else None,
    )


def proposal_id(wire: Proposal) -> str:
    """What a proposal is called."""
    return hashlib.sha256(wire.charter.payload).hexdigest()


def _merged(kept: Envelope, other: Envelope) -> Envelope:
    if (kept.payload, kept.payload_type) != (other.payload, other.payload_type):
        raise Malformed("these are two different proposals", code="proposal-trust-list")
    named = {each.keyid for each in kept.signatures}
    fresh = [each for each in other.signatures if each.keyid not in named]
    return Envelope(
        payload_type=kept.payload_type,
        payload=kept.payload,
        signatures=[*kept.signatures, *fresh],
    )


def _trust_list(wire: Proposal, charter: Charter, authority: TrustList) -> TrustList | None:
    if charter.brings_trust_list != wire.HasField("trust_list"):
        raise Malformed(
            "a proposal has a trust list beside it exactly where its charter names a new one",
            code="proposal-trust-list",
        )
    if not wire.HasField("trust_list"):
        return None
    following = read_unverified(wire.trust_list)
    if (
        following.payload_sha256 != charter.trust_list_sha256
        or following.previous_sha256 != authority.payload_sha256
        or following.version != authority.version + 1
    ):
        raise Malformed(
            f"the trust list beside this proposal is not the one after version "
            f"{authority.version} that its charter names",
            code="proposal-trust-list",
        )
    return following


def _wanted(authority: TrustList, following: TrustList, envelope: Envelope) -> str:
    """What the trust list's own rule of succession still asks for."""
    try:
        accept_next(authority, envelope, following.issued_at_ms)
    except (Unverified, Refused) as error:
        return error.message
    return ""


def _standing(authority: TrustList, envelope: Envelope) -> frozenset[str]:
    return frozenset(
        each for each in signing_regions(authority, envelope) if not authority.is_suspended(each)
    )
