"""Proposals that the broker keeps while regions review and sign them. Rim: keeps files.

    proposals/<id>.proposal   replaced whole as signatures come

Nothing here is believed on its own: who reviews, signs or applies one verifies it again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from google.protobuf.message import DecodeError

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import DataspaceError, Refused, Unavailable
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.governing import BASIS, MAX_REQUEST_BYTES, Governor
from dataspace.evidence.proposing import Proposed, merged, proposal_id, read_proposal
from dataspace.identity.envelopes import Opened
from dataspace.identity.trusted import BROKER
from dataspace.v1 import charter_pb2
from dataspace.v1.charter_pb2 import Proposal
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("broker.proposals")

FOLDER = "proposals"
MOST = 64  # kept at once
_SUFFIX = ".proposal"
_READERS = frozenset({"operator", "regulator"})


@dataclass
class Proposals:
    """The broker's. `charters` gives every version that was applied, as it was signed."""

    folder: Path
    governor: Governor
    charters: Callable[[], Sequence[Envelope]]
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def kind(self) -> RequestKind:
        """What the broker's desk answers with this."""
        return RequestKind(
            "governance", charter_pb2.GovernanceRequest, self.answer, max_bytes=MAX_REQUEST_BYTES
        )

    def answer(self, opened: Opened[charter_pb2.GovernanceRequest], now_ms: int) -> Made:
        """Keep what is submitted; show the charters and what may follow the last of them."""
        role, request = opened.signer.uri.role, opened.message
        submits = request.HasField("submit")
        if role not in _READERS or (submits and role != "operator"):
            raise Refused(
                "operators propose and sign; they and regulators may look",
                code="charter-operator", rule="charter-operator", basis=BASIS,
            )  # fmt: skip
        if submits:
            self.keep(request.submit, now_ms)
        pending = self.pending()
        body = charter_pb2.GovernanceAnswer(
            request_sha256=opened.payload_sha256,
            region=BROKER,
            charters=self.charters(),
            proposals=[each.wire for each in pending],
            decided_at_ms=now_ms,
        )
        return Made(body, {"proposals": [each.id for each in pending]})

    def keep(self, wire: Proposal, now_ms: int) -> Proposed:
        """Keep a proposal that may follow, or the signatures that are new on it; durably.

        Recorded as `charter.proposed`. Raises as `read_proposal` does.
        """
        lists = self.governor.lists()
        charters = self.governor.charters
        if not charters:
            raise Refused("this space has no charter; make it anew to have one",
                          code="charter-missing", rule="charter-missing", basis=BASIS)  # fmt: skip
        with self._turn:
            file = self.folder / f"{proposal_id(wire)}{_SUFFIX}"
            fresh = read_proposal(wire, charters, lists)
            kept = self._read(file)
            if kept is not None:
                fresh = read_proposal(merged(kept, wire), charters, lists)
            elif len(self.pending()) >= MOST:
                raise Unavailable(
                    f"{MOST} proposals wait already; apply one, and the others are overtaken",
                    code="proposals-full",
                )
            if kept is None or fresh.wire != kept:
                self.governor.record(
                    "charter.proposed",
                    now_ms,
                    {
                        "charter": fresh.charter.version,
                        "charter_sha256": fresh.id,
                        "signed_by": list(fresh.signed_by),
                    },
                    None,
                )
                self._write(file, fresh.wire)
            return fresh

    def pending(self) -> list[Proposed]:
        """What may still follow the charter in force, by id. The rest is cleared away."""
        lists, charters, found = self.governor.lists(), self.governor.charters, []
        for file in sorted(self.folder.glob(f"*{_SUFFIX}")):
            kept = self._read(file)
            if kept is None:
                continue
            try:
                found.append(read_proposal(kept, charters, lists))
            except DataspaceError as error:
                _LOG.info("proposal.overtaken", proposal=file.stem[:16], code=error.code)
                file.unlink(missing_ok=True)
        return found

    def _read(self, file: Path) -> Proposal | None:
        try:
            return Proposal.FromString(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, DecodeError):
            _LOG.error("proposal.unreadable", proposal=file.stem[:16])
            return None

    def _write(self, file: Path, wire: Proposal) -> None:
        draft = file.with_suffix(".new")
        try:
            write_synced(draft, wire.SerializeToString())
            draft.rename(file)
            sync_directory(self.folder)
        except OSError:
            raise Unavailable("the proposal cannot be kept; see the disk", code="disk") from None
