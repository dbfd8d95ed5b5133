"""A space under steady questions for as long as GBA_SOAK_MINUTES says: no process grows.

One minute unless told otherwise; an hour is `GBA_SOAK_MINUTES=60 make test-long`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import Final

import psutil
import pytest

from dataspace.cli.supervising import find_process, parties_of
from tests.callers import Callers, expected_answers, without_reason, wrong_answers
from tests.federation.copies import running_copy
from tests.spaces import Space

MINUTES: Final = float(os.environ.get("GBA_SOAK_MINUTES", "1"))
CALLERS: Final = 8
# What allocators keep goes up and down by this much; a leak goes beyond it, given time.
SLACK_MB: Final = 12.0

pytestmark = [pytest.mark.long, pytest.mark.timeout(MINUTES * 60 + 600)]


@dataclass(frozen=True)
class Sizes:
    """Resident memory of one process over time: seconds, MB."""

    party: str
    seen: tuple[tuple[float, float], ...]

    @property
    def growth(self) -> float:
        """MB by which the last third is larger than the middle one, by their medians."""
        third = len(self.seen) // 3
        middle, last = self.seen[third : 2 * third], self.seen[2 * third :]
        return median(size for _, size in last) - median(size for _, size in middle)

    @property
    def slope(self) -> float:
        """MB a minute after the first third, as a straight line."""
        warm = self.seen[len(self.seen) // 3 :]
        return 60 * linear_regression([at for at, _ in warm], [size for _, size in warm]).slope

    def line(self) -> str:
        """For people."""
        sizes = [size for _, size in self.seen]
        return (
            f"{self.party:22} {sizes[0]:6.0f} MB at first, {max(sizes):6.0f} MB at most, "
            f"{self.slope:+6.2f} MB a minute, {self.growth:+6.1f} MB in the last third"
        )


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("soak")) as running:
        yield running


def watch(space: Space, seconds: float) -> list[Sizes]:
    """How large each process is, once a second (an hour: once in twenty)."""
    pause = max(1.0, seconds / 180)
    found: dict[str, list[tuple[float, float]]] = {party: [] for party in parties_of(space.home)}
    began = time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        for party, seen in found.items():
            process = find_process(space.home, party)
            assert process is not None, f"{party} ended"
            with suppress(psutil.NoSuchProcess):
                seen.append((at, process.memory_info().rss / 2**20))
        time.sleep(pause)
    return [Sizes(party, tuple(seen)) for party, seen in found.items()]


def test_memory_of_every_process_stays_flat_under_steady_questions(space: Space) -> None:
    expected = expected_answers(space.home)
    with Callers(space.home, CALLERS, MINUTES * 60 + 5) as running:
        sizes = watch(space, MINUTES * 60)
        told = running.told()
    for each in sizes:
        print(each.line())
    assert not wrong_answers(told, expected)
    assert not without_reason(told)
    assert not [each for each in told if each.error]
    for each in sizes:
        assert each.growth < max(SLACK_MB, 0.04 * each.seen[-1][1]), each.line()


def test_a_leak_is_noticed() -> None:
    leaking = Sizes("leaking", tuple((float(at), 100 + 0.7 * at) for at in range(60)))
    flat = Sizes("flat", tuple((float(at), 100 + at % 3) for at in range(60)))
    assert leaking.growth > SLACK_MB and leaking.slope == pytest.approx(42)
    assert abs(flat.growth) < 2
