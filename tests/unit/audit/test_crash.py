"""A log's process is killed while it appends; what it acknowledged must be there."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import LogStore
from dataspace.audit.verify import verify_log

from .samples import KEY, ORIGIN, PRIVATE_KEY

WRITER = """
import os, sys, threading
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dataspace.audit.entries import Entry
from dataspace.audit.store import LogStore

log = LogStore.open(
    Path(sys.argv[1]), sys.argv[2], Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
)
def work(name):
    number = 0
    while True:
        number += 1
        done = log.append(Entry("query.decided", number, {"thread": name}).to_bytes())
        os.write(1, f"{done.index} {number} {name}\\n".encode())

for name in range(int(sys.argv[3])):
    threading.Thread(target=work, args=(name,)).start()
"""
ROUNDS = [(1, 0.15), (8, 0.2), (8, 0.33), (3, 0.1), (8, 0.27)]  # threads, seconds


def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    LogStore.create(directory, ORIGIN, PRIVATE_KEY).close()
    acknowledged: dict[int, bytes] = {}
    for threads, seconds in ROUNDS:
        before = len(acknowledged)
        acknowledged |= _run_and_kill(directory, threads, seconds)
        assert len(acknowledged) > before
        with LogStore.open(directory, ORIGIN, PRIVATE_KEY) as log:
            assert log.size > max(acknowledged)
            for index, content in acknowledged.items():
                assert content in log.read_entry(index)
        assert verify_log(DirectoryReader(directory), KEY).size > max(acknowledged)


def _run_and_kill(directory: Path, threads: int, seconds: float) -> dict[int, bytes]:
    """The indexes that a writer acknowledged until it was killed, and what it wrote there."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), ORIGIN, str(threads)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    acknowledged = {}
    for line in (first + rest).splitlines():
        index, number, name = line.split()
        content = b'{"at_ms":%s,"fields":{"thread":%s},"kind"' % (number, name)
        acknowledged[int(index)] = content
    return acknowledged
