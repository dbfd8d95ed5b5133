"""How many questions a space answers, and how soon: `python -m tests.bench.query_load`.

A fresh space on this machine, callers in processes beside it, the questions of
`tests.callers` in turn. Prints a table; holds nothing against a bound.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dataspace.cli.supervising import PARTIES, find_process, status_of
from dataspace.identity.names import REGIONS
from tests.callers import Told, ask_many
from tests.spaces import running_space


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, nargs="*", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--home", type=Path, help="a space that runs already")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} processors; space, broker and callers share them")
    if chosen.home:
        _measure(chosen.home, chosen.callers, chosen.seconds)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        running_space(Path(folder), "--patients", str(chosen.patients)) as space,
    ):
        _measure(space.home, chosen.callers, chosen.seconds)


def _measure(home: Path, callers: Sequence[int], seconds: float) -> None:
    ask_many(home, 4, 2)
    print(
        "callers  answers/s  p50 ms  p95 ms  max ms  CPU ms an answer: broker, node  not answered"
    )
    for number in callers:
        before = _cpu_seconds(home)
        told = ask_many(home, number, seconds, processes=min(number, 4), require="all")
        spent = {party: after - before[party] for party, after in _cpu_seconds(home).items()}
        print(_line(number, told, seconds, spent))
    sizes = (f"{each.party} {each.memory_mb:.0f}" for each in status_of(home) if each.memory_mb)
    print("memory, MB:", ", ".join(sizes))


def _cpu_seconds(home: Path) -> dict[str, float]:
    """Processor time that each party has taken."""
    found = {party: find_process(home, party) for party in PARTIES}
    return {party: sum(process.cpu_times()[:2]) for party, process in found.items() if process}


def _line(callers: int, told: Sequence[Told], seconds: float, spent: Mapping[str, float]) -> str:
    answered = sorted(each.seconds * 1000 for each in told if not each.error)
    reasons = dict(Counter(each.error for each in told if each.error))
    if not answered:
        return f"{callers:7}  none: {reasons}"
    p50, p95 = (answered[int(len(answered) * share)] for share in (0.5, 0.95))
    rate = len(answered) / seconds
    broker, node = (spent.get(party, 0) * 1000 / len(answered) for party in ("broker", REGIONS[0]))
    return (
        f"{callers:7}  {rate:9.1f}  {p50:6.0f}  {p95:6.0f}  {answered[-1]:6.0f}"
        f"  {broker:21.1f}, {node:4.1f}  {reasons or 'none'}"
    )


if __name__ == "__main__":
    main()
