"""The trust list's witnesses as the `Quorum` of evidence. Pure.

The one place that joins evidence to the cosignatures of `dataspace.audit`.
"""

from __future__ import annotations

from dataspace.audit.notes import VerifierKey
from dataspace.errors import Unverified
from dataspace.evidence.cosigned import quorum_of
from dataspace.evidence.logged import Cosigned
from dataspace.identity.trustlist import TrustList


def trusted_quorum(note_text: str, log_key: VerifierKey, owner: str, trust: TrustList) -> Cosigned:
    """The checkpoint of `owner`'s log, cosigned as the trust list demands. See `Quorum`."""
    quorum = quorum_of(trust, log_key.name)
    if quorum.owner != owner or quorum.log_key != log_key:
        raise Unverified(f"this is not the log of {owner}", code="evidence-origin")
    found = quorum.check(note_text)
    return Cosigned(found.checkpoint, found.at_s * 1000, tuple(sorted(found.by_region)))
