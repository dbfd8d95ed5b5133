"""A ring in memory: nodes and the broker as they are in the field, joined by lists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from google.protobuf.message import Message as ProtobufMessage

from dataspace.identity.names import ActorUri
from dataspace.linkage.points import blind, random_points, scalar_from
from dataspace.linkage.ring import BlindedBatch, Collector, Participant, Work
from dataspace.linkage.rounds import BLIND, BatchShape, Joined, RoundPlan, Transcript
from dataspace.linkage.sealing import SEED_BYTES, X25519, SealingKey
from dataspace.linkage.tuples import (
    Tuples,
    commit_inputs,
    empty_slots,
    fill,
    filling,
    hash_keys,
    keys_of,
)
from dataspace.v1.linkage_pb2 import BlindedChunk, HopChunk

Message = HopChunk | BlindedChunk
Cell = Sequence[Sequence[str]]  # subjects, each a name for every slot, "" where it has none

SLOTS = ("hkid", "surname,given_name,birth_date")
THREE = ("guangzhou", "hongkong", "macao")
TWO = ("guangzhou", "macao")


def uri(region: str, name: str = "node") -> ActorUri:
    return ActorUri(region, "h1", "node", name)


def seed(*parts: str) -> bytes:
    return hashlib.sha256(" ".join(parts).encode()).digest()


def match_key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def plan(regions: Sequence[str] = THREE, attempt: int = 0, tier: str = BLIND) -> RoundPlan:
    return RoundPlan(b"r" * 32, attempt, tier, tuple(regions), SLOTS, chunk_tuples=4)


def as_tuples(cell: Cell, code: bytes, size: int, secret: bytes) -> Tuples:
    slots = len(SLOTS)
    keys = np.frombuffer(
        b"".join(match_key(name) for subject in cell for name in subject), np.uint8
    ).reshape(len(cell), slots, 32)
    present = np.array([[bool(name) for name in subject] for subject in cell], dtype=bool)
    present = present.reshape(len(cell), slots)
    random = random_points(filling(secret, code, empty_slots(present, size)))
    return fill(hash_keys(keys_of(keys, present)), present, size, random)


@dataclass
class RingNode:
    """One region's node with its cells, and all secrets it draws for one round."""

    region: str
    cells: Sequence[Cell]
    round_id: bytes
    padding: int = 0
    salt: str = ""
    batches: list[Tuples] = field(init=False)
    joined: Joined = field(init=False)

    def __post_init__(self) -> None:
        secret = (self.region, self.round_id.hex(), self.salt)
        self.key = SealingKey.from_seed(X25519, seed("key", *secret)[: SEED_BYTES[X25519]])
        self.scalar = scalar_from(seed("one", *secret) + seed("two", *secret))
        self.shuffle_seed = seed("shuffle", *secret)
        self.codes = [seed("code", str(at), *secret)[:16] for at in range(len(self.cells))]
        self.batches = [
            as_tuples(cell, code, len(cell) + self.padding, seed("fill", *secret))
            for cell, code in zip(self.cells, self.codes, strict=True)
        ]
        commitment = commit_inputs(
            seed("salt", *secret), self.round_id, zip(self.codes, self.batches, strict=True)
        )
        self.joined = Joined(
            uri(self.region),
            self.round_id,
            self.key.public,
            commitment,
            tuple(map(BatchShape, self.codes, map(len, self.batches))),
            b"",
            seed("payload", commitment.hex()),
        )

    def participant(self, transcript: Transcript) -> Participant:
        return Participant(transcript, self.region, self.key, self.shuffle_seed)


@dataclass
class Ring:
    """Everybody in one round; `tamper` stands for the broker between nodes."""

    nodes: Mapping[str, RingNode]
    transcript: Transcript
    sent: list[tuple[ActorUri, Message]] = field(default_factory=list)
    collector: Collector = field(init=False)  # of the last run

    def run(
        self,
        tamper: Callable[[list[tuple[ActorUri, Message]]], list[tuple[ActorUri, Message]]] = list,
    ) -> dict[str, list[BlindedBatch]]:
        """Every wave of messages goes through `tamper` before it is delivered."""
        parts = {region: node.participant(self.transcript) for region, node in self.nodes.items()}
        collector = self.collector = Collector(self.transcript)
        wave = [
            message
            for region, part in parts.items()
            for work in part.begin(self.nodes[region].batches)
            for message in self._blind(part, work)
        ]
        while wave:
            self.sent += wave
            arriving, wave = tamper(wave), []
            for signer, message in arriving:
                if isinstance(message, BlindedChunk):
                    collector.receive(message, signer)
                else:
                    part = parts[message.to]
                    wave += self._blind(part, part.receive(message, signer))
        for part in parts.values():
            part.finish()
        return collector.batches()

    def _blind(self, part: Participant, work: Work) -> list[tuple[ActorUri, Message]]:
        points = blind(work.points, self.nodes[part.region].scalar)
        sends = part.blinded(work, points)
        return [(uri(part.region), place.message(data)) for place, data in sends]


def ring(
    cells: Mapping[str, Sequence[Cell]], attempt: int = 0, padding: int = 0, salt: str = ""
) -> Ring:
    agreed = plan(sorted(cells), attempt)
    nodes = {
        region: RingNode(region, mine, agreed.round_id, padding, salt)
        for region, mine in cells.items()
    }
    return Ring(nodes, Transcript.agree(agreed, [each.joined for each in nodes.values()], None))


def tokens(batches: Sequence[BlindedBatch], slot: int) -> list[set[bytes]]:
    """The tokens of one slot, of each batch."""
    return [{row.tobytes() for row in batch.tokens[:, slot]} for batch in batches]


def people(count: int, first: int = 0) -> Cell:
    """Subjects with a document and a name each."""
    return [(f"doc {number}", f"name {number}") for number in range(first, first + count)]


M = TypeVar("M", bound=ProtobufMessage)


def edited(message: M, **changes: object) -> M:
    copy = type(message).FromString(message.SerializeToString())
    for name, value in changes.items():
        target: object = copy
        *path, last = name.split("__")
        for step in path:
            target = getattr(target, step)
        setattr(target, last, value)
    return copy
