"""A party's policies and governor, opened from its directory. Rim.

The node and the broker open theirs alike.
"""

from __future__ import annotations

from dataspace.charter_files import FOLDER, keep_charter, read_charters
from dataspace.errors import Unavailable
from dataspace.evidence.agreeing import record_in_order
from dataspace.evidence.governing import Governor
from dataspace.evidence.recording import Recorder
from dataspace.home import PartyHome
from dataspace.identity.trusted import read_unverified
from dataspace.in_force import keep_trust_list
from dataspace.policy.charter import Charter
from dataspace.policy.store import PolicyStore, follow_charters
from dataspace.processes import now_ms
from dataspace.v1.envelope_pb2 import Envelope

__all__ = ["FOLDER", "open_governor", "open_policies"]


def open_policies(home: PartyHome) -> PolicyStore:
    """The policies of a party under the charter in force. Raises what is wrong, naming it."""
    charters = read_charters(home, home.trust_lists(now_ms()))
    follow_charters(home.path / "policies", charters)
    return PolicyStore(home.path / "policies", charter=charters[-1] if charters else None)


def open_governor(home: PartyHome, owner: str, store: PolicyStore, recorder: Recorder) -> Governor:
    """What takes charters for a party."""

    def keep(charter: Charter, envelope: Envelope, trust_list: Envelope | None) -> None:
        # The trust list first: a charter that names one which is not here could not be read back.
        if trust_list is not None:
            try:
                keep_trust_list(home, trust_list, read_unverified(trust_list).version)
            except OSError:
                raise Unavailable(
                    "the trust list cannot be kept; see the disk", code="disk"
                ) from None
        keep_charter(home, envelope, charter.version)

    return Governor(
        owner,
        store,
        lambda: home.trust_lists(now_ms()),
        record_in_order(recorder, now_ms),
        keep,
        read_charters(home, home.trust_lists(now_ms())),
    )
