"""What a party's log holds, entry by entry. Runs inside the party's container.

`python -c … HOME LEAST` prints the digests of all entries in the log's public files as JSON, once
there are at least LEAST of them; it does not wait longer than ten seconds. Verifies nothing:
`gba audit verify` does. It imports nothing of the tests.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import tiles_of

SECONDS = 10.0


def digests(log: Path) -> list[str]:
    """SHA-256 of each entry, in order."""
    reader = DirectoryReader(log)
    size = int(reader.checkpoint().splitlines()[1])
    found = []
    for tile in tiles_of(size):
        if tile.level is not None:
            continue
        data, place = reader.read(tile), 0
        while place < len(data):
            end = place + 2 + int.from_bytes(data[place : place + 2], "big")
            found.append(hashlib.sha256(data[place + 2 : end]).hexdigest())
            place = end
    return found


def main() -> None:
    """The log under a home."""
    log, least = Path(sys.argv[1]) / "log", int(sys.argv[2])
    deadline = time.monotonic() + SECONDS
    while len(found := digests(log)) < least and time.monotonic() < deadline:
        time.sleep(0.1)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
