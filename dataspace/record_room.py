"""A party's log with what is beside it, opened: index, desk, and who watches. Rim.

The node and the broker open theirs alike. Everything here can be thrown away and comes back
from log and bodies, but the key of the subject index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from dataspace.audit.following import Follower
from dataspace.audit.index import AuditIndex
from dataspace.evidence.auditing import Auditing, Products
from dataspace.evidence.desk import Claim, Desk, RequestKind, kinds_by_type
from dataspace.evidence.looks import COLUMNS
from dataspace.evidence.recording import Recorder
from dataspace.evidence.subjects import KEY_BYTES, subject_tag
from dataspace.home import PartyHome
from dataspace.identity.keystore import load_or_make_secret
from dataspace.identity.trustlist import TrustList
from dataspace.processes import now_ms
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("record-room")

SUBJECT_KEY = "keys/subject-index.key"
INDEX = "index.db"


@dataclass(frozen=True)
class RecordRoom:
    """One party's. `kinds` are the requests that its desk answers, by payload type."""

    recorder: Recorder
    desk: Desk
    follower: Follower
    kinds: Mapping[str, RequestKind]

    @classmethod
    def open(
        cls,
        home: PartyHome,
        recorder: Recorder,
        trust: Callable[[], TrustList],
        *,
        claim: Claim,
        products: Products | None = None,
        others: tuple[RequestKind, ...] = (),
    ) -> RecordRoom:
        """Open the index beside the log and begin to follow.

        `products` of a node alone: which may hold a person. `others` are further kinds of
        request that the desk answers.
        """
        owner = "broker" if home.config.kind == "broker" else home.uri.region
        index = AuditIndex(home.path / INDEX, recorder.origin, COLUMNS)
        follower = Follower(
            recorder.log,
            home.path / "log",
            recorder.bodies,
            index,
            failed=lambda code: _LOG.error("index.failed", code=code),
        )
        auditing = Auditing(owner, recorder.origin, recorder.log, recorder.bodies, follower)
        if products is not None:
            key = load_or_make_secret(home.path / SUBJECT_KEY, KEY_BYTES)
            auditing = Auditing(
                owner, recorder.origin, recorder.log, recorder.bodies, follower,
                lambda document: subject_tag(key, document), products,
            )  # fmt: skip
        desk = Desk(owner, home.identity, trust, recorder, claim, now_ms)
        follower.start()
        return cls(recorder, desk, follower, kinds_by_type((auditing.kind(), *others)))

    def handlers(self) -> dict[str, Callable[[Envelope], query_pb2.NodeAnswer]]:
        """What answers envelopes, by payload type."""
        return {name: self.desk.handler(kind) for name, kind in self.kinds.items()}

    def close(self) -> None:
        """Stop following; the log is its owner's to close, after this."""
        self.follower.close()
