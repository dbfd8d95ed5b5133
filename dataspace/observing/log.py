"""What an owner's log shows of itself: its size, and how far and when witnesses cosigned it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dataspace.audit.cosigning import Cosigner
from dataspace.observing.readiness import Check, passes
from dataspace.observing.readings import Reading, Values, single
from dataspace.processes import now_ms


def log_readings(cosigner: Cosigner) -> list[Reading]:
    """The readings of one log."""
    began = int(time.time())

    def ages() -> Values:
        # One that has not cosigned yet is as old as this process: so an alert on it comes in time.
        moment = time.time()
        for witness, at_s in sorted(cosigner.cosigned_at.items()):
            yield (witness,), max(0.0, moment - (at_s or began))

    log = cosigner.log
    return [
        single("gba_log_entries", "Entries of this party's log.", lambda: log.size),
        single(
            "gba_log_uncosigned_entries", "Entries that no quorum of witnesses has cosigned.",
            lambda: max(0, log.size - cosigner.cosigned_size),
        ),
        single(
            "gba_log_uncosigned_seconds", "For how long the oldest of them has waited.",
            lambda: cosigner.uncosigned_ms(now_ms()) / 1000,
        ),
        Reading(
            "gba_witness_age_seconds", "Since a witness last cosigned this log.", ages, ("witness",)
        ),
    ]  # fmt: skip


def log_checks(cosigner: Cosigner, check_witnessed: Callable[[], None]) -> Sequence[Check]:
    """The log takes entries, and is not without witnesses for too long."""
    return (passes(cosigner.log.check_writable), passes(check_witnessed))
