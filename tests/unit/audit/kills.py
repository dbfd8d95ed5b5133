"""A process that appends to a log until it is killed, and what was acknowledged to it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import LogStore
from dataspace.audit.verify import verify_log

from .samples import KEY, ORIGIN, PRIVATE_KEY

_WRITER = """
import os, sys, threading
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dataspace.audit import journal
from dataspace.audit.entries import Entry
from dataspace.audit.store import LogStore

journal.SEGMENT_BYTES = int(sys.argv[4])  # small ones, so that kills meet changes of segment
log = LogStore.open(
    Path(sys.argv[1]), sys.argv[2], Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
)
def work(name):
    number = 0
    while True:
        number += 1
        done = log.append(Entry("query.decided", number, {"thread": name}))
        os.write(1, f"{done.index} {number} {name}\\n".encode())

os.write(1, b"open\\n")
for name in range(int(sys.argv[3])):
    threading.Thread(target=work, args=(name,)).start()
"""


def run_and_kill(
    directory: Path, threads: int, seconds: float, *, segment: int = 1 << 14, opening: bool = False
) -> dict[int, bytes]:
    """What a writer was told until it was killed: by index, the beginning of the entry.

    It is killed so many seconds after its log is open; `opening`: after it was started.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(directory), ORIGIN, str(threads), str(segment)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    heard = b"" if opening else process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    heard += process.stdout.read()
    process.stdout.close()
    process.wait()
    acknowledged = {}
    for line in heard.splitlines():
        if line != b"open":
            index, number, name = line.split()
            acknowledged[int(index)] = b'{"at_ms":%s,"fields":{"thread":%s},' % (number, name)
    return acknowledged


def check_whole(directory: Path, acknowledged: dict[int, bytes]) -> None:
    """The public files are a whole log, and hold all that was acknowledged once it is open."""
    seen = verify_log(DirectoryReader(directory), KEY)
    with LogStore.open(directory, ORIGIN, PRIVATE_KEY) as log:
        assert log.size >= seen.size
        assert log.size > max(acknowledged, default=-1)
        for index, content in acknowledged.items():
            assert log.read_entry(index).startswith(content)
        log.prove_consistency(seen.size, log.size)
    verified = verify_log(DirectoryReader(directory), KEY)
    assert verified.size == verified.entries_checked > max(acknowledged, default=-1)
