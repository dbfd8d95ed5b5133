"""How fast match keys and matching are: `python -m tests.bench.match_keys`.

Keys of synthetic patients, plain and fuzzy, in subjects a second; the share of true pairs
found by several lists; and matching of three sides by random tokens. Holds nothing
against a bound.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from dataspace.linkage.counting import joint_counts
from dataspace.linkage.match_keys import slots
from dataspace.linkage.match_lists import match_lists
from dataspace.linkage.resolving import resolve
from dataspace.linkage.sides import Side
from dataspace.synthetic import REGIONS, SyntheticSpace, generate
from tests.linked import DOCUMENTS, FIELDS, NAMES, ROMAN, SOUNDS, quality, resolution

CITIES = {"hongkong": ROMAN, "macao": ROMAN}
EVERYWHERE = dict.fromkeys(REGIONS, ROMAN)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000, help="a region")
    parser.add_argument("--subjects", type=int, default=300_000, help="a side of random tokens")
    chosen = parser.parse_args()
    space = generate(chosen.patients, 1)
    _rates(space)
    _found(space)
    _matching(chosen.subjects)


def _rates(space: SyntheticSpace) -> None:
    print("| subjects a second | plain | fuzzy, characters | fuzzy, romanised |\n|---|---|---|---|")
    for region in REGIONS:
        table = space.tables[region]["patients"]
        shown = []
        for lists, fields in (
            (DOCUMENTS + NAMES, FIELDS),
            (DOCUMENTS + SOUNDS, FIELDS),
            (DOCUMENTS + SOUNDS, ROMAN),
        ):
            columns = {kind: [table[name]] for kind, name in fields.items()}
            began = time.perf_counter()
            slots(table["patient_id"], columns, lists)
            shown.append(f"{len(table) / (time.perf_counter() - began):,.0f}")
        print(f"| {region} | {' | '.join(shown)} |")


def _found(space: SyntheticSpace) -> None:
    print("\n| match lists | recall | precision | left out |\n|---|---|---|---|")
    for label, lists, fields in (
        ("documents", DOCUMENTS, {}),
        ("documents, names in characters", DOCUMENTS + NAMES, {}),
        ("names in characters", NAMES, {}),
        ("sounds, the cities' names romanised", SOUNDS, CITIES),
        ("sounds, all names romanised", SOUNDS, EVERYWHERE),
    ):
        found = resolution(space, lists, fields)
        recall, precision = quality(space, found)
        left_out = ", ".join(str(lists[place]) for place in found.unused)
        print(f"| {label} | {recall:.3f} | {precision:.4f} | {left_out} |")


def _matching(subjects: int) -> None:
    rng = np.random.default_rng(1)
    people = rng.integers(0, 256, (2 * subjects, 3, 32), dtype=np.uint8)
    sides = [Side(people[rng.permutation(len(people))[:subjects]], np.arange(3)) for _ in range(3)]
    codes = [rng.integers(0, 8, subjects) for _ in sides]
    lists = match_lists([["ric"], ["hkid"], ["full_name", "birth_date"]])
    began = time.perf_counter()
    found = resolve(sides, lists)
    resolved = time.perf_counter()
    joint_counts(found, codes)
    counted = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n3 x {subjects:,} subjects x 3 slots: matched in {resolved - began:.1f} s, "
        f"counted in {counted - resolved:.1f} s; peak of the whole run {peak:,.0f} MiB"
    )


if __name__ == "__main__":
    main()
