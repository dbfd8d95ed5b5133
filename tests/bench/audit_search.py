"""`python -m tests.bench.audit_search [ENTRIES]`: searches of a large index, against a full scan.

Builds an index of a million synthetic entries (no log, no bodies) and prints for each search
its time, how many there are, and how many times longer a plain scan of the same entries takes.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dataspace.audit.index import AuditIndex, Indexed
from dataspace.audit.index_search import Search
from dataspace.evidence.looks import COLUMNS, SUBJECT_TAGS

ENTRIES = 1_000_000
_STEP = 20_000
_PAGE = 100
_START = 1_700_000_000_000
_YEAR_MS = 365 * 86_400_000
_PRODUCTS = ("patients", "conditions", "medications", "observations", "encounters", "allergies")
_REGIONS = ("guangzhou", "hongkong", "macao")
_RULES = ("research-statistics", "public-health-statistics", "default-deny", "treatment-record")


def synthetic(size: int) -> Iterator[Indexed]:
    """Entries of a year at a node: some refused, some of one person, few of one actor."""
    draw = random.Random(7)
    for index in range(size):
        region = draw.choice(_REGIONS)
        actor = f"gba://{region}/member-{draw.randrange(40)}/researcher/r{draw.randrange(3000)}"
        refused = draw.random() < 0.05
        fields = {
            "outcome": "refused" if refused else "released",
            "code": "policy" if refused else "",
            "rules": [draw.choice(_RULES)],
            "purpose": draw.choice(("HRESCH", "PUBHLTH", "TREAT")),
            "products": draw.sample(_PRODUCTS, draw.randint(1, 2)),
            "actor_region": region,
            "actor_role": "researcher",
            "request_sha256": f"{draw.getrandbits(256):064x}",
        }
        body: dict[str, object] = {"actor": actor}
        if index % 1000 == 0:
            body[SUBJECT_TAGS] = [f"{index % 7:064x}"]
        kind = "query.refused" if refused else "query.released"
        at = _START + index * _YEAR_MS // size
        yield Indexed(index, at, kind, fields, f"{index:064x}", body)


def searches(size: int) -> dict[str, Search]:
    """What a regulator asks, by name."""
    month = _START + _YEAR_MS // 2
    terms: dict[str, dict[str, str]] = {
        "newest": {},
        "actor": {"actor": "gba://macao/member-7/researcher/r77"},
        "member": {"member": "member-7"},
        "refused by rule": {"rule": "default-deny", "outcome": "refused"},
        "product, purpose, region": {"product": "patients", "purpose": "TREAT", "region": "macao"},
        "subject": {SUBJECT_TAGS: f"{3:064x}"},
        "nothing fits": {"outcome": "refused", "kind": "query.released"},
    }
    found = {name: Search(size, _PAGE, each, newest_first=True) for name, each in terms.items()}
    found["one month, one product"] = Search(
        size, _PAGE, {"product": "patients"}, from_ms=month, until_ms=month + _YEAR_MS // 12
    )
    return found


def scan(entries: list[Indexed], search: Search) -> int:
    """How many fit, by looking at every entry."""
    columns = {each.name: each for each in COLUMNS.columns}
    count = 0
    for entry in entries:
        if not search.from_ms <= entry.at_ms < search.until_ms:
            continue
        for name, value in search.terms.items():
            if name == "kind":
                if entry.kind != value:
                    break
                continue
            column = columns[name]
            source = entry.body if column.of_body else entry.fields
            if source is None or value not in column.read(source):
                break
        else:
            count += 1
    return count


def timed(work: Callable[[], object]) -> float:
    """Seconds, the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def main(size: int) -> None:
    """Build, search, print."""
    with tempfile.TemporaryDirectory(prefix="gba-bench-") as folder:
        index = AuditIndex(Path(folder) / "index.db", "bench", COLUMNS)
        sample: list[Indexed] = []  # scanned in place of all, which would not fit in memory
        batch: list[Indexed] = []
        spent = 0.0
        for entry in synthetic(size):
            batch.append(entry)
            if len(sample) < size // 20:
                sample.append(entry)
            if len(batch) == _STEP or entry.index == size - 1:
                began = time.perf_counter()
                index.add(batch, "leaf")
                spent += time.perf_counter() - began
                batch = []
        megabytes = (Path(folder) / "index.db").stat().st_size / 1e6
        print(
            f"{size:,} entries indexed in {spent:.1f} s ({size / spent:,.0f}/s), {megabytes:.0f} MB"
        )
        print(f"{'search':<26}{'page ms':>9}{'found':>9}{'count ms':>10}{'scan / page':>13}")
        for name, search in searches(size).items():
            page = timed(lambda search=search: index.search(search))  # type: ignore[misc]
            count = timed(lambda search=search: index.count(search))  # type: ignore[misc]
            whole = timed(lambda search=search: scan(sample, search)) * size / len(sample)  # type: ignore[misc]
            print(f"{name:<26}{page * 1e3:>9.1f}{index.count(search):>9,}{count * 1e3:>10.1f}"
                  f"{whole / page:>13,.0f}")  # fmt: skip
        index.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES)
