"""The trust list's witnesses as the `Quorum` of evidence. Pure.

The one place that joins evidence to the cosignatures of `dataspace.audit`.
"""

from __future__ import annotations

from dataspace.audit.checkpoints import verify_checkpoint
from dataspace.audit.notes import VerifierKey
from dataspace.errors import Unverified
from dataspace.evidence.logged import Cosigned
from dataspace.identity.trustlist import TrustList


def trusted_quorum(note_text: str, log_key: VerifierKey, owner: str, trust: TrustList) -> Cosigned:
    """The checkpoint of `owner`'s log, cosigned as the trust list demands. See `Quorum`."""
    del trust
    verify_checkpoint(note_text, log_key)
    raise Unverified(f"{owner}'s checkpoint is not cosigned yet", code="not-cosigned")
