"""A party's log with what is beside it, opened: index, desk, and who watches. Rim.

The node and the broker open theirs alike. Everything here can be thrown away and comes back
from log and bodies, but the key of the subject index.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from dataspace.audit.entries import SALT_BYTES, FieldValue, commitment
from dataspace.audit.following import Follower
from dataspace.audit.index import AuditIndex, Indexed
from dataspace.audit.retention import DAY_MS, Retention
from dataspace.errors import DataspaceError, Unavailable
from dataspace.evidence.alarms import KIND as ALARM
from dataspace.evidence.alarms import Alarm, AlarmRule, Watcher, read_alarm_rules
from dataspace.evidence.archive import Archive
from dataspace.evidence.auditing import Auditing, Products
from dataspace.evidence.desk import Claim, Desk, RequestKind, kinds_by_type
from dataspace.evidence.looks import COLUMNS, Sight
from dataspace.evidence.recording import Recorder
from dataspace.evidence.subjects import KEY_BYTES, subject_tag
from dataspace.home import PartyHome
from dataspace.identity.keystore import load_or_make_secret
from dataspace.identity.trustlist import TrustList
from dataspace.processes import now_ms
from dataspace.v1 import audit_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("record-room")

SUBJECT_KEY = "keys/subject-index.key"
INDEX = "index.db"
SWEEP_SECONDS = 3600.0
LOCAL = "operator-local-socket"  # the rule that a look over the local socket stands on


@dataclass(frozen=True)
class RecordRoom:
    """One party's. `kinds` are the requests that its desk answers, by payload type."""

    recorder: Recorder
    desk: Desk
    follower: Follower
    auditing: Auditing
    retention: Retention
    body_days: int
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
        archive: Archive | None = None,
    ) -> RecordRoom:
        """Open the index beside the log and begin to follow.

        `products` of a node alone: which may hold a person. `others` are further kinds of
        request that the desk answers. `archive`, where releases are kept, is erased with bodies.
        """
        owner = "broker" if home.config.kind == "broker" else home.uri.region
        index = AuditIndex(home.path / INDEX, recorder.origin, COLUMNS)
        follower = Follower(
            recorder.log,
            home.path / "log",
            recorder.bodies,
            index,
            watch=_AlarmBell(recorder, Watcher(_alarm_rules(home))).hear,
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
        kinds = kinds_by_type((auditing.kind(), *others))
        retention = Retention(
            recorder.log,
            recorder.bodies,
            follower,
            lambda kind, fields: recorder.record(kind, now_ms(), fields),
            *((archive.erase_releases, archive.erase_release_of) if archive else ()),
        )
        return cls(recorder, desk, follower, auditing, retention, home.config.body_days, kinds)

    def handlers(self) -> dict[str, Callable[[Envelope], query_pb2.NodeAnswer]]:
        """What answers envelopes, by payload type."""
        return {name: self.desk.handler(kind) for name, kind in self.kinds.items()}

    def look_locally(self, request: audit_pb2.AuditRequest) -> audit_pb2.AuditAnswer:
        """The operator's look into the own region's log, over the local socket: recorded too.

        Not signed: who may open the socket may read the files as well.
        """
        digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
        made = self.auditing.look(request, digest, Sight(whole=True, rule=LOCAL), now_ms())
        answer = made.body
        assert isinstance(answer, audit_pb2.AuditAnswer)
        fields = {
            **made.fields,
            "outcome": "released",
            "question_sha256": digest.hex(),
            "body_sha256": hashlib.sha256(answer.SerializeToString()).hexdigest(),
            "actor_region": self.auditing.owner,
            "actor_role": "operator",
        }
        self.recorder.record("audit.read_locally", now_ms(), fields, made.context)
        return answer

    def sweep(self) -> int:
        """Erase the bodies that have been kept for their days; how many there were."""
        if not self.body_days:
            return 0
        erased = self.retention.erase_before(now_ms() - self.body_days * DAY_MS)
        if erased:
            _LOG.info("bodies.erased", count=erased)
        return erased

    async def keep_sweeping(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.sweep)
            except DataspaceError as error:
                _LOG.error("sweep.failed", code=error.code)
            await asyncio.sleep(SWEEP_SECONDS)

    def close(self) -> None:
        """Stop following; the log is its owner's to close, after this."""
        self.follower.close()


@dataclass(frozen=True)
class _AlarmBell:
    """Records what sets off an alarm, and says so in the process's own log."""

    recorder: Recorder
    watcher: Watcher

    def hear(self, entries: Sequence[Indexed], live: bool) -> None:
        for entry in entries:
            for alarm in self.watcher.observe(entry):
                if live:
                    self._ring(alarm)

    def _ring(self, alarm: Alarm) -> None:
        salt = secrets.token_bytes(SALT_BYTES)
        fields: dict[str, FieldValue] = {
            "rule": alarm.rule,
            "window_ms": alarm.window_ms,
            "count": alarm.count,
            "set_off_by": alarm.index,
        }
        context: dict[str, object] = {}
        if alarm.actor:
            # INVARIANT: who it was stands in the body alone, which can be erased.
            fields["actor_commitment"] = commitment(salt, alarm.actor.encode()).hex()
            context = {"actor": alarm.actor, "actor_salt": salt.hex()}
        self.recorder.record(ALARM, now_ms(), fields, context or None)
        _LOG.warning("alarm.raised", rule=alarm.rule, count=alarm.count, entry=alarm.index)


def _alarm_rules(home: PartyHome) -> tuple[AlarmRule, ...]:
    file = home.path / "policies" / "alarms.toml"
    try:
        return read_alarm_rules(file.read_bytes())
    except OSError:
        raise Unavailable(
            f"{file} cannot be read; put the file back, empty of alarms if none are wanted",
            code="alarms",
        ) from None
