"""A space under load while one of its nodes is killed and comes back; what came of it."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import psutil

from dataspace.cli.supervising import find_process, start_party
from tests.callers import CALL_SECONDS, Callers, Told, expected_answers, without_reason
from tests.callers import wrong_answers as wrong_among
from tests.federation.processes import await_ready, stop
from tests.spaces import Space

STEADY = ("broker", "guangzhou", "hongkong")  # those that are not killed
KILLED = "macao"
WARM_SECONDS = 2.0


@dataclass(frozen=True)
class Ordeal:
    """What callers were told, and how large the processes grew (MB, by party)."""

    told: tuple[Told, ...]
    wrong: tuple[Told, ...]
    unexplained: tuple[Told, ...]
    kills: int
    before: dict[str, float]
    most: dict[str, float]

    @property
    def growth(self) -> dict[str, float]:
        """How much larger each steady process was at its largest than once it was warm."""
        return {party: self.most[party] - self.before[party] for party in self.before}

    @property
    def outcomes(self) -> Counter[str]:
        """How often what came of a question."""
        return Counter(each.error or f"{len(each.released)} regions" for each in self.told)

    def report(self) -> str:
        """For people."""
        answered = sorted(each.seconds for each in self.told if not each.error)
        return (
            f"{dict(self.outcomes)}; {self.kills} kills; slowest {answered[-1]:.1f} s, "
            f"median {answered[len(answered) // 2]:.1f} s; "
            f"growth MB { ({party: round(each) for party, each in self.growth.items()}) }"
        )


def go_through(
    space: Space, callers: int, seconds: float, *, pause: float, processes: int = 2
) -> Ordeal:
    """So many callers for so long, `KILLED` killed and started again, `pause` s between."""
    expected = expected_answers(space.home)
    with Callers(space.home, callers, WARM_SECONDS, processes=processes) as warming:
        warming.told()
    before = _sizes(space)
    most = dict(before)
    kills = 0
    with Callers(space.home, callers, seconds, processes=processes) as running:
        end = time.monotonic() + seconds
        while time.monotonic() < end - pause:
            _watch(space, most, pause / 2)
            stop(space, KILLED, kill=True)
            kills += 1
            _watch(space, most, pause / 2)
            start_party(space.home, KILLED)
        told = tuple(running.told())
    _watch(space, most, 0.1)
    await_ready(space)
    return Ordeal(
        told, tuple(wrong_among(told, expected)), tuple(without_reason(told)), kills, before, most
    )


def check(ordeal: Ordeal, callers: int, growth_mb: float) -> None:
    """The promises: no wrong answer, no stuck call, a reason for every no, bounded memory."""
    print(ordeal.report())
    assert not ordeal.wrong
    assert not ordeal.unexplained
    assert len(ordeal.told) >= callers
    assert max(each.seconds for each in ordeal.told) < CALL_SECONDS + 5
    # Some were told while the killed node was away, and some once it was back.
    released = {each.released for each in ordeal.told if not each.error}
    assert len(max(released, key=len)) == 3
    assert any(KILLED not in each for each in released)
    assert max(ordeal.growth.values()) < growth_mb


def _watch(space: Space, most: dict[str, float], seconds: float) -> None:
    """Look at how large the processes are, for a while."""
    end = time.monotonic() + seconds
    while True:
        for party, size in _sizes(space).items():
            most[party] = max(most[party], size)
        if time.monotonic() > end:
            return
        time.sleep(0.2)


def _sizes(space: Space) -> dict[str, float]:
    found: dict[str, float] = {}
    for party in STEADY:
        process = find_process(space.home, party)
        assert process is not None, f"{party} ended"
        with suppress(psutil.NoSuchProcess):
            found[party] = process.memory_info().rss / 2**20
    return found
