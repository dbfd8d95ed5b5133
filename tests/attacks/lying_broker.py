"""A broker that alters what it sends, with the real broker's keys and log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataspace.audit.bodies import BodyStore
from dataspace.audit.store import LogStore
from dataspace.client.session import OnProgress, Session
from dataspace.evidence.recording import Recorder
from dataspace.home import PartyHome
from dataspace.identity.envelopes import SigningIdentity, seal
from dataspace.identity.keystore import load_private_key
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.attacks.forgery import now_ms

Bundle = query_pb2.ReleaseBundle
Event = query_pb2.QueryEvent
Release = query_pb2.Release


class Desk:
    """What a party's keys can make: signatures, and entries in a log of its origin."""

    def __init__(self, home: PartyHome, folder: Path) -> None:
        self.identity: SigningIdentity = home.identity.current()
        key: Any = load_private_key(home.path / "keys/log.key")
        origin = home.config.log_origin
        log = LogStore.create(folder / "log", origin, key)
        self.recorder = Recorder(origin, log, BodyStore(folder / "bodies"))

    def record(self, body: Envelope) -> query_pb2.Receipt:
        """A good receipt for a signed body."""
        digest = hashlib.sha256(body.payload).hexdigest()
        return self.recorder.record("query.released", now_ms(), {"body_sha256": digest})


class Lied(Session):
    """A session whose broker alters what it sends."""

    def __init__(self, home: PartyHome, lie: Callable[[Event], None]) -> None:
        super().__init__(home)
        self.lie = lie
        self.heard = Event()

    def _ask(
        self,
        envelope: Envelope,
        seconds: float,
        on_progress: OnProgress | None,
        cosigned_seconds: float = 0.0,
    ) -> tuple[Event, bytes, query_pb2.Cosigned | None]:
        event, digest, cosigned = super()._ask(envelope, seconds, on_progress, cosigned_seconds)
        self.heard.CopyFrom(event)
        self.lie(event)
        return event, digest, cosigned


def released(lie: Callable[[Bundle], None]) -> Callable[[Event], None]:
    """A lie about the release."""

    def alter(event: Event) -> None:
        assert event.WhichOneof("event") == "release"
        lie(event.release)

    return alter


def resigned(desk: Desk, change: Callable[[Release], None]) -> Callable[[Bundle], None]:
    """Alter the release, sign it anew and record it, as the broker may."""

    def lie(bundle: Bundle) -> None:
        release = Release.FromString(bundle.release.payload)
        change(release)
        bundle.release.CopyFrom(seal(release, desk.identity))
        bundle.receipt.CopyFrom(desk.record(bundle.release))

    return lie
