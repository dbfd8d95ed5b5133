"""What arrives at one place of a round: each chunk once, in order, whole, from the right node.

    route   guangzhou -> hongkong -> macao -> broker      (the stream of guangzhou)
    hop         0            1          2

A chunk belongs to (transcript, stream, hop, number); how many tuples it has is fixed by the
joins. The first thing that does not fit ends the stream, and says what and between whom. Pure:
signatures are verified before, by whoever opened the envelope.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataspace.errors import Unverified
from dataspace.identity.names import ActorUri
from dataspace.linkage.rounds import ChunkShape, Transcript
from dataspace.linkage.sealing import SealingKey, bound_to
from dataspace.v1 import linkage_pb2

BROKER = "broker"


@dataclass(frozen=True)
class Place:
    """Where a chunk belongs."""

    transcript: Transcript
    stream: str
    hop: int
    shape: ChunkShape

    @property
    def sender(self) -> str:
        """The region that sends it."""
        return self.transcript.plan.route(self.stream)[self.hop]

    @property
    def receiver(self) -> str:
        """The region that it is for, or the broker."""
        route = self.transcript.plan.route(self.stream)
        return route[self.hop + 1] if self.hop + 1 < len(route) else BROKER

    def to_message(self) -> linkage_pb2.HopPlace:
        """As it travels."""
        return linkage_pb2.HopPlace(
            transcript=self.transcript.digest,
            stream=self.stream,
            hop=self.hop,
            chunk=self.shape.number,
            tuples=self.shape.tuples,
        )

    def info(self) -> bytes:
        """What its sealing is bound to: the place, the count, and both ends."""
        ends = (self.transcript.join(self.sender).uri, self.transcript.join(self.receiver).uri)
        numbers = (self.hop, self.shape.number, self.shape.batch, self.shape.tuples)
        return bound_to(
            "ring hop",
            self.transcript.digest,
            self.stream.encode(),
            *(number.to_bytes(4, "big") for number in numbers),
            *(str(end).encode() for end in ends),
        )

    def message(self, points: bytes) -> linkage_pb2.HopChunk | linkage_pb2.BlindedChunk:
        """What is to be signed and sent: sealed to the next node, or shown to the broker."""
        if self.receiver == BROKER:
            return linkage_pb2.BlindedChunk(place=self.to_message(), tokens=points)
        sealed = self.transcript.join(self.receiver).sealing_key.seal(points, self.info())
        return linkage_pb2.HopChunk(place=self.to_message(), to=self.receiver, sealed=sealed)


class Arrivals:
    """The chunks of one stream as they come to `receiver`. Takes each once, in order."""

    def __init__(self, transcript: Transcript, stream: str, receiver: str) -> None:
        route = (*transcript.plan.route(stream), BROKER)
        if receiver not in route[1:]:
            raise ValueError(f"{stream}'s stream does not come to {receiver}")
        self.stream = stream
        self.hop = route.index(receiver) - 1
        self._transcript = transcript
        self._sender = transcript.join(route[self.hop])
        self._receiver = receiver
        self._shapes: Iterator[ChunkShape] = transcript.chunks(stream)
        self._expected = next(self._shapes, None)
        self._failed: Unverified | None = None

    def open(
        self, chunk: linkage_pb2.HopChunk, signer: ActorUri, key: SealingKey
    ) -> tuple[ChunkShape, bytes]:
        """The points in a hop's chunk. Raises `Unverified`; nothing is taken after that."""
        place = self._check(chunk.place, signer)
        if chunk.to != self._receiver:
            raise self._fail("ring-wrong-node", f"is for {_region_or_other(chunk.to)}")
        try:
            points = key.open(chunk.sealed, place.info())
        except Unverified:
            raise self._fail("ring-sealed", "does not open here: it was changed or moved") from None
        return self._take(place.shape, points)

    def read(self, chunk: linkage_pb2.BlindedChunk, signer: ActorUri) -> tuple[ChunkShape, bytes]:
        """The tokens in the last hop's chunk, at the broker. Raises `Unverified` likewise."""
        return self._take(self._check(chunk.place, signer).shape, chunk.tokens)

    def finish(self) -> None:
        """Nothing more will come. Raises `Unverified` (`ring-missing`) where chunks lack."""
        if self._failed is not None:
            raise self._failed
        if self._expected is not None:
            raise self._fail("ring-missing", "never came")

    def _check(self, place: linkage_pb2.HopPlace, signer: ActorUri) -> Place:
        if self._failed is not None:
            raise self._failed
        if place.transcript != self._transcript.digest:
            raise self._fail("ring-other-round", "is of another round, or of one that others see")
        if signer != self._sender.uri or (place.stream, place.hop) != (self.stream, self.hop):
            raise self._fail("ring-wrong-node", "comes from another node, stream or hop")
        expected = self._expected
        if expected is None or place.chunk < expected.number:
            raise self._fail("ring-repeated", f"is chunk {place.chunk}, which was here before")
        if place.chunk > expected.number:
            raise self._fail("ring-missing", f"is chunk {place.chunk}: dropped or out of order")
        if place.tuples != expected.tuples:
            raise self._fail("ring-count", "has another count than was joined with")
        return Place(self._transcript, self.stream, self.hop, expected)

    def _take(self, shape: ChunkShape, data: bytes) -> tuple[ChunkShape, bytes]:
        if len(data) != shape.tuples * self._transcript.plan.tuple_bytes:
            raise self._fail("ring-count", "holds another count than it says")
        self._expected = next(self._shapes, None)
        return shape, data

    def _fail(self, code: str, problem: str) -> Unverified:
        at = "the end" if self._expected is None else f"chunk {self._expected.number}"
        self._failed = Unverified(
            f"{self.stream}'s stream from {self._sender.region} to {self._receiver}: what came "
            f"for {at} {problem}; the round is given up",
            code=code,
        )
        return self._failed


def _region_or_other(name: str) -> str:
    return name if name.isascii() and name.isalpha() and len(name) <= 16 else "somebody else"
