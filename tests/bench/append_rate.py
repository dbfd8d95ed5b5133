"""How fast a log acknowledges entries, and how soon: `python -m tests.bench.append_rate`.

Beside it, in the same run, what the disk does by itself: one sector after another, each
written through. Prints a table; holds nothing against a bound.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.entries import Entry
from dataspace.audit.store import LogStore

_DIGEST = "0" * 64


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    chosen = parser.parse_args()
    seconds = chosen.seconds
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        print(f"{os.cpu_count()} processors; appends a second, each durable and proven")
        print("                              a second   of disk  p50 ms  p99 ms  max ms")
        disk = _show("disk, one sector at a time", _sectors(Path(folder), seconds), seconds, 0)
        for appenders in (1, 8, 64):
            with _log(Path(folder) / f"{appenders}") as log:
                taken = _flat_out(log, appenders, seconds)
            _show(f"log, {appenders} at once", taken, seconds, disk)
        with _log(Path(folder) / "paced") as log:
            taken = _paced(log, 1_000, seconds)
        _show("log, 1,000 a second", taken, seconds, disk)


def _sectors(folder: Path, seconds: float) -> list[float]:
    """A prepared file written in place, flushed every time."""
    with (folder / "sectors").open("wb") as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())
    handle = os.open(folder / "sectors", os.O_WRONLY | os.O_DSYNC)
    try:
        return _repeat(lambda at: os.pwrite(handle, b"x" * 512, at % 2048 * 512), seconds)
    finally:
        os.close(handle)


def _flat_out(log: LogStore, appenders: int, seconds: float) -> list[float]:
    """Each appender goes on as soon as its entry is acknowledged."""
    taken: list[float] = []

    def work() -> None:
        taken.extend(_repeat(lambda number: log.append(_entry(number)), seconds))

    threads = [threading.Thread(target=work) for _ in range(appenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def _paced(log: LogStore, rate: int, seconds: float) -> list[float]:
    """Entries arrive at a steady rate, whatever became of those before them."""
    taken: list[float] = []

    def note(due: float, _: object) -> None:
        # From when it was due: what had to wait for a slow one before it counts as slow.
        taken.append(time.perf_counter() - due)

    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        log.submit(_entry(number)).add_done_callback(partial(note, due))
    log.publish()
    return taken


def _repeat(do: Callable[[int], object], seconds: float) -> list[float]:
    taken: list[float] = []
    began = time.perf_counter()
    end = began + seconds
    while began < end:
        do(len(taken))
        done = time.perf_counter()
        taken.append(done - began)
        began = done
    return taken


def _entry(number: int) -> Entry:
    return Entry("query.decided", number, {"request": _DIGEST, "policy": _DIGEST})


def _show(name: str, taken: Sequence[float], seconds: float, disk: float) -> float:
    each = sorted(1000 * took for took in taken)
    p50, p99 = (each[int(len(each) * share)] for share in (0.5, 0.99))
    rate = len(each) / seconds
    ratio = f"{rate / disk:.2f}" if disk else "1"
    print(f"{name:28}  {rate:8,.0f}  {ratio:>8}  {p50:6.2f}  {p99:6.2f}  {each[-1]:6.1f}")
    return rate


@contextmanager
def _log(directory: Path) -> Iterator[LogStore]:
    with LogStore.create(directory, "bench.example/log", Ed25519PrivateKey.generate()) as log:
        yield log


if __name__ == "__main__":
    main()
