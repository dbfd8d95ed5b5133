"""A node's attachments to all brokers of its space, as one. Rim.

A question is answered over the stream that it came by; a load is offered to every broker;
witnesses are asked through whichever broker carries it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from dataspace.errors import DataspaceError
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.attachment import Attachment
from node.witnessing import ABSENT

_LOG = structlog.get_logger("node.attachment")


@dataclass(frozen=True)
class Attachments:
    """One for each broker, in the order of their addresses."""

    each: Sequence[Attachment]

    @property
    def attached(self) -> bool:
        """Whether any broker is there."""
        return bool(self._there())

    async def run(self) -> None:
        """Keep all of them, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for attachment in self.each:
                group.create_task(attachment.run())

    async def publish(
        self, offers: list[Envelope], earlier: list[Envelope]
    ) -> list[query_pb2.ErrorStatus]:
        """Offer products to every broker that is there; the others hear of them at attach.

        Where one does not take them, those that did get the `earlier` ones back, and its reasons
        are returned.
        """
        taken: list[Attachment] = []
        try:
            for attachment in self._there():
                if rejected := await attachment.publish(offers):
                    await _take_back(taken, earlier)
                    return rejected
                taken.append(attachment)
        except DataspaceError:
            await _take_back(taken, earlier)
            raise
        return []

    async def ask_witness(self, witness: str, request: bytes) -> tuple[int, bytes]:
        """Put an add-checkpoint request to a witness, through the first broker that carries it."""
        reply: tuple[int, bytes] = (ABSENT, b"")
        for attachment in self._there():
            reply = await attachment.witnessing.ask(witness, request)
            if reply[0] != ABSENT:
                break
        return reply

    def stop_revoked(self) -> None:
        """End the calls that run for somebody who has lost its standing since they began."""
        for attachment in self.each:
            attachment.stop_revoked()

    def _there(self) -> list[Attachment]:
        return [each for each in self.each if each.attached.is_set()]


async def _take_back(taken: Sequence[Attachment], earlier: list[Envelope]) -> None:
    for attachment in taken:
        try:
            await attachment.publish(earlier)
        except DataspaceError as error:
            # It gets them at the next attach; until then its nodes refuse what they do not have.
            _LOG.error("offers.not_taken_back", broker=attachment.address, code=error.code)
