"""The PRF over many documents, on all cores, in processes that yield to queries. Rim."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from queue import SimpleQueue

from dataspace.errors import Unavailable
from dataspace.linkage.oprf import evaluate
from node.existence.worker import pack, read_frame, write_frame

Batch = list[bytes]
ALONE = 2_048  # so few documents are not worth starting processes for


def evaluate_all(
    secret: bytes, batches: Iterable[Batch], processes: int | None = None
) -> Iterator[bytes]:
    """The outputs of each batch, 64 bytes a document, in order.

    Holds a few batches at a time. Raises `Unavailable` (`evaluation`) where a worker dies; ends
    its workers however it is left.
    """
    coming = iter(batches)
    first = next(coming, None)
    second = next(coming, None)
    if first is None:
        return
    if second is None and len(first) <= ALONE:
        yield evaluate(secret, first)
        return
    rest = chain([first], [] if second is None else [second], coming)
    with _Workers(secret, processes or os.cpu_count() or 1) as workers:
        yield from workers.run(rest)


class _Workers:
    """A few processes, each served by one thread at a time."""

    def __init__(self, secret: bytes, count: int) -> None:
        self._count = count
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._processes = [_start() for _ in range(count)]
        for each in self._processes:
            assert each.stdin is not None
            # SECURITY: by a pipe: arguments and environment are seen by others.
            write_frame(each.stdin, secret)  # type: ignore[arg-type]  # a binary pipe
            self._free.put(each)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="existence")

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for each in self._processes:
            each.kill()
        for each in self._processes:
            each.wait()
            for stream in (each.stdin, each.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()

    def run(self, batches: Iterable[Batch]) -> Iterator[bytes]:
        """Outputs in order; never more than two batches a worker under way."""
        under_way: deque[Future[bytes]] = deque()
        for batch in batches:
            under_way.append(self._pool.submit(self._ask, batch))
            if len(under_way) > 2 * self._count:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()

    def _ask(self, batch: Batch) -> bytes:
        process = self._free.get()
        try:
            assert process.stdin is not None and process.stdout is not None
            write_frame(process.stdin, pack(batch))  # type: ignore[arg-type]  # a binary pipe
            answer = read_frame(process.stdout)  # type: ignore[arg-type]  # a binary pipe
        except OSError:
            answer = None
        finally:
            self._free.put(process)
        if answer is None or len(answer) != 64 * len(batch):
            raise Unavailable("a worker died; the table is made anew", code="evaluation")
        return answer


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "node.existence.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
