"""Blinding on all cores, beside everything else that a node does. Rim.

Each core has a process of its own, fed through pipes: threads would do as well in an idle
process, but in a busy one every multiplication waits for the interpreter's lock (measured: 14
times as slow beside one thread that computes). Batches stream through in their order; at most
two a worker are under way, so memory is bounded by the size of a batch. Scalars go to the
workers through their pipes and are nowhere on a command line or a disk.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified
from node.blinding_worker import (
    BAD_POINT,
    BLIND,
    CHECK,
    DONE,
    EVALUATE,
    HASH,
    MAX_BATCH_BYTES,
    RANDOM,
    REPLY,
    REQUEST,
)

_NO_SCALAR = bytes(32)
_AHEAD = 2  # batches under way for each worker


class _Worker:
    """One process. `niceness` as Unix has it: from 0 on, the higher the later its turn."""

    def __init__(self, niceness: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "node.blinding_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # an interrupt in the terminal is the node's to handle
        )
        if niceness:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)

    def ask(self, operation: int, scalar: bytes, batch: bytes) -> tuple[int, bytes]:
        """Raises `OSError` where the process is gone."""
        source, sink = self._process.stdout, self._process.stdin
        if source is None or sink is None:
            raise OSError
        sink.write(REQUEST.pack(operation, scalar, len(batch)))
        sink.write(batch)
        sink.flush()
        status, length = REPLY.unpack(_read(source, REPLY.size))
        return status, _read(source, length)

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        self._process.wait()


class BlindingPool:
    """Workers of one node. Safe between threads; `with` ends them.

    With a `niceness` they do what nobody waits for, and let queries go first.
    """

    def __init__(self, workers: int | None = None, niceness: int = 0) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(self.workers):
            self._idle.put(None)  # started when first needed
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="blinding")
        self._closed = False
        self._niceness = niceness

    def __enter__(self) -> BlindingPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers; what is under way fails."""
        self._closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        for _ in range(self.workers):
            worker = self._idle.get()
            if worker is not None:
                worker.end()

    def blind(self, points: bytes, scalar: bytes, first: int = 0) -> Future[bytes]:
        """A batch multiplied by `scalar`; `first` is its position, for messages.

        The future raises `Unverified` (`bad-point`) naming the position, `Malformed`, or
        `Unavailable` (`blinding`) where the worker went away.
        """
        return self._submit(BLIND, scalar, points, first)

    def check(self, points: bytes, first: int = 0) -> Future[bytes]:
        """Refuses what `blind` would; gives nothing."""
        return self._submit(CHECK, _NO_SCALAR, points, first)

    def blind_each(
        self, batches: Iterable[bytes], scalar: bytes, check: Callable[[], None]
    ) -> Iterator[bytes]:
        """Batches blinded, in order. `check` is called between them and raises to cancel."""
        return self._each(BLIND, scalar, batches, check)

    def hash_each(self, keys: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
        """The points of batches of match keys, 32 bytes each."""
        return self._each(HASH, _NO_SCALAR, keys, check)

    def random_each(self, uniform: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
        """Random points of batches of uniform bytes, 64 a point."""
        return self._each(RANDOM, _NO_SCALAR, uniform, check)

    def evaluate_each(
        self, keys: Iterable[bytes], secret: bytes, check: Callable[[], None]
    ) -> Iterator[bytes]:
        """The outputs of the OPRF, 64 bytes each, of batches of match keys, 32 bytes each."""
        return self._each(EVALUATE, secret, keys, check)

    def _each(
        self, operation: int, scalar: bytes, batches: Iterable[bytes], check: Callable[[], None]
    ) -> Iterator[bytes]:
        under_way: deque[Future[bytes]] = deque()
        try:
            for batch in batches:
                check()
                under_way.append(self._submit(operation, scalar, batch, 0))
                if len(under_way) >= _AHEAD * self.workers:
                    yield under_way.popleft().result()
            while under_way:
                check()
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()

    def _submit(self, operation: int, scalar: bytes, batch: bytes, first: int) -> Future[bytes]:
        if len(batch) > MAX_BATCH_BYTES or len(scalar) != len(_NO_SCALAR):
            raise Malformed("the batch is too large, or its scalar is none", code="batch-shape")
        if self._closed:
            raise _gone()
        return self._threads.submit(self._work, operation, scalar, batch, first)

    def _work(self, operation: int, scalar: bytes, batch: bytes, first: int) -> bytes:
        worker = self._idle.get()
        kept: _Worker | None = None
        try:
            worker = worker or _Worker(self._niceness)
            status, reply = worker.ask(operation, scalar, batch)
            kept = worker
        except OSError:
            raise _gone() from None
        finally:
            # A worker that failed in any way is not asked again: its pipe may be out of step.
            if kept is None and worker is not None:
                worker.end()
            self._idle.put(kept)
        if status == DONE:
            return reply
        raise _error(status, reply, first)


def _read(source: IO[bytes], length: int) -> bytes:
    data = source.read(length)
    if len(data) != length:
        raise OSError
    return data


def _error(status: int, reply: bytes, first: int) -> DataspaceError:
    if status == BAD_POINT:
        position = first + int.from_bytes(reply, "big")
        return Unverified(
            f"point {position} is the identity or not canonical; whoever sent it is at fault",
            code="bad-point",
        )
    return Malformed("the batch cannot be blinded", code=reply.decode())


def _gone() -> Unavailable:
    return Unavailable("the node cannot blind now; ask again later", code="blinding")
