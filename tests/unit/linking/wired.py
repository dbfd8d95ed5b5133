"""Rounds between the broker's and the nodes' own code, over queues that a test may tamper with.

Real: the broker's rounds and attached nodes, each node's outbox, rounds, sessions, workers,
signatures. Only the gates are simple: they select what a test gives them, and permit it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import Message

from broker.attached import AttachedNode
from broker.rounds import Round, RoundEnd
from dataspace.errors import DataspaceError
from dataspace.evidence.answers import status_of
from dataspace.evidence.round_messages import RoundReader
from dataspace.identity.envelopes import SigningIdentity, seal
from dataspace.linkage.keyed import contribution_digest
from dataspace.linkage.match_lists import MatchList
from dataspace.linkage.matching import count_overlaps
from dataspace.linkage.ring import Collector
from dataspace.linkage.rounds import (
    BLIND,
    KEYED,
    BatchShape,
    RoundPlan,
    Transcript,
    join_message,
)
from dataspace.linkage.tuples import Tuples, commit_inputs
from dataspace.v1 import broker_pb2, linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.blinding import BlindingPool
from node.gatekeeper import Cancellation, Gatekeeper, now_ms
from node.linking.drawn import RoundSecrets, draw_codes
from node.linking.rounds import Gate, Report, Rounds
from node.outbox import Outbox
from tests.unit.identity.world import NOW_MS, Space, make_space
from tests.unit.linkage.rings import SLOTS, Cell, as_tuples

Down = Callable[[str, broker_pb2.BrokerFrame], Sequence[broker_pb2.BrokerFrame]]
Up = Callable[[str, broker_pb2.NodeFrame], Sequence[broker_pb2.NodeFrame]]


@dataclass
class SimplePart:
    """A part whose subjects a test names."""

    region: str
    plan: RoundPlan
    identity: SigningIdentity
    reader: RoundReader
    cells: Sequence[Cell]
    drawn: RoundSecrets = field(default_factory=RoundSecrets.draw)
    padding: int = 0
    counts: linkage_pb2.OverlapCounts | None = None
    told: dict[bytes, int] | None = None
    codes: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.codes = draw_codes(len(self.cells))

    def join(self) -> Envelope:
        batches = self.batches()
        commitment = commit_inputs(
            self.drawn.salt, self.plan.round_id, zip(self.codes, batches, strict=True)
        )
        keyed = self.plan.tier == KEYED
        message = join_message(
            self.plan, self.region, self.drawn.sealing.public, commitment,
            tuple(map(BatchShape, self.codes, map(len, batches))),
            contribution_digest(self.drawn.contribution) if keyed else b"",
            padded=bool(self.padding),
        )  # fmt: skip
        return self.sign(message)

    def batches(self) -> list[Tuples]:
        seed = self.drawn.filling_seed
        return [
            as_tuples(cell, code, len(cell) + self.padding, seed)
            for cell, code in zip(self.cells, self.codes, strict=True)
        ]

    def tags(self, keys: dict[str, bytes]) -> list[Tuples]:
        def tag(slot: str, name: str) -> bytes:
            return hashlib.sha256(keys[slot] + name.encode()).digest()

        return [
            np.frombuffer(
                b"".join(
                    tag(*each) for subject in cell for each in zip(SLOTS, subject, strict=True)
                ),
                np.uint8,
            ).reshape(len(cell), len(SLOTS), 32)
            for cell in self.cells
        ]

    def sign(self, message: Message) -> Envelope:
        return seal(message, self.identity)

    def dummies(self) -> list[int]:
        return [self.padding for _ in self.cells]

    def release(
        self,
        transcript: Transcript,
        counts: linkage_pb2.OverlapCounts,
        dummies: dict[bytes, int],
    ) -> query_pb2.NodeAnswer:
        self.told = dummies
        self.counts = counts
        partial = query_pb2.Partial(region=self.region, request_sha256=counts.transcript)
        return query_pb2.NodeAnswer(body=self.sign(partial))


@dataclass
class SimpleInvited:
    """A gate that permits everything."""

    region: WiredRegion
    invitation: linkage_pb2.RoundInvitation

    def admit(self) -> SimplePart:
        plan = RoundPlan.from_message(self.invitation.plan)
        self.region.plan.check_invitation(plan)
        part = SimplePart(
            self.region.name,
            plan,
            self.region.identity,
            self.region.reader,
            self.region.cells,
            padding=self.region.padding,
        )
        self.region.parts.append(part)
        return part

    def refuse(self, error: DataspaceError) -> query_pb2.NodeAnswer:
        self.region.refused.append(error)
        refusal = query_pb2.Refusal(region=self.region.name, status=status_of(error))
        return query_pb2.NodeAnswer(body=seal(refusal, self.region.identity))

    def abandon(self) -> None:
        self.region.abandoned += 1


@dataclass
class WiredRegion:
    """One node with its queue to the broker and back."""

    name: str
    plan: RoundPlan
    identity: SigningIdentity
    reader: RoundReader
    cells: Sequence[Cell]
    pool: BlindingPool
    padding: int = 0
    parts: list[SimplePart] = field(default_factory=list)
    refused: list[DataspaceError] = field(default_factory=list)
    abandoned: int = 0

    def __post_init__(self) -> None:
        self.attached = AttachedNode(self.name, str(self.identity.uri))
        self.outbox = Outbox()
        self.rounds = Rounds(self.name, self._gate, self.pool)

    def _gate(
        self, invitation: linkage_pb2.RoundInvitation, _report: Report, _: Cancellation
    ) -> SimpleInvited:
        return SimpleInvited(self, invitation)

    async def down(self, tamper: Down) -> None:
        while True:
            frame = await self.attached.outgoing.get()
            for each in tamper(self.name, frame):
                if each.WhichOneof("body") == "cancel":
                    self.outbox.drop(each.call)
                    self.rounds.cancel(each.call)
                elif each.round.WhichOneof("body") == "invitation":
                    self.rounds.start(each.call, each.round.invitation, self.outbox)
                elif each.WhichOneof("body") == "round":
                    self.rounds.receive(each.call, each.round)
                else:
                    self.outbox.add_credit(each.call, each.credit.bytes)

    async def up(self, tamper: Up) -> None:
        while True:
            for each in tamper(self.name, await self.outbox.next()):
                self.attached.receive(each)

    def die(self) -> None:
        """The node's process and stream are gone."""
        self.rounds.cancel_all()
        self.attached.close()


@dataclass
class Wired:
    """A broker and its nodes."""

    plan: RoundPlan
    regions: Mapping[str, WiredRegion]
    reader: RoundReader
    matched: dict[str, list[set[bytes]]] = field(default_factory=dict)
    progress: list[query_pb2.Progress] = field(default_factory=list)

    async def run(self) -> RoundEnd:
        """One attempt."""
        invitation = linkage_pb2.RoundInvitation(
            plan=self.plan.to_message(), deadline_ms=20_000, credit=10**6
        )
        attempt = Round(self.plan, self.reader, self._match, self.progress.append)
        nodes = {name: region.attached for name, region in self.regions.items()}
        return await attempt.run(nodes, invitation)

    async def _match(
        self, transcript: Transcript, collector: Collector
    ) -> linkage_pb2.OverlapCounts:
        for stream, batches in collector.batches().items():
            self.matched[stream] = [
                {row.tobytes() for row in each.tokens[:, 0]} for each in batches
            ]
        return linkage_pb2.OverlapCounts(transcript=transcript.digest)

    def common(self) -> int:
        """How many tokens of the first slot stand in every region."""
        return len(set.intersection(*(set().union(*each) for each in self.matched.values())))


_SPACES: list[Space] = []


def space() -> Space:
    """One set of keys for all tests."""
    if not _SPACES:
        _SPACES.append(make_space())
    return _SPACES[0]


@asynccontextmanager
async def wired(
    cells: Mapping[str, Sequence[Cell]],
    down: Down = lambda _, frame: [frame],
    up: Up = lambda _, frame: [frame],
    *,
    tier: str = BLIND,
    chunk_tuples: int = 4,
    padding: Mapping[str, int] | None = None,
) -> AsyncIterator[Wired]:
    """Nodes with these cells, attached."""
    keys = space()
    trust = keys.trust()
    reader = RoundReader(lambda: trust, lambda: NOW_MS)
    plan = RoundPlan(b"r" * 32, 0, tier, tuple(sorted(cells)), SLOTS, chunk_tuples=chunk_tuples)
    with BlindingPool(2) as pool:
        regions = {
            name: WiredRegion(
                name,
                plan,
                keys.actor(f"gba://{name}/h1/node/node-1"),
                reader,
                mine,
                pool,
                (padding or {}).get(name, 0),
            )
            for name, mine in cells.items()
        }
        tasks = [
            asyncio.create_task(pumping)
            for region in regions.values()
            for pumping in (region.down(down), region.up(up))
        ]
        try:
            yield Wired(plan, regions, reader)
        finally:
            for region in regions.values():
                region.rounds.cancel_all()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def held(
    gates: Mapping[str, Gate],
    invitation: linkage_pb2.RoundInvitation,
    keeper: Gatekeeper,
    pool: BlindingPool,
    lie: Callable[[linkage_pb2.OverlapCounts], None],
) -> RoundEnd:
    """One attempt between gates of any kind, by a broker who may lie about its counts."""
    plan = RoundPlan.from_message(invitation.plan)
    reader = RoundReader(keeper.trust, now_ms)

    async def match(transcript: Transcript, collector: Collector) -> linkage_pb2.OverlapCounts:
        lists = [MatchList(tuple(slot.strip("[]").split(", "))) for slot in plan.slots]
        counts = count_overlaps(transcript, collector.batches(), lists)
        lie(counts)
        return counts

    attached = {region: AttachedNode(region, region) for region in gates}
    tasks = []
    for region, gate in gates.items():
        outbox, rounds = Outbox(), Rounds(region, gate, pool)
        tasks.append(asyncio.create_task(_down(attached[region], rounds, outbox)))
        tasks.append(asyncio.create_task(_up(attached[region], outbox)))
    try:
        return await Round(plan, reader, match, lambda _: None).run(attached, invitation)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _down(attached: AttachedNode, rounds: Rounds, outbox: Outbox) -> None:
    while True:
        frame = await attached.outgoing.get()
        match frame.WhichOneof("body"):
            case "cancel":
                outbox.drop(frame.call)
                rounds.cancel(frame.call)
            case "credit":
                outbox.add_credit(frame.call, frame.credit.bytes)
            case _ if frame.round.WhichOneof("body") == "invitation":
                rounds.start(frame.call, frame.round.invitation, outbox)
            case _:
                rounds.receive(frame.call, frame.round)


async def _up(attached: AttachedNode, outbox: Outbox) -> None:
    while True:
        attached.receive(await outbox.next())
