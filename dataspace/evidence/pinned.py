"""The trust list that evidence stands on, reached from the one that the verifier pinned. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from dataspace.errors import Unverified
from dataspace.identity.algorithms import verify
from dataspace.identity.dsse import pae
from dataspace.identity.trusted import read_unverified
from dataspace.identity.trustlist import TrustList, accept_chain
from dataspace.v1.envelope_pb2 import Envelope

_NEVER_EXPIRED = 0  # expiry is judged as of the cosigned time, which is not known yet


@dataclass(frozen=True)
class Pinned:
    """What a verifier holds: the digest of version 1, and versions that it knows, if any."""

    sha256: bytes
    known: tuple[TrustList, ...] = ()  # verified, in order from version 1

    def version_after(self, version: int) -> TrustList | None:
        """The next version, where the verifier knows of one."""
        return next((each for each in self.known if each.version == version + 1), None)


def pin(envelopes: Sequence[Envelope], sha256: bytes) -> Pinned:
    """What a verifier who holds these versions goes by. Raises where they do not hold."""
    known = tuple(
        accept_chain(envelopes[: count + 1], sha256, _NEVER_EXPIRED)
        for count in range(len(envelopes))
    )
    return Pinned(sha256, known)


def believed_trust(envelopes: Sequence[Envelope], pinned: Pinned) -> TrustList:
    """The last of versions 1 to N in evidence. Whether it was current is not judged yet.

    Raises `Unverified` or `Malformed` as `accept_chain` does; also for a signature that
    proves nothing, and for a version that is not the verifier's own of that number.
    """
    trust = accept_chain(envelopes, pinned.sha256, _NEVER_EXPIRED)
    for number, envelope in enumerate(envelopes):
        _check_every_signature(envelopes[max(0, number - 1)], envelope)
        digest = hashlib.sha256(envelope.payload).digest()
        if number < len(pinned.known) and not hmac.compare_digest(
            digest, pinned.known[number].payload_sha256
        ):
            raise Unverified(
                f"version {number + 1} of the trust list is another than yours; compare both "
                "with another region",
                code="trust-list-history",
            )
    return trust


def _check_every_signature(before: Envelope, envelope: Envelope) -> None:
    # INVARIANT: no byte of evidence is idle. A key of neither version proves nothing.
    keys = {
        key.keyid: key.public_key
        for listed in (before, envelope)
        for region in read_unverified(listed).regions.values()
        for key in region.trust_keys
    }
    covered = pae(envelope.payload_type, envelope.payload)
    for signature in envelope.signatures:
        if signature.keyid not in keys:
            raise Unverified(
                "a trust list bears a signature of nobody in it; hand over the list as the "
                "regions signed it",
                code="trust-list-stranger",
            )
        verify(keys[signature.keyid], signature.sig, covered)
