"""Which charter to believe. Keeps none: the caller stores what was accepted.

    version 1      signed by two regions of the trust list in force at the founding
    version N+1    names the digest of N, and is signed by two regions of the trust list that
                   it names as its authority
    authority      never an earlier trust list than the one that N left in force
    the last one   leaves the trust list in force that is so now

The last line is why a key that has left the trust list signs nothing any more: what is new has to
stand on the trust list of today. What was accepted before is read back without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from dataspace.errors import Unverified
from dataspace.identity.dsse import payload_type_of
from dataspace.identity.quorum import cosign, is_quorum, signing_regions
from dataspace.identity.trustlist import TrustList
from dataspace.policy.charter import Charter, charter_of, read_charter
from dataspace.v1 import charter_pb2
from dataspace.v1.envelope_pb2 import Envelope


def seal_charter(
    wire: charter_pb2.Charter, keys: Sequence[tuple[str, PrivateKeyTypes]]
) -> Envelope:
    """Sign a charter with `(keyid, private key)` pairs; `Unverified` if it is not sound."""
    payload = wire.SerializeToString(deterministic=True)
    charter_of(wire, hashlib.sha256(payload).digest())
    envelope = Envelope(payload_type=payload_type_of(charter_pb2.Charter), payload=payload)
    for keyid, private_key in keys:
        envelope = cosign(envelope, keyid, private_key)
    return envelope


def signers_of(envelope: Envelope, charter: Charter, lists: Sequence[TrustList]) -> frozenset[str]:
    """The regions that signed a charter and count. Raises as `signing_regions` does."""
    authority = lists[_authority(charter, lists)]
    signers = signing_regions(authority, envelope)
    return frozenset(each for each in signers if not authority.is_suspended(each))


def check_follows(current: Charter, following: Charter, lists: Sequence[TrustList]) -> None:
    """Raise `Unverified` unless a charter is the one after `current`, whoever signed it."""
    if following.space != current.space:
        raise _unverified("history", "is another space's; use that of your own")
    if following.version <= current.version:
        raise _unverified(
            "rollback",
            f"is version {following.version}, and version {current.version} is in force; propose "
            "anew, with --rollback-to to go back to what an earlier one says",
        )
    if following.version != current.version + 1:
        raise _unverified("gap", f"comes before version {current.version + 1}; hand that over too")
    if following.previous_sha256 != current.sha256:
        raise _unverified(
            "history",
            f"does not follow the version {current.version} that is in force here; compare both "
            "with another region",
        )
    left = _place(current.trust_list_sha256, lists)
    if _authority(following, lists) < left:
        raise _unverified("authority", "is signed under an earlier trust list; propose it anew")


def accept_charter(
    current: Charter | None, envelope: Envelope, lists: Sequence[TrustList]
) -> Charter:
    """The charter after `current` (version 1, where there is none), signed by two regions.

    `lists` are all versions of the trust list, verified, in order. Raises `Malformed` (form) and
    `Unverified` (`bad-charter`, `bad-signature`, `charter-rollback`, `-gap`, `-history`,
    `-authority`, `-quorum`). That it stands on the list of today is for `check_current`.
    """
    charter = read_charter(envelope)
    if current is not None:
        check_follows(current, charter, lists)
    elif charter.version != 1:
        raise _unverified("gap", "is not version 1; hand over the versions before it too")
    if charter.space != lists[0].space:
        raise _unverified("history", "is another space's; use that of your own")
    place = _authority(charter, lists)
    known = [each.payload_sha256 for each in lists]
    if charter.trust_list_sha256 not in known[place : place + 2]:
        raise _unverified("authority", "leaves a trust list in force that does not follow its own")
    if not is_quorum(lists[place], signing_regions(lists[place], envelope)):
        raise _unverified(
            "quorum", "is not signed by two regions; ask another one for `gba govern sign`"
        )
    return charter


def accept_all(envelopes: Sequence[Envelope], lists: Sequence[TrustList]) -> tuple[Charter, ...]:
    """Versions 1 to N, each accepted after the one before."""
    accepted: list[Charter] = []
    for envelope in envelopes:
        accepted.append(accept_charter(accepted[-1] if accepted else None, envelope, lists))
    return tuple(accepted)


def check_restores(charter: Charter, earlier: Sequence[Charter]) -> None:
    """Raise `Unverified` where a charter says that it goes back to a version, and does not."""
    if not charter.restores:
        return
    then = next((each for each in earlier if each.version == charter.restores), None)
    if then is None or any(
        getattr(then, name) != getattr(charter, name) for name in ("files", "products", "floors")
    ):
        raise _unverified("restores", f"does not hold what version {charter.restores} did")


def check_current(charter: Charter, in_force: TrustList) -> None:
    """Raise `Unverified` unless what is new stands on the trust list that is in force now.

    SECURITY: without it, keys that have left the trust list could go on signing.
    """
    if charter.trust_list_sha256 != in_force.payload_sha256:
        raise _unverified(
            "authority",
            f"was not made for version {in_force.version} of the trust list, which is in force; "
            "propose it anew",
        )


def _authority(charter: Charter, lists: Sequence[TrustList]) -> int:
    return _place(charter.authority_sha256, lists)


def _place(payload_sha256: bytes, lists: Sequence[TrustList]) -> int:
    for place, each in enumerate(lists):
        if each.payload_sha256 == payload_sha256:
            return place
    raise _unverified("authority", "names a trust list that is not known here; fetch it first")


def _unverified(what: str, message: str) -> Unverified:
    return Unverified(f"this charter {message}", code=f"charter-{what}")
