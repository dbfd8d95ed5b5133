"""The trust list's witnesses as the `Quorum` of evidence. Pure.

The one place that joins evidence to the cosignatures of `dataspace.audit`. Stricter than
that: in evidence every signature line is a key's that the trust list names, and holds.
"""

from __future__ import annotations

from dataspace.audit.cosignatures import verify_cosignature
from dataspace.audit.notes import VerifierKey, parse_note, parse_vkey
from dataspace.errors import Unverified
from dataspace.evidence.cosigned import quorum_of
from dataspace.evidence.logged import Cosigned
from dataspace.identity.trustlist import TrustList


def trusted_quorum(note_text: str, log_key: VerifierKey, owner: str, trust: TrustList) -> Cosigned:
    """The checkpoint of `owner`'s log, cosigned as the trust list demands. See `Quorum`."""
    rule = quorum_of(trust, log_key.name)
    if rule.owner != owner or rule.log_key != log_key:
        raise Unverified(f"{log_key.name} is not the log of {owner}", code="evidence-origin")
    found = rule.check(note_text)
    note = parse_note(note_text)
    keys = [parse_vkey(vkey) for witness in trust.witnesses for vkey in witness.vkeys]
    known = {(key.name, key.keyid): key for key in (log_key, *keys)}
    for line in note.signatures:
        key = known.get((line.name, line.keyid))
        if key is None:
            raise Unverified(
                f"the checkpoint of {owner} bears a signature of nobody in the trust list",
                code="evidence-stranger",
            )
        if key != log_key:
            verify_cosignature(note, found.checkpoint, key)
    return Cosigned(found.checkpoint, found.at_s * 1000, tuple(sorted(found.by_region)))
