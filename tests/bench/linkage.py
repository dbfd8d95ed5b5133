"""What linkage costs: `python -m tests.bench.linkage [--sizes 10000,100000,300000] …`.

Each ring beside the bare multiplications and hashing of the same run, and beside
`openmined-psi` where that is installed. Prints tables; holds nothing against a bound.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataspace.linkage.keyed import Pads
from node.warehouse.keyed import hmac_expression

from .ring_processes import RingRun, bare, match_keys, run_ring

_CORES = os.cpu_count() or 1


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000", help="two-region rings")
    parser.add_argument("--three", type=int, default=30_000, help="a three-region ring")
    parser.add_argument("--psi", type=int, default=100_000, help="openmined-psi; 0 for none")
    parser.add_argument("--keyed", type=int, default=1_000_000)
    chosen = parser.parse_args()
    print(f"{_CORES} processors; a region's subjects, one match key each")
    print("of bare: beside multiplying and hashing alone in the same run; by clock, by CPU time")
    print("                          seconds  of bare   by CPU  bytes/subject  node MB  broker MB"
          "  µs/subject")  # fmt: skip
    took: dict[int, RingRun] = {}
    for size in map(int, chosen.sizes.split(",")):
        took[size] = _ring(2, size)
    if chosen.three:
        _ring(3, chosen.three)
    if chosen.psi:
        _psi(chosen.psi, took.get(chosen.psi))
    if chosen.keyed:
        _keyed(chosen.keyed)


def _ring(regions: int, size: int) -> RingRun:
    run = run_ring(regions, size)
    alone, alone_cpu = bare(regions * regions * size, regions * size, _CORES)
    if run.matched != size - size // 2:
        sys.exit(f"the ring found {run.matched} people instead of {size - size // 2}")
    subjects = regions * size
    shares = f"{run.seconds / alone:8.2f} {run.cpu_seconds / alone_cpu:8.2f}"
    memory = f"{run.node_mb:8.0f} {run.broker_mb:10.0f}"
    print(
        f"{regions} regions x {size:>9,}    {run.seconds:8.2f} {shares}"
        f" {run.sent / subjects:14.0f} {memory} {1e6 * run.seconds / subjects:11.1f}",
        flush=True,
    )
    return run


def _psi(size: int, ring: RingRun | None) -> None:
    try:
        from private_set_intersection import python as psi
    except ImportError:
        # Its protobuf pin is not ours; it runs with ours all the same.
        print("openmined-psi: not here; `pip install --no-deps openmined-psi` brings it")
        return
    ours = [f"person {number}" for number in range(size)]
    theirs = [f"person {number}" for number in range(size // 2, size // 2 + size)]
    client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
    began, began_cpu = time.perf_counter(), time.process_time()
    setup = server.CreateSetupMessage(1e-9, size, theirs)
    response = server.ProcessRequest(client.CreateRequest(ours))
    found = len(client.GetIntersection(setup, response))
    took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    if found != size - size // 2:
        sys.exit(f"openmined-psi found {found} people")
    beside = ""
    if ring:
        share, by_cpu = ring.seconds / took, ring.cpu_seconds / took_cpu
        beside = f"   the ring takes {share:.2f} of its time, {by_cpu:.2f} of its CPU time"
    print(f"openmined-psi x {size:>9,} {took:8.2f}{beside}", flush=True)


def _keyed(size: int) -> None:
    """Tags of `size` keys in each of two regions, one after the other, and their match."""
    pads = Pads.of(b"k" * 32)
    ours, theirs = (_column(match_keys(first, size)) for first in (0, size // 2))
    began = time.perf_counter()
    our_tags, their_tags = _tags(ours, pads), _tags(theirs, pads)
    hashed = time.perf_counter() - began
    matched = len(np.intersect1d(our_tags, their_tags))
    took = time.perf_counter() - began
    if matched != size - size // 2:
        sys.exit(f"keyed found {matched} people")
    print(
        f"keyed, 2 x {size:>9,}       {took:7.2f}   (tags {hashed:.2f}, match {took - hashed:.2f})"
    )


def _column(keys: bytes) -> pa.Table:
    each = [keys[at : at + 32] for at in range(0, len(keys), 32)]
    return pa.table({"k": pa.array(each, pa.binary())})


def _tags(subjects: pa.Table, pads: Pads) -> NDArray[np.uint64]:
    with duckdb.connect() as connection:
        connection.register("subjects", subjects)
        sql = f"SELECT {hmac_expression('k', 'inner_pad', 'outer_pad')} AS tag FROM subjects"
        values = {"inner_pad": pads.inner, "outer_pad": pads.outer}
        relation = connection.sql(sql, params=values)
        tags = relation.to_arrow_table()["tag"].combine_chunks()
    # 32 bytes each, one after the other; the first 64 bits are enough for a benchmark.
    return np.frombuffer(tags.buffers()[2], "<u8").reshape(-1, 4)[: len(tags), 0]


if __name__ == "__main__":
    main()
