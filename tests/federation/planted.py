"""Entries that a test writes into the log of a party that does not run."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.bodies import BodyStore
from dataspace.audit.store import LogStore
from dataspace.evidence.recording import Recorder
from dataspace.home import PartyHome
from dataspace.identity.keystore import load_private_key
from dataspace.processes import now_ms


def plant(
    home: PartyHome, *records: tuple[str, dict[str, Any], dict[str, object]], at_ms: int = 0
) -> None:
    """Entries in the log of a party that does not run; of now, after what is there."""
    key = load_private_key(home.path / "keys/log.key")
    assert isinstance(key, Ed25519PrivateKey)
    origin = home.config.log_origin
    with LogStore.open(home.path / "log", origin, key) as log:
        recorder = Recorder(origin, log, BodyStore(home.folder("bodies")))
        for kind, fields, body in records:
            recorder.record(kind, at_ms or now_ms(), fields, body)
