"""What nodes hand on: agreements, charters and lists that this broker may lack. Rim.

A broker is trusted with keeping nothing: what went through another broker, or was here and is
lost, comes again from the nodes that hold it. Each is verified as if it came from anybody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from broker.attached import AttachedNode
from dataspace.errors import DataspaceError
from dataspace.evidence.agreeing import Registry, delivered
from dataspace.evidence.governing import Governor
from dataspace.in_force import InForce
from dataspace.processes import now_ms
from dataspace.v1 import broker_pb2

_LOG = structlog.get_logger("broker.handed")

_MOST_WAITING = 64  # frames of all nodes that are not looked at yet


@dataclass
class HandedOn:
    """For one event loop; takes one frame after the other."""

    in_force: InForce
    agreements: Registry
    governor: Governor
    _waiting: asyncio.Queue[tuple[AttachedNode, broker_pb2.Held]] = field(
        default_factory=lambda: asyncio.Queue(_MOST_WAITING)
    )

    def receive(self, node: AttachedNode, held: broker_pb2.Held) -> None:
        """Queue a frame of a node."""
        # SECURITY: a node that floods the broker would fill its memory.
        if self._waiting.full():
            node.close()
        else:
            self._waiting.put_nowait((node, held))

    async def run(self) -> None:
        """Take what comes, until cancelled."""
        while True:
            node, held = await self._waiting.get()
            if held.HasField("revocations"):
                self.in_force.receive(held.revocations)
            for error in await asyncio.to_thread(self._take, held):
                _LOG.error("handed.not_taken", region=node.region, code=error.code)

    def _take(self, held: broker_pb2.Held) -> list[DataspaceError]:
        problems: list[DataspaceError] = []
        if held.charters:
            try:
                self.governor.take_chain(held.charters, now_ms())
            except DataspaceError as error:
                problems.append(error)
        return problems + delivered(self.agreements, held.agreements, now_ms())
