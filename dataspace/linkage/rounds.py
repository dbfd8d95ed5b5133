"""One round between nodes: its plan, who joins with what, and the transcript of both. Pure.

    plan        derived by everyone from the signed request; its digest is the round's id
    join        signed by each node before it sees anything of the others: sealing key, salted
                commitment to its inputs, codes and sizes of its batches
    transcript  SHA-256 over the round's id and the digests of all joins, in the plan's order

Every later message names the transcript: a broker that shows two nodes different joins gets no
message from one accepted by the other. A node takes part in a round id once; that is for the
caller to record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.linkage.points import POINT_BYTES
from dataspace.linkage.sealing import PublicSealingKey
from dataspace.v1 import linkage_pb2, sealing_pb2

BLIND = "blind"
KEYED = "keyed"
TIERS = (BLIND, KEYED)
ATTEMPTS = 2
CODE_BYTES = 16
CHUNK_TUPLES = 4096
MAX_SLOTS = 16
MAX_BATCHES = 4096
MAX_STREAM_BYTES = 512 * 1024 * 1024  # a node holds one stream whole while it shuffles it
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class RoundPlan:
    """What a round is. Raises `Malformed` (`round-plan`) where it cannot be one."""

    request_sha256: bytes
    attempt: int
    tier: str
    regions: tuple[str, ...]  # two or three, sorted: those that have data
    slots: tuple[str, ...]  # match lists in order of trust
    chunk_tuples: int = CHUNK_TUPLES

    def __post_init__(self) -> None:
        whole = (
            len(self.request_sha256) == _DIGEST_BYTES
            and 0 <= self.attempt < ATTEMPTS
            and self.tier in TIERS
            and 2 <= len(self.regions) <= len(REGIONS)
            and set(self.regions) <= set(REGIONS)
            and list(self.regions) == sorted(set(self.regions))
            and 1 <= len(self.slots) <= MAX_SLOTS
            and len(set(self.slots)) == len(self.slots)
            and all(self.slots)
            and 1 <= self.chunk_tuples <= CHUNK_TUPLES
        )
        if not whole:
            raise Malformed("this cannot be the plan of a round", code="round-plan")

    @cached_property
    def round_id(self) -> bytes:
        """32 bytes; another request, attempt, tier, region or slot gives another."""
        return _digest(
            b"round",
            self.request_sha256,
            bytes([self.attempt]),
            self.tier.encode(),
            _digest(b"regions", *(each.encode() for each in self.regions)),
            _digest(b"slots", *(each.encode() for each in self.slots)),
            self.chunk_tuples.to_bytes(4, "big"),
        )

    @property
    def tuple_bytes(self) -> int:
        """The size of one subject's tuple."""
        return POINT_BYTES * len(self.slots)

    def route(self, stream: str) -> tuple[str, ...]:
        """Whom a region's stream passes, itself first; behind the last is the broker.

        INVARIANT: in the ring every node is passed once, and the last is not the stream's own:
        nobody sees its own subjects fully blinded. Keyed streams go to the broker at once.
        """
        at = self.regions.index(stream)
        return (stream,) if self.tier == KEYED else self.regions[at:] + self.regions[:at]

    def to_message(self) -> linkage_pb2.RoundPlan:
        """As it travels in an invitation."""
        return linkage_pb2.RoundPlan(
            **{each.name: getattr(self, each.name) for each in fields(self)}
        )

    @classmethod
    def from_message(cls, message: linkage_pb2.RoundPlan) -> RoundPlan:
        """Raises `Malformed` (`round-plan`)."""
        return cls(
            message.request_sha256,
            message.attempt,
            message.tier,
            tuple(message.regions),
            tuple(message.slots),
            message.chunk_tuples,
        )

    def check_invitation(self, invited: RoundPlan) -> None:
        """Hold what the broker proposes against this plan, which the participant derived.

        Raises `Unverified` (`round-plan`), naming what differs.
        """
        for each in fields(self):
            if getattr(self, each.name) != getattr(invited, each.name):
                raise Unverified(
                    f"the broker proposes a round with another {each.name} than the request says",
                    code="round-plan",
                )


@dataclass(frozen=True)
class BatchShape:
    """One group cell as everybody sees it: a random code and a padded size."""

    code: bytes
    tuples: int


@dataclass(frozen=True)
class Joined:
    """A node's verified join. Raises `Unverified` (`round-join`) where it cannot be one."""

    uri: ActorUri
    round_id: bytes
    sealing_key: PublicSealingKey
    inputs_commitment: bytes
    batches: tuple[BatchShape, ...]
    contribution_sha256: bytes
    payload_sha256: bytes  # of the signed bytes
    padded: bool = False  # it tells the other nodes how many tuples are dummies

    def __post_init__(self) -> None:
        codes = [batch.code for batch in self.batches]
        whole = (
            self.uri.role == "node"
            and len(self.inputs_commitment) == _DIGEST_BYTES
            and len(self.payload_sha256) == _DIGEST_BYTES
            and len(self.contribution_sha256) in {0, _DIGEST_BYTES}
            and 1 <= len(codes) <= MAX_BATCHES
            and len(set(codes)) == len(codes)
            and all(len(code) == CODE_BYTES for code in codes)
        )
        if not whole:
            raise _bad_join(self.uri.region, "cannot be one")

    @property
    def region(self) -> str:
        """Whose subjects these are."""
        return self.uri.region

    @property
    def tuples(self) -> int:
        """Of all batches."""
        return sum(batch.tuples for batch in self.batches)

    @classmethod
    def from_message(
        cls, message: linkage_pb2.RoundJoin, signer: ActorUri, payload_sha256: bytes
    ) -> Joined:
        """Of an opened envelope. Raises `Unverified` (`round-join`)."""
        if message.region != signer.region:
            raise _bad_join(signer.region, "speaks for another region")
        key = message.sealing_key
        try:
            sealing_key = PublicSealingKey(key.kind, key.data)
        except DataspaceError:
            raise _bad_join(signer.region, "brings no sealing key") from None
        return cls(
            signer,
            message.round_id,
            sealing_key,
            message.inputs_commitment,
            tuple(BatchShape(batch.code, batch.tuples) for batch in message.batches),
            message.contribution_sha256,
            payload_sha256,
            message.padded,
        )


def join_message(
    plan: RoundPlan,
    region: str,
    sealing_key: PublicSealingKey,
    inputs_commitment: bytes,
    batches: Sequence[BatchShape],
    contribution_sha256: bytes = b"",
    *,
    padded: bool = False,
) -> linkage_pb2.RoundJoin:
    """What a node signs to join, before it sees anything of the others."""
    return linkage_pb2.RoundJoin(
        region=region,
        round_id=plan.round_id,
        sealing_key=sealing_pb2.SealingPublicKey(kind=sealing_key.kind, data=sealing_key.data),
        inputs_commitment=inputs_commitment,
        batches=[
            linkage_pb2.LinkageBatch(code=batch.code, tuples=batch.tuples) for batch in batches
        ],
        contribution_sha256=contribution_sha256,
        padded=padded,
    )


@dataclass(frozen=True)
class ChunkShape:
    """One chunk of a stream: which tuples of which batch. Fixed by the joins."""

    number: int
    batch: int
    first: int
    tuples: int


@dataclass(frozen=True)
class Transcript:
    """A plan with everybody's join. Raises `Unverified` (`round-join`) where they do not fit."""

    plan: RoundPlan
    joins: tuple[Joined, ...]  # in the plan's order
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        if tuple(join.region for join in self.joins) != plan.regions:
            raise Unverified("not exactly the plan's regions joined", code="round-join")
        codes = [batch.code for join in self.joins for batch in join.batches]
        for join in self.joins:
            _check_join(join, plan)
        if len(set(codes)) != len(codes):
            raise Unverified("two nodes brought the same code", code="round-join")
        digests = [join.payload_sha256 for join in self.joins]
        object.__setattr__(self, "digest", transcript_digest(plan.round_id, digests))

    @classmethod
    def agree(cls, plan: RoundPlan, joins: Sequence[Joined], own: Joined | None) -> Transcript:
        """Of the joins that the broker passed on, in any order; `own` must be among them."""
        if own is not None and own not in joins:
            raise Unverified("the broker passes on another join than ours", code="round-join")
        return cls(plan, tuple(sorted(joins, key=lambda join: join.region)))

    def join(self, region: str) -> Joined:
        """What a participant joined with."""
        return self.joins[self.plan.regions.index(region)]

    def chunks(self, stream: str) -> Iterator[ChunkShape]:
        """The chunks of a region's stream, in order, at every hop the same."""
        number, size = 0, self.plan.chunk_tuples
        for index, batch in enumerate(self.join(stream).batches):
            for first in range(0, batch.tuples, size):
                yield ChunkShape(number, index, first, min(size, batch.tuples - first))
                number += 1


def transcript_digest(round_id: bytes, joins_sha256: Sequence[bytes]) -> bytes:
    """32 bytes over a round's id and the digests of its signed joins, in the plan's order.

    The digests say nothing of the joins, which hold fresh keys, and so can go where sizes may not.
    """
    return _digest(b"transcript", round_id, *joins_sha256)


def _check_join(join: Joined, plan: RoundPlan) -> None:
    if join.round_id != plan.round_id:
        raise _bad_join(join.region, "is of another round")
    if bool(join.contribution_sha256) != (plan.tier == KEYED):
        raise _bad_join(join.region, "does not fit the tier")
    # SECURITY: room is made for a stream before it arrives.
    if join.tuples * plan.tuple_bytes > MAX_STREAM_BYTES:
        raise _bad_join(join.region, "brings more than a round may hold")


def _bad_join(region: str, problem: str) -> Unverified:
    return Unverified(f"the join of {region} {problem}; the round is given up", code="round-join")


def _digest(purpose: bytes, *parts: bytes) -> bytes:
    state = hashlib.sha256(b"gba-linkage v1 ")
    for part in (purpose, *parts):
        state.update(len(part).to_bytes(4, "big") + part)
    return state.digest()
