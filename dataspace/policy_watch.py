"""Keeps a policy folder in view and its changes on record. Rim: writes the log.

    policy.loaded     {"policy_sha256", "charter", "charter_sha256"}: this set decides from here on,
                      under this version of the charter (0 where the space has none)
    policy.rejected   an alarm: {"policy_sha256" (still in force), "file", "line", "rule"}

The node and the broker watch theirs alike; decisions look for themselves as well, so that a
change acts without this too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from dataspace.audit.entries import FieldValue
from dataspace.evidence.recording import Recorder
from dataspace.policy.faults import PolicyFault
from dataspace.policy.store import POLL_SECONDS, InForce, PolicyStore

_LOG = structlog.get_logger("policy-watch")

LOADED = "policy.loaded"
REJECTED = "policy.rejected"
_MOST = 200  # characters of a file's or rule's name in an entry


@dataclass(frozen=True)
class PolicyWatch:
    """One party's."""

    store: PolicyStore
    recorder: Recorder
    now_ms: Callable[[], int]

    def begin(self) -> None:
        """Put the set in force on record, and every change from now on."""
        self.store.listen(self._heard)

    async def run(self) -> None:
        """Look at least once a second, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.store.refresh)

    def _heard(self, in_force: InForce) -> None:
        charter = in_force.charter
        fields: dict[str, FieldValue] = {
            "policy_sha256": in_force.policies.sha256,
            "charter": charter.version if charter is not None else 0,
            "charter_sha256": charter.id if charter is not None else "",
        }
        error = in_force.error
        if error is None:
            self.recorder.record(LOADED, self.now_ms(), fields)
            _LOG.info(LOADED, policy=in_force.policies.sha256[:16])
            return
        named: dict[str, FieldValue] = {
            "file": error.source[:_MOST] if isinstance(error, PolicyFault) else "",
            "line": error.place.line if error.place is not None else 0,
            "rule": error.rule[:_MOST],
        }
        self.recorder.record(REJECTED, self.now_ms(), {**fields, **named, "code": error.code})
        _LOG.warning(REJECTED, why=error.message, **named)
