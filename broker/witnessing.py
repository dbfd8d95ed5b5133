"""The broker's part in witnessing: it carries, keeps public copies, and has a log of its own. Rim.

It is trusted with none of that: owners verify what witnesses sign, and members verify what
the copies prove.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from broker.attached import AttachedNode
from broker.mirrors import Mirror
from broker.witnesses import BUSY, Witnesses
from dataspace.audit.cosigning import Cosigner
from dataspace.audit.notes import parse_vkey
from dataspace.audit.proofs import Proof
from dataspace.audit.quorum import Quorum
from dataspace.errors import DataspaceError, Unverified
from dataspace.evidence.cosigned import quorum_of
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import broker_pb2, query_pb2

_LOG = structlog.get_logger("broker.witnessing")

_MOST_CARRIED = 32  # requests of one node at once
_MOST_UPDATES = 4  # of one node, not yet looked at: it waits for each to be taken
LOOK_SECONDS = 0.02


@dataclass
class Witnessing:
    """For one event loop. `mirrors` and `quorums` are by region, `cosigner` is the broker's own."""

    witnesses: Witnesses
    cosigner: Cosigner
    folder: Path  # of the copies
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    quorums: dict[str, Quorum] = field(default_factory=dict)
    _cosigned: dict[str, tuple[int, str]] = field(default_factory=dict)  # by origin
    _updates: dict[str, asyncio.Queue[tuple[AttachedNode, broker_pb2.LogUpdate]]] = field(
        default_factory=dict
    )
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _carried: dict[str, int] = field(default_factory=dict)

    def follow(self, trust: TrustList) -> None:
        """Copy the logs that a trust list names, of several of one region the last, and count the
        witnesses that it names."""
        logs = {log.owner: log for log in trust.logs if log.owner in trust.regions}
        for region, log in logs.items():
            known = self.mirrors.get(region)
            if known is None or known.vkey != log.vkey:
                self.mirrors[region] = Mirror(self.folder / region, parse_vkey(log.vkey))
            self.quorums[region] = quorum_of(trust, log.origin)
        with suppress(Unverified):  # of a list that names the broker's own log no more
            self.cosigner.follow(quorum_of(trust, self.cosigner.origin))

    def relay(self, node: AttachedNode, frame: broker_pb2.NodeFrame) -> None:
        """Carry a node's request to the witness that it names, and the answer back."""
        carried = self._carried.get(node.region, 0)
        if carried >= _MOST_CARRIED:
            _answer(node, frame.call, broker_pb2.WitnessReply(status=BUSY))
            return
        self._carried[node.region] = carried + 1
        self._start(self._carry(node, frame))

    async def _carry(self, node: AttachedNode, frame: broker_pb2.NodeFrame) -> None:
        try:
            ask = frame.witness_ask
            _answer(node, frame.call, await self.witnesses.ask(ask.witness, ask.request))
        finally:
            self._carried[node.region] -= 1

    def mirror(self, node: AttachedNode, update: broker_pb2.LogUpdate) -> None:
        """Take an update of a node's public files, in the order that they come in."""
        updates = self._updates.get(node.region)
        if updates is None:
            updates = self._updates[node.region] = asyncio.Queue()
            self._start(self._keep(node.region, updates))
        # SECURITY: a node that floods the broker with updates would fill its memory.
        if updates.qsize() >= _MOST_UPDATES:
            node.close()
        else:
            updates.put_nowait((node, update))

    async def _keep(
        self, region: str, updates: asyncio.Queue[tuple[AttachedNode, broker_pb2.LogUpdate]]
    ) -> None:
        while True:
            node, update = await updates.get()
            problem = ""
            try:
                await asyncio.to_thread(self._take, region, update)
            except DataspaceError as error:
                problem = error.message
                _LOG.error("mirror.refused", region=region, code=error.code)
            mirrored = broker_pb2.LogMirrored(size=self.mirrors[region].size, problem=problem)
            _put(node, broker_pb2.BrokerFrame(log_mirrored=mirrored))

    def _take(self, region: str, update: broker_pb2.LogUpdate) -> None:
        mirror = self.mirrors[region]
        mirror.take(
            update.old_size, {tile.path: tile.data for tile in update.tiles}, update.checkpoint
        )
        if update.cosigned:
            cosigned = self.quorums[region].check(update.cosigned)
            mirror.put_cosigned(update.cosigned)
            self._cosigned[cosigned.origin] = (cosigned.size, update.cosigned)

    async def proofs(
        self, receipts: Sequence[query_pb2.Receipt], seconds: float
    ) -> query_pb2.Cosigned | None:
        """Proofs of receipts under cosigned checkpoints, once all have them; None where they
        do not come within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not all(self._covers(receipt) for receipt in receipts):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return None
        proofs = await asyncio.to_thread(lambda: [self._prove(each) for each in receipts])
        return query_pb2.Cosigned(proofs=proofs)

    def _covers(self, receipt: query_pb2.Receipt) -> bool:
        return receipt.index < self._known(receipt.origin)[0]

    def _known(self, origin: str) -> tuple[int, str]:
        if origin == self.cosigner.origin:
            return self.cosigner.cosigned_size, self.cosigner.cosigned_text
        return self._cosigned.get(origin, (0, ""))

    def _prove(self, receipt: query_pb2.Receipt) -> query_pb2.CosignedProof:
        size, text = self._known(receipt.origin)
        if receipt.origin == self.cosigner.origin:
            path = self.cosigner.log.prove_inclusion(receipt.index, size)
        else:
            mirror = next(each for each in self.mirrors.values() if each.origin == receipt.origin)
            path = mirror.prove_inclusion(receipt.index, size)
        return query_pb2.CosignedProof(
            origin=receipt.origin, proof=Proof(receipt.index, path, text).to_text()
        )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _answer(node: AttachedNode, call: int, reply: broker_pb2.WitnessReply) -> None:
    _put(node, broker_pb2.BrokerFrame(call=call, witness_reply=reply))


def _put(node: AttachedNode, frame: broker_pb2.BrokerFrame) -> None:
    if node.outgoing.full():
        node.close()  # it does not keep up; it attaches anew
    else:
        node.outgoing.put_nowait(frame)
