"""What a node shows of itself on its page. Rim: reads what runs, changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dataspace.audit.cosigning import Cosigner
from dataspace.home import PartyHome
from dataspace.observing.calls import Calls
from dataspace.observing.clock import ClockWatch
from dataspace.observing.counts import Counts
from dataspace.observing.endpoint import Endpoint
from dataspace.observing.log import log_checks, log_readings
from dataspace.observing.party import open_page
from dataspace.observing.readiness import POLICY_REJECTED, holds
from dataspace.observing.readings import Reading, single
from dataspace.observing.tracing import BROKER, open_tracer
from dataspace.processes import now_ms

if TYPE_CHECKING:
    from node.attachments import Attachments
    from node.service import Node

LEDGER = "ledger.db"


class Observed:
    """What a node counts: made before its log is opened, since entries are what it counts."""

    def __init__(self, home: PartyHome) -> None:
        region = home.uri.region
        self.counts = Counts()
        self.clock = ClockWatch()
        tracer = open_tracer("gba-node", region, home.config.traces)
        self.calls = Calls(self.counts, f"node {region}", BROKER, tracer)

    def open_page(self, node: Node, attachments: Attachments, cosigner: Cosigner) -> Endpoint:
        """Serve the node's page. Raises as `observing.party.open_page`."""
        keeper = node.gatekeeper

        def running() -> int:
            engine = keeper.catalogue.engine
            return 0 if engine is None else engine.running

        readings = (
            *log_readings(cosigner),
            single("gba_attached", "1 while attached to a broker.", lambda: attachments.attached),
            single("gba_calls_running", "Questions that the engine works on.", running),
            single(
                "gba_calls_waiting", "Calls that are open and not in the engine.",
                lambda: max(0, self.calls.open - running()),
            ),
            single(
                "gba_policy_accepted", "0 while the policy folder holds what was not taken.",
                lambda: keeper.policies.error is None,
            ),
            single("gba_products", "Products offered.", lambda: len(keeper.catalogue.products)),
            single(
                "gba_ledger_bytes", "Of the ledger's files; absent where it is elsewhere.",
                lambda: ledger_bytes(node.home.path / LEDGER),
            ),
            Reading(
                "gba_existence_limit_used_ratio",
                "Of today's limit of existence checks, by the busiest; 1 is all of it.",
                lambda: [
                    ((whose,), share)
                    for whose, share in node.existence.existence.limits.used(now_ms()).items()
                ],
                ("whose",),
            ),
        )  # fmt: skip
        checks = (
            holds("not-attached", lambda: attachments.attached),
            holds(POLICY_REJECTED, lambda: keeper.policies.error is None),
            *log_checks(cosigner, keeper.check_witnessed),
        )
        return open_page(node.home, keeper.trust, self.counts, self.clock, readings, checks)


def ledger_bytes(file: Path) -> float | None:
    """The ledger's file and what SQLite keeps beside it."""
    parts = [file.with_name(file.name + suffix) for suffix in ("", "-wal", "-shm")]
    if not file.exists():
        return None
    return float(sum(part.stat().st_size for part in parts if part.exists()))
