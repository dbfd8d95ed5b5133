"""How well match keys find FEBRL's duplicates: `python -m tests.bench.febrl`.

Prints recall and precision by data set, what each match list adds, and which errors the
missed pairs have. Holds nothing against a bound: `tests/unit/linkage/test_febrl.py` does.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from tests.febrl import FIELDS, LISTS, PLAIN_LISTS, Dataset, Quality, dataset, quality


def main() -> None:
    """Run it."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    data = [dataset(number) for number in (1, 2, 3, 4)]
    results = [quality(one) for one in data]
    print("| data set | records | true pairs | recall | precision | missed | false | plain lists |")
    print("|---|---|---|---|---|---|---|---|")
    for one, result in zip(data, results, strict=True):
        print(_row(one, result, quality(one, PLAIN_LISTS)))
    print("\n| match list added | " + " | ".join(one.name for one in data) + " |")
    print("|---|" + "---|" * len(data))
    for upto in range(1, len(LISTS) + 1):
        shown = [_figures(quality(one, LISTS[:upto])) for one in data]
        print(f"| {LISTS[upto - 1]} | " + " | ".join(shown) + " |")
    print(
        "\n| fields of six that differ or are missing in a missed pair | missed pairs |\n|---|---|"
    )
    missed = [
        pair for one, found in zip(data, results, strict=True) for pair in _errors(one, found)
    ]
    for count, pairs in sorted(Counter(map(len, missed)).items()):
        print(f"| {count} | {pairs} |")
    print("\n| field | differs or is missing, of all missed pairs |\n|---|---|")
    for kind, pairs in Counter(kind for pair in missed for kind in pair).most_common():
        print(f"| {kind} | {pairs} of {len(missed)} |")


def _row(data: Dataset, result: Quality, plain: Quality) -> str:
    records = sum(map(len, data.frames))
    missed, false = len(result.truth - result.found), len(result.found - result.truth)
    return (
        f"| {data.name} | {records:,} | {len(data.truth):,} | {result.recall:.4f} | "
        f"{result.precision:.4f} | {missed} | {false} | {_figures(plain)} |"
    )


def _figures(result: Quality) -> str:
    return f"{result.recall:.3f} at {result.precision:.4f}"


def _errors(data: Dataset, result: Quality) -> list[frozenset[str]]:
    """For each missed pair the fields in which its records differ, as they are written."""
    records: dict[str, dict[str, Any]] = {}
    for frame in data.frames:
        records |= frame[list(FIELDS.values())].to_dict("index")
    return [
        frozenset(
            kind
            for kind, column in FIELDS.items()
            if records[one][column] != records[other][column]
        )
        for one, other in result.truth - result.found
    ]


if __name__ == "__main__":
    main()
