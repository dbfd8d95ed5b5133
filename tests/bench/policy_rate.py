"""How fast rules decide, and load: `python -m tests.bench.policy_rate`.

Beside each, in the same run, the same decisions with the rules parsed anew every time, which
is what a set parsed once saves. Prints a table; holds nothing against a bound.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cedarpy

from dataspace.policy.decisions import decide, entities, question
from dataspace.policy.requests import AccessRequest
from dataspace.policy.rules import PolicySet, load
from dataspace.policy.store import read_files, read_tables
from tests.unit.policy.samples import rule

POLICIES = Path(__file__).parents[2] / "policies"
Decides = Callable[[AccessRequest], object]
_TURNS = 10
SIZES = (0, 300, 1_000)  # the space's own rules, then filled up to so many


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    seconds = parser.parse_args().seconds
    asked = [case.request for table in read_tables(POLICIES) for case in table.cases]
    print("rules   load s   decisions a second   parsing each time   ratio")
    for size in SIZES:
        began = time.perf_counter()
        policies = load(_files(size))
        loading = time.perf_counter() - began
        rate, anew = _rates(
            (_parsed_once(policies), _parsed_each_time(policies)), asked, seconds / _TURNS
        )
        print(
            f"{len(policies.rules):5}  {loading:7.2f}  {rate:19,.0f}  {anew:18,.0f}"
            f"  {rate / anew:6.1f}"
        )


def _files(size: int) -> dict[str, bytes]:
    """The space's files, with forbids of as many categories as there are too few."""
    files = read_files(POLICIES)
    few = max(0, size - len(load(files).rules))
    more = "\n".join(
        rule(
            f"more-{number}",
            "forbid (principal, action, resource) when { "
            f'context.categories.contains("category-{number}") && context.at_ms > {number} }};',
        )
        for number in range(few)
    )
    return files | {"more.cedar": more.encode()}


def _parsed_once(policies: PolicySet) -> Decides:
    return lambda each: decide(policies, each)


def _parsed_each_time(policies: PolicySet) -> Decides:
    text = "\n".join(each.text for each in policies.rules.values())
    return lambda each: cedarpy.is_authorized(
        question(policies, each), text, entities(policies, each), policies.engine_schema
    )


def _rates(ways: Sequence[Decides], asked: list[AccessRequest], seconds: float) -> Iterator[float]:
    """Decisions a second of each way, in turns, so that what else runs here slows all alike."""
    endless = itertools.cycle(asked)
    counts, taken = [0] * len(ways), [0.0] * len(ways)
    for at, decides in [*enumerate(ways)] * _TURNS:
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            decides(next(endless))
            counts[at] += 1
        taken[at] += passed
    return (count / each for count, each in zip(counts, taken, strict=True))


if __name__ == "__main__":
    main()
