"""Existence checks at a node, opened together: tables, limits, gate, and the job. Rim."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from dataspace.errors import DataspaceError
from dataspace.home import PartyHome
from dataspace.linkage.buckets import name_of
from dataspace.linkage.documents import canonical, normal_number
from dataspace.processes import now_ms
from node.existence.answering import Existence
from node.existence.building import Source, Tables
from node.existence.deciding import ExistenceGate
from node.existence.epochs import EpochStore
from node.existence.limits import DailyLimits, ExistenceLimits
from node.gatekeeper import Gatekeeper
from node.sealing import NodeSealing

_LOG = structlog.get_logger("node.existence")

LOOK_SECONDS = 0.5  # how often the job looks whether a table is due
_AGAIN_SECONDS = 10.0  # after it failed

# Kinds and numbers of what the node knows people by, as they were loaded, many at a time.
Read = Callable[[], Iterator[list[tuple[str, str]]]]


@dataclass(frozen=True)
class ExistenceRoom:
    """One node's: what answers, and what keeps its tables up."""

    existence: Existence

    @classmethod
    def open(
        cls, home: PartyHome, gatekeeper: Gatekeeper, sealing: NodeSealing, read: Read
    ) -> ExistenceRoom:
        """Open what is on disk; `keep` makes what is missing."""
        config = home.config
        limits = DailyLimits(
            config.existence_per_actor, config.existence_per_member, config.existence_per_space
        )

        def source() -> Source:
            catalogue = gatekeeper.catalogue
            data = f"{catalogue.generation} {catalogue.sha256.hex()}"
            known = bool(catalogue.by_documents()) and catalogue.engine is not None
            return Source(data, (lambda: names(read)) if known else None)

        return cls(
            Existence(
                gatekeeper.region,
                ExistenceGate(
                    gatekeeper.region,
                    gatekeeper.policies,
                    gatekeeper.archive,
                    lambda: gatekeeper.catalogue,
                    gatekeeper.agreement_state,
                    gatekeeper.check_offered,
                ),
                Tables(
                    EpochStore(home.path / "existence"),
                    source,
                    gatekeeper.recorder,
                    now_ms,
                    config.existence_days,
                ),
                ExistenceLimits(gatekeeper.ledger, limits),
                sealing,
                gatekeeper.recorder,
                lambda: gatekeeper.check_witnessed(),  # noqa: PLW0108 - it is set when the node runs
            )
        )

    async def keep(self) -> None:
        """Make tables when they are due, beside the queries, until cancelled."""
        tables = self.existence.tables
        try:
            while True:
                pause = LOOK_SECONDS
                try:
                    await asyncio.to_thread(tables.refresh)
                except DataspaceError as error:
                    _LOG.error("existence.failed", code=error.code)
                    pause = _AGAIN_SECONDS
                except Exception as error:
                    # SECURITY: the text of an unexpected error may hold anything.
                    _LOG.error("existence.failed", code=type(error).__name__)
                    pause = _AGAIN_SECONDS
                await asyncio.sleep(pause)
        finally:
            tables.stop()


def names(read: Read) -> Iterator[bytes]:
    """The names of all documents. What is no valid number is left out."""
    left_out = 0
    for numbers in read():
        batch = []
        for kind, number in numbers:
            normal = normal_number(kind, number)
            if normal is None:
                left_out += 1
            else:
                batch.append(name_of(canonical(kind, normal)))
        if batch:
            yield b"".join(batch)
    if left_out:
        _LOG.warning("existence.left_out", documents=left_out)
