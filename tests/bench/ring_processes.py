"""A ring over processes: each node its own, with its worker, and the broker in this one.

Nodes hold their match keys when the clock starts; it stops when the broker has counted. Chunks
are signed with Ed25519 and verified, without certificate chains, which are per stream in the
field. Pipes stand for the attached streams.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import queue
import resource
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from google.protobuf.message import Message

from dataspace.identity.dsse import pae, payload_type_of
from dataspace.identity.names import ActorUri
from dataspace.linkage.points import scalar_from
from dataspace.linkage.ring import Collector, Participant, Work
from dataspace.linkage.rounds import (
    BLIND,
    BatchShape,
    Joined,
    RoundPlan,
    Transcript,
    join_message,
)
from dataspace.linkage.sealing import SEED_BYTES, X25519, SealingKey
from dataspace.linkage.tuples import KEY_BYTES, Tuples, commit_inputs, expand_seed, fill
from dataspace.v1.envelope_pb2 import Envelope, Signature
from dataspace.v1.linkage_pb2 import BlindedChunk, HopChunk, RoundJoin
from node.blinding import BlindingPool

REGIONS = ("guangzhou", "hongkong", "macao")
_CHUNK_KEYS = 4096
_AHEAD = 4
_WHEN_DONE = b""


@dataclass(frozen=True)
class RingRun:
    """What one round took."""

    seconds: float
    cpu_seconds: float  # of the broker, the nodes and their workers
    sent: int  # bytes that passed the broker
    matched: int
    node_mb: float  # peak memory of the largest node with its worker
    broker_mb: float


@dataclass(frozen=True)
class Use:
    """What a process used."""

    cpu_seconds: float
    peak_mb: float


def run_ring(regions: int, size: int) -> RingRun:
    """`size` subjects a region with one match key; neighbours share half of them."""
    plan = RoundPlan(bytes(32), 0, BLIND, REGIONS[:regions], ("hkid",))
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    processes = []
    for number, region in enumerate(plan.regions):
        ours, theirs = context.Pipe()
        process = context.Process(target=_node, args=(theirs, plan, region, number, size))
        process.start()
        theirs.close()
        ends[region] = ours
        processes.append(process)
    try:
        return _broker(plan, ends)
    finally:
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()


def _broker(plan: RoundPlan, ends: dict[str, Connection]) -> RingRun:
    for end in ends.values():
        end.recv_bytes()  # ready, with its keys made
    began, began_cpu = time.perf_counter(), time.process_time()
    for end in ends.values():
        end.send_bytes(b"go")
    joins = [end.recv_bytes() for end in ends.values()]
    transcript = Transcript.agree(plan, list(map(_joined, joins)), None)
    for end in ends.values():
        for join in joins:
            end.send_bytes(join)
    collector, relay = Collector(transcript), _Relay(ends)
    while not collector.complete:
        envelope, size = relay.next()
        if envelope.payload_type == payload_type_of(BlindedChunk):
            chunk = BlindedChunk.FromString(_verified(envelope))
            collector.receive(chunk, _signer(envelope))
        else:
            relay.send(HopChunk.FromString(envelope.payload).to, envelope, size)
    matched = _matched(collector)
    seconds = time.perf_counter() - began
    for end in ends.values():
        end.send_bytes(_WHEN_DONE)
    uses = [relay.uses.get(timeout=30) for _ in ends]
    cpu = time.process_time() - began_cpu + sum(use.cpu_seconds for use in uses)
    peak = max(use.peak_mb for use in uses)
    return RingRun(seconds, cpu, relay.bytes, matched, peak, _use(resource.RUSAGE_SELF).peak_mb)


class _Relay:
    """Reads all nodes at once, and keeps a slow one from holding up the others."""

    def __init__(self, ends: dict[str, Connection]) -> None:
        self.bytes = 0
        self.uses: queue.SimpleQueue[Use] = queue.SimpleQueue()
        self._arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._leaving: dict[str, queue.SimpleQueue[bytes]] = {}
        for region, end in ends.items():
            self._leaving[region] = queue.SimpleQueue()
            threading.Thread(target=self._read, args=(end,), daemon=True).start()
            leaving = self._leaving[region]
            threading.Thread(target=self._write, args=(end, leaving), daemon=True).start()

    def next(self) -> tuple[Envelope, int]:
        data = self._arrived.get(timeout=600)
        self.bytes += len(data)
        return Envelope.FromString(data), len(data)

    def send(self, region: str, envelope: Envelope, size: int) -> None:
        self.bytes += size
        self._leaving[region].put(envelope.SerializeToString())

    def _read(self, end: Connection) -> None:
        try:
            while (data := end.recv_bytes()) != _WHEN_DONE:
                self._arrived.put(data)
            self.uses.put(Use(*end.recv()))
        except (EOFError, OSError):
            self._arrived.put(b"")  # a node died: the broker's next envelope is none

    def _write(self, end: Connection, leaving: queue.SimpleQueue[bytes]) -> None:
        while True:
            end.send_bytes(leaving.get())


def _matched(collector: Collector) -> int:
    """In how many regions' common people the first two meet: enough for a benchmark."""
    sides = [
        np.concatenate([batch.tokens.reshape(-1, 32).view("V32").ravel() for batch in batches])
        for batches in collector.batches().values()
    ]
    first, second = (np.unique(side.view("S32")) for side in sides[:2])
    return len(np.intersect1d(first, second, assume_unique=True))


# --- a node, in its own process ----------------------------------------------------------


def _node(end: Connection, plan: RoundPlan, region: str, number: int, size: int) -> None:
    keys = match_keys(number * (size // 2), size)
    with BlindingPool(1) as pool:
        pool.blind(b"", _scalar(region)).result()  # the worker runs before the clock does
        end.send_bytes(b"ready")
        end.recv_bytes()
        started = _use(resource.RUSAGE_SELF)
        tuples = _hashed(pool, keys)
        key = SealingKey.from_seed(X25519, expand_seed(_seed(region), b"key", SEED_BYTES[X25519]))
        code = expand_seed(_seed(region), b"code", 16)
        commitment = commit_inputs(_seed(region), plan.round_id, [(code, tuples)])
        message = join_message(plan, region, key.public, commitment, [BatchShape(code, size)])
        end.send_bytes(message.SerializeToString())
        joins = [_joined(end.recv_bytes()) for _ in plan.regions]
        transcript = Transcript.agree(plan, joins, None)
        participant = Participant(transcript, region, key, _seed(region))
        _NodeLoop(end, pool, participant, region).run(participant.begin([tuples]))
        end.send_bytes(_WHEN_DONE)
    # With the pool closed its worker counts among the children.
    own, worker = _use(resource.RUSAGE_SELF), _use(resource.RUSAGE_CHILDREN)
    cpu = own.cpu_seconds + worker.cpu_seconds - started.cpu_seconds
    end.send((cpu, own.peak_mb + worker.peak_mb))


class _NodeLoop:
    """Own chunks and others' through one pool, a few at a time."""

    def __init__(
        self, end: Connection, pool: BlindingPool, participant: Participant, region: str
    ) -> None:
        self._end, self._pool, self._participant = end, pool, participant
        self._region, self._scalar = region, _scalar(region)
        self._key = _signing_key(region)
        self._inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._pending: deque[tuple[Work, Future[bytes]]] = deque()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, own: Iterator[Work]) -> None:
        """Until the broker says that it has everything."""
        work = next(own, None)
        while True:
            if work is not None and len(self._pending) < _AHEAD:
                self._start(work)
                work = next(own, None)
            elif not self._pending or (len(self._pending) < _AHEAD and not self._inbox.empty()):
                data = self._inbox.get()
                if data == _WHEN_DONE:
                    return self._participant.finish()
                self._start(self._opened(data))
            else:
                self._finish_one()

    def _start(self, work: Work) -> None:
        self._pending.append((work, self._pool.blind(work.points, self._scalar)))

    def _finish_one(self) -> None:
        work, future = self._pending.popleft()
        for place, points in self._participant.blinded(work, future.result()):
            self._end.send_bytes(_signed(place.message(points), self._region, self._key))

    def _opened(self, data: bytes) -> Work:
        envelope = Envelope.FromString(data)
        chunk = HopChunk.FromString(_verified(envelope))
        return self._participant.receive(chunk, _signer(envelope))

    def _read(self) -> None:
        try:
            while (data := self._end.recv_bytes()) != _WHEN_DONE:
                self._inbox.put(data)
        except EOFError:
            pass
        self._inbox.put(_WHEN_DONE)


def match_keys(first: int, size: int) -> bytes:
    """Digests as match keys are: the same for the same person everywhere."""
    words = np.zeros((size, KEY_BYTES // 8), np.uint64)
    words[:, 0] = np.arange(first, first + size)
    return words.tobytes()


def chunks_of(data: bytes, each: int) -> Iterator[bytes]:
    """`data` in pieces of `each` bytes."""
    return (data[at : at + each] for at in range(0, len(data), each))


def _hashed(pool: BlindingPool, keys: bytes) -> Tuples:
    batches = chunks_of(keys, KEY_BYTES * _CHUNK_KEYS)
    points = b"".join(pool.hash_each(batches, lambda: None))
    present = np.ones((len(points) // 32, 1), dtype=bool)
    return fill(points, present, len(present), b"")


def _signed(message: Message, region: str, key: Ed25519PrivateKey) -> bytes:
    payload, kind = message.SerializeToString(), payload_type_of(type(message))
    signature = Signature(sig=key.sign(pae(kind, payload)), keyid=region)
    return Envelope(payload_type=kind, payload=payload, signatures=[signature]).SerializeToString()


def _verified(envelope: Envelope) -> bytes:
    signature = envelope.signatures[0]
    public = _public_key(signature.keyid)
    public.verify(signature.sig, pae(envelope.payload_type, envelope.payload))
    return envelope.payload


def _signing_key(region: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(expand_seed(_seed(region), b"sign", 32))


def _public_key(region: str) -> Ed25519PublicKey:
    return _signing_key(region).public_key()


def _signer(envelope: Envelope) -> ActorUri:
    return _uri(envelope.signatures[0].keyid)


def _scalar(region: str) -> bytes:
    return scalar_from(expand_seed(_seed(region), b"scalar", 64))


def _seed(region: str) -> bytes:
    return region.encode().ljust(32, b".")


def _uri(region: str) -> ActorUri:
    return ActorUri(region, "h1", "node", "node")


def _joined(data: bytes) -> Joined:
    message = RoundJoin.FromString(data)
    return Joined.from_message(message, _uri(message.region), hashlib.sha256(data).digest())


def _use(who: int) -> Use:
    used = resource.getrusage(who)
    return Use(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def bare(points: int, keys: int, workers: int) -> tuple[float, float]:
    """Hashing `keys`, multiplying `points`, and nothing else, on all cores: seconds, and CPU's."""
    before = _use(resource.RUSAGE_CHILDREN)
    with BlindingPool(workers) as pool:
        some = next(iter(pool.hash_each([match_keys(0, _CHUNK_KEYS)], lambda: None)))
        list(pool.blind_each([some[:32]] * workers, _scalar("macao"), lambda: None))
        began = time.perf_counter()
        for _ in pool.hash_each(_repeated(match_keys(0, _CHUNK_KEYS), keys), lambda: None):
            pass
        for _ in pool.blind_each(_repeated(some, points), _scalar("macao"), lambda: None):
            pass
        seconds = time.perf_counter() - began
    return seconds, _use(resource.RUSAGE_CHILDREN).cpu_seconds - before.cpu_seconds


def _repeated(batch: bytes, count: int) -> Sequence[bytes]:
    whole, rest = divmod(count, _CHUNK_KEYS)
    return [batch] * whole + ([batch[: 32 * rest]] if rest else [])
