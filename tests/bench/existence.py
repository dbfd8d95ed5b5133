"""What existence checks cost: `python -m tests.bench.existence [--patients N] [--lookups N]`.

The making of a table; a node's whole work on one check (from envelope to signed answer, in this
process); and a check as a member sees it, over a running space: one region, and all three.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles

from dataspace.client import connect
from dataspace.home import CONFIG
from dataspace.identity.names import REGIONS
from dataspace.linkage.buckets import bits_for, build_table, entries_of, name_of, places_of
from dataspace.linkage.documents import Document
from dataspace.linkage.oprf import derive_key
from dataspace.processes import configure_logs
from node.blinding import BlindingPool
from tests.attacks.existence_world import existence_world
from tests.spaces import Space, run_gba

_LIMITS = {
    "existence_per_actor": 10**6,
    "existence_per_member": 10**6,
    "existence_per_space": 10**6,
}
_BATCH = 4096


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=int, default=50_000, help="documents of a table")
    parser.add_argument("--patients", type=int, default=20_000, help="a region, in the space")
    parser.add_argument("--lookups", type=int, default=200)
    chosen = parser.parse_args()
    configure_logs()
    print(f"{os.cpu_count()} processors")
    _table(chosen.table)
    print(f"{'':34}p50 ms  p99 ms")
    with tempfile.TemporaryDirectory() as folder:
        _node(Path(folder), chosen.lookups)
    with tempfile.TemporaryDirectory() as folder:
        _member(Space(Path(folder) / "space"), chosen.patients, chosen.lookups)


def _table(documents: int) -> None:
    names = b"".join(name_of(f"bir:{number:08}".encode()) for number in range(documents))
    batches = [names[at : at + 32 * _BATCH] for at in range(0, len(names), 32 * _BATCH)]
    secret = derive_key(b"e" * 32, b"bench").secret
    with BlindingPool() as pool:
        pool.blind(b"", secret).result()
        began = time.perf_counter()
        outputs = b"".join(pool.evaluate_each(batches, secret, lambda: None))
        evaluated = time.perf_counter() - began
    table = build_table(places_of(names), entries_of(outputs), bits_for(documents), b"f" * 32)
    assert len(table.root) == 32
    whole = time.perf_counter() - began
    print(
        f"a table of {documents:,}: {evaluated:.2f} s to evaluate "
        f"({documents / evaluated:,.0f}/s), {whole - evaluated:.2f} s to build and commit to; "
        f"{table.buckets} buckets of {table.entries} entries, {table.entries * 8 / 1024:.0f} KiB"
    )


def _node(folder: Path, lookups: int) -> None:
    with existence_world(folder, ("hongkong",), **_LIMITS) as world:
        checks = world.checks()
        clock: list[float] = []
        work: list[float] = []
        deliver = world.deliver

        def timed(region: str, envelope: object) -> object:
            began, worked = time.perf_counter(), time.thread_time()
            answer = deliver(region, envelope)  # type: ignore[arg-type]
            clock.append(1000 * (time.perf_counter() - began))
            work.append(1000 * (time.thread_time() - worked))
            return answer

        world.deliver = timed  # type: ignore[method-assign, assignment]
        for number in range(lookups + 5):
            checks.check(Document("bir", f"5{number:07}"), "TREAT", ("hongkong",))
        print(f"a node's work, CPU time           {_figures(work[-lookups:])}")
        print(f"a node's work, with its flushes   {_figures(clock[-lookups:])}")


def _member(space: Space, patients: int, lookups: int) -> None:
    made = run_gba("space", "init", str(space.home), "--patients", str(patients), timeout=600)
    assert made.code == 0, made.err
    for region in REGIONS:
        file = space.home / region / CONFIG
        file.write_text(file.read_text() + "".join(f"{k} = {v}\n" for k, v in _LIMITS.items()))
    try:
        assert space.up().code == 0
        with connect(space.home, "hongkong/clinician") as session:
            for regions in (("macao",), REGIONS):

                def ask(number: int, regions: Sequence[str] = regions) -> None:
                    document = Document("bir", f"5{number:07}")
                    session.exists(document, purpose="TREAT", regions=regions)

                ask(0)
                times = [_timed(lambda n=number: ask(n)) for number in range(lookups)]  # type: ignore[misc]
                what = "one region" if len(regions) == 1 else "three regions"
                print(f"a member's check, {what:16}{_figures(times)}")
    finally:
        space.down()


def _timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def _figures(times: list[float]) -> str:
    cuts = quantiles(times, n=100)
    return f"{cuts[49]:6.1f}  {cuts[98]:6.1f}"


if __name__ == "__main__":
    main()
