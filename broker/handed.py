"""What nodes hand on: agreements, charters and lists that this broker may lack. Rim.

A broker is trusted with keeping nothing: what went through another broker, or was here and is
lost, comes again from the nodes that hold it. Each is verified as if it came from anybody, and
what is news goes on to the other nodes that are attached: those that are not hear it when they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from broker.attached import Attached, AttachedNode
from dataspace.errors import DataspaceError
from dataspace.evidence.agreeing import Registry
from dataspace.evidence.governing import Governor
from dataspace.in_force import InForce
from dataspace.processes import now_ms
from dataspace.v1 import broker_pb2
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("broker.handed")

_MOST_WAITING = 64  # frames of all nodes that are not looked at yet


@dataclass
class HandedOn:
    """For one event loop; takes one frame after the other."""

    in_force: InForce
    agreements: Registry
    governor: Governor
    attached: Attached = field(default_factory=Attached)
    news: int = 0  # how often something was taken: a welcome from before lacks it
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

    def catch_up(self, node: AttachedNode, news: int, charters: Iterable[Envelope]) -> None:
        """A node was welcomed when `news` was taken: hand on what may have come since."""
        if self.news != news:
            agreements = self.agreements.of_region(node.region)
            node.hand(broker_pb2.Held(charters=charters, agreements=agreements))

    async def run(self) -> None:
        """Take what comes, until cancelled."""
        while True:
            node, held = await self._waiting.get()
            if held.HasField("revocations"):
                self.in_force.receive(held.revocations)
            fresh, problems = await asyncio.to_thread(self._take, held)
            for error in problems:
                _LOG.error("handed.not_taken", region=node.region, code=error.code)
            if fresh.agreements or fresh.charters:
                self.news += 1
                await self._pass_on(node, fresh)

    def _take(self, held: broker_pb2.Held) -> tuple[broker_pb2.Held, list[DataspaceError]]:
        """What of it was news, and what could not be taken."""
        fresh, problems = broker_pb2.Held(), list[DataspaceError]()
        if held.charters:
            before = len(self.governor.charters)
            try:
                self.governor.take_chain(held.charters, now_ms())
            except DataspaceError as error:
                problems.append(error)
            if len(self.governor.charters) > before:
                fresh.charters.extend(held.charters)
        for chain in held.agreements:
            try:
                if self.agreements.take_chain(chain.steps, now_ms()):
                    fresh.agreements.append(chain)
            except DataspaceError as error:
                problems.append(error)
        return fresh, problems

    async def _pass_on(self, sender: AttachedNode, fresh: broker_pb2.Held) -> None:
        named = {chain.steps[0].payload for chain in fresh.agreements}
        for region in self.attached.regions():
            # SECURITY: an agreement goes to its parties alone.
            theirs = await asyncio.to_thread(self.agreements.of_region, region)
            held = broker_pb2.Held(
                charters=fresh.charters,
                agreements=[chain for chain in theirs if chain.steps[0].payload in named],
            )
            node = self.attached.find(region)
            if node not in {None, sender} and (held.charters or held.agreements):
                node.hand(held)
