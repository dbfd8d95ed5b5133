"""A replica in a process of its own: claims nonces and counts checks, and says what came of it.

python -m tests.contract.claiming HOME URL START COUNT   -> {"won": …, "replay": …, "checks": …}
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

from dataspace.errors import DataspaceError
from dataspace.identity.names import ActorUri
from node.existence.limits import DailyLimits, ExistenceLimits
from node.ledger import Ledger
from node.record_volumes import RecordVolumes

NOW = 1_800_000_000_000
ANN = ActorUri.parse("gba://macao/hospital/clinician/ann")
MOST = 20


def main() -> None:
    """Begin at START, at once with the others."""
    home, url, start, count = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    ledger = Ledger.of_home(home, "" if url == "-" else url, "gba/hongkong")
    limits, volumes = ExistenceLimits(ledger, DailyLimits(actor=MOST)), RecordVolumes(ledger)
    time.sleep(max(0.0, start - time.time()))
    came: Counter[str] = Counter()
    for number in range(count):
        try:
            # Later ones move the clock's mark on while others claim.
            ledger.claim(number.to_bytes(48, "big"), NOW + 300_000, NOW + number * 500)
            came["won"] += 1
        except DataspaceError as error:
            came[error.code] += 1
        try:
            limits.take(ANN, NOW)
            came["checks"] += 1
        except DataspaceError as error:
            came[error.code] += 1
        volumes.add("macao", f"person {number}", NOW)
    came["volume"] = volumes.with_this("macao", "person 0", NOW)
    ledger.close()
    print(json.dumps(came))


if __name__ == "__main__":
    main()
