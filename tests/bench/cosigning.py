"""How soon witnesses cosign what was released: `python -m tests.bench.cosigning`.

A fresh space on this machine; one question after another. The time runs at the member, from
the release to the proofs that every entry behind it is cosigned, next to the time of the
release itself.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dataspace.client import connect
from tests.spaces import running_space

SQL = "SELECT sex, count(*) AS n FROM patients GROUP BY sex"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=40)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_space(Path(folder), "--patients", "300") as space,
        connect(space.home, "hongkong/researcher") as session,
    ):
        session.query(SQL, purpose="HRESCH")
        plain, cosigned = [], []
        for _ in range(chosen.questions):
            plain.append(_timed(lambda: session.query(SQL, purpose="HRESCH")))
            time.sleep(0.3)
            whole = _timed(lambda: session.query(SQL, purpose="HRESCH", cosigned_seconds=10))
            cosigned.append(whole)
            time.sleep(0.3)
    print("                          p50 ms  p95 ms  max ms")
    print(f"release                {_figures(plain)}")
    print(f"release and proofs     {_figures(cosigned)}")
    ratio = sorted(cosigned)[len(cosigned) // 2] / sorted(plain)[len(plain) // 2]
    print(f"ratio of the medians   {ratio:9.2f}")


def _timed(ask: Callable[[], object]) -> float:
    started = time.monotonic()
    ask()
    return (time.monotonic() - started) * 1000


def _figures(times: list[float]) -> str:
    ordered = sorted(times)
    at = [ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)], ordered[-1]]
    return " ".join(f"{each:7.0f}" for each in at)


if __name__ == "__main__":
    main()
