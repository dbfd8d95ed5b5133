"""The commutative ring of the `blind` tier, as a node and as the broker see it. Pure.

A `Participant` says what is to be multiplied by the node's scalar, and what may be sent once it
is; multiplying, signing and sending are the caller's. Its own tuples are shuffled before they
are blinded, so that chunks leave as they are ready; those of others are held whole, and shuffled
before the first chunk leaves. A `Collector` is the broker's end.

    works = participant.begin(batches)              own stream, chunk by chunk
    work  = participant.receive(chunk, signer)      another's
    for place, points in participant.blinded(work, blind(work.points, scalar)): send
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dataspace.errors import Malformed, Unverified
from dataspace.identity.names import ActorUri
from dataspace.linkage.hops import BROKER, Arrivals, Place
from dataspace.linkage.points import POINT_BYTES, check_points
from dataspace.linkage.rounds import BLIND, ChunkShape, Transcript
from dataspace.linkage.sealing import SealingKey
from dataspace.linkage.tuples import Tuples, shuffled
from dataspace.v1 import linkage_pb2


@dataclass(frozen=True)
class Work:
    """A chunk to be blinded."""

    stream: str
    hop: int
    shape: ChunkShape
    points: bytes


class HeldStream:
    """All tuples of one stream, as they come in."""

    def __init__(self, transcript: Transcript, stream: str) -> None:
        slots = len(transcript.plan.slots)
        self._shapes = transcript.join(stream).batches
        self._batches = [
            np.empty((batch.tuples, slots, POINT_BYTES), np.uint8) for batch in self._shapes
        ]
        self._left = transcript.join(stream).tuples

    def put(self, shape: ChunkShape, points: bytes) -> None:
        """A chunk, in any order, each once."""
        batch = self._batches[shape.batch]
        rows = np.frombuffer(points, np.uint8).reshape(shape.tuples, *batch.shape[1:])
        batch[shape.first : shape.first + shape.tuples] = rows
        self._left -= shape.tuples

    @property
    def complete(self) -> bool:
        """Whether all is there."""
        return self._left == 0

    def batches(self) -> list[Tuples]:
        """The batches, in the join's order."""
        return self._batches


class Participant:
    """One node's part in one round."""

    def __init__(
        self, transcript: Transcript, region: str, key: SealingKey, shuffle_seed: bytes
    ) -> None:
        if transcript.plan.tier != BLIND:
            raise ValueError("only the blind tier goes round")
        self.region = region
        self._transcript = transcript
        self._key = key
        self._seed = shuffle_seed
        others = [stream for stream in transcript.plan.regions if stream != region]
        self._arrivals = {stream: Arrivals(transcript, stream, region) for stream in others}
        self._held = {stream: HeldStream(transcript, stream) for stream in others}
        self._sent_own = 0

    def begin(self, batches: Sequence[Tuples]) -> Iterator[Work]:
        """Its own tuples, in the order of its join's batches; the result must be taken in order.

        Raises `Malformed` (`batch-shape`) where they are not what it joined with.
        """
        chunks = shuffled_chunks(self._transcript, self.region, batches, self._seed)
        return (Work(self.region, 0, shape, points) for shape, points in chunks)

    def receive(self, chunk: linkage_pb2.HopChunk, signer: ActorUri) -> Work:
        """Another's chunk, to be blinded. Raises `Unverified` with the cheat that it shows.

        `blind` then raises `bad-point` for what is no point; either ends the round.
        """
        arrivals = self._arrivals.get(chunk.place.stream)
        if arrivals is None:
            raise Unverified(
                f"a chunk of {self.region}'s own or of no stream came; the round is given up",
                code="ring-wrong-node",
            )
        shape, points = arrivals.open(chunk, signer, self._key)
        return Work(arrivals.stream, arrivals.hop + 1, shape, points)

    def blinded(self, work: Work, points: bytes) -> Iterator[tuple[Place, bytes]]:
        """What may be sent now that a chunk is blinded: nothing yet, a chunk, or a whole stream."""
        if work.stream == self.region:
            if work.shape.number != self._sent_own:
                raise ValueError("own chunks leave in their order")
            self._sent_own += 1
            return iter([(self._at(work.stream, 0, work.shape), points)])
        held = self._held[work.stream]
        held.put(work.shape, points)
        return self._release(work.stream, work.hop) if held.complete else iter(())

    def finish(self) -> None:
        """Nothing more will come. Raises `Unverified` (`ring-missing`) where streams are short."""
        for arrivals in self._arrivals.values():
            arrivals.finish()

    def _release(self, stream: str, hop: int) -> Iterator[tuple[Place, bytes]]:
        # SECURITY: in the order of arrival, whoever sees both ends could follow a subject.
        batches = self._held.pop(stream).batches()
        for shape, points in shuffled_chunks(self._transcript, stream, batches, self._seed):
            yield self._at(stream, hop, shape), points

    def _at(self, stream: str, hop: int, shape: ChunkShape) -> Place:
        return Place(self._transcript, stream, hop, shape)


@dataclass(frozen=True)
class BlindedBatch:
    """One cell's one-time pseudonyms, as the broker matches them."""

    code: bytes
    tokens: Tuples  # (tuples, slots, 32)


class Collector:
    """The broker's end: every stream's tokens, from its last hop."""

    def __init__(self, transcript: Transcript) -> None:
        streams = transcript.plan.regions
        self._transcript = transcript
        self._arrivals = {stream: Arrivals(transcript, stream, BROKER) for stream in streams}
        self._held = {stream: HeldStream(transcript, stream) for stream in streams}

    def receive(self, chunk: linkage_pb2.BlindedChunk, signer: ActorUri) -> None:
        """Raises `Unverified` with what does not fit, `bad-point` by position."""
        arrivals = self._arrivals.get(chunk.place.stream)
        if arrivals is None:
            raise Unverified("a chunk of no stream of this round came", code="ring-wrong-node")
        shape, tokens = arrivals.read(chunk, signer)
        if self._transcript.plan.tier == BLIND:
            per_tuple = self._transcript.plan.tuple_bytes // POINT_BYTES
            check_points(tokens, shape.first * per_tuple)
        self._held[arrivals.stream].put(shape, tokens)

    @property
    def complete(self) -> bool:
        """Whether every stream is held whole. May be asked while another thread receives."""
        # SECURITY: of a chunk that is being checked nothing is held yet; matching without it
        # would count rows that are nobody's.
        return all(held.complete for held in self._held.values())

    def batches(self) -> dict[str, list[BlindedBatch]]:
        """By region, to be matched. Raises `Unverified` (`ring-missing`) before all is there."""
        for arrivals in self._arrivals.values():
            arrivals.finish()
        if not self.complete:
            raise ValueError("batches are asked for once all is complete")
        return {
            stream: [
                BlindedBatch(shape.code, tokens)
                for shape, tokens in zip(
                    self._transcript.join(stream).batches, held.batches(), strict=True
                )
            ]
            for stream, held in self._held.items()
        }


def shuffled_chunks(
    transcript: Transcript, stream: str, batches: Sequence[Tuples], seed: bytes
) -> Iterator[tuple[ChunkShape, bytes]]:
    """A stream's batches in a secret order within each, chunk by chunk.

    Raises `Malformed` (`batch-shape`) where they are not what the stream's owner joined with.
    """
    shapes, slots = transcript.join(stream).batches, len(transcript.plan.slots)
    if [batch.shape for batch in batches] != [(b.tuples, slots, POINT_BYTES) for b in shapes]:
        raise Malformed("these are not the batches that were joined with", code="batch-shape")
    place = transcript.digest + stream.encode() + b" "
    ordered = [
        shuffled(batch, seed, place + shape.code)
        for batch, shape in zip(batches, shapes, strict=True)
    ]
    return ((shape, _rows(ordered[shape.batch], shape)) for shape in transcript.chunks(stream))


def _rows(batch: Tuples, shape: ChunkShape) -> bytes:
    return batch[shape.first : shape.first + shape.tuples].tobytes()
