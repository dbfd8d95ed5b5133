"""A space under steady questions of all kinds: no process grows, and no answer is wrong.

Half a minute in every run; `make test-long` soaks for an hour, or for GBA_SOAK_MINUTES.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import Final

import psutil
import pytest

from dataspace.cli.demo_patient import consent_of, somebody
from dataspace.cli.supervising import find_process, parties_of
from dataspace.client import connect
from dataspace.errors import Refused
from tests.callers import Callers, expected_answers, without_reason, wrong_answers
from tests.federation.copies import running_copy
from tests.spaces import Space

HOUR: Final = float(os.environ.get("GBA_SOAK_MINUTES", "60"))
CALLERS: Final = 8
# What allocators keep goes up and down by this much; a leak goes beyond it, given time.
SLACK_MB: Final = 12.0
PATIENTS, SEED = 300, 5
ACROSS = (
    "SELECT count(distinct g.person) AS n FROM guangzhou.patients g "
    "JOIN hongkong.patients h ON g.person = h.person"
)


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
    init = ("--patients", str(PATIENTS), "--seed", str(SEED))
    with running_copy(tmp_path_factory.mktemp("soak"), *init) as running:
        yield running


class Others(threading.Thread):
    """Whoever asks other things meanwhile: across regions, one patient's record, the forbidden."""

    def __init__(self, space: Space, pause: float) -> None:
        super().__init__(daemon=True)
        self._space, self._pause = space, pause
        self._over = threading.Event()
        self.told: Counter[str] = Counter()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Round and round, until told to stop."""
        try:
            self._ask()
        except BaseException as error:
            self.error = error

    def stop(self) -> Counter[str]:
        """How often each was answered as it should be. Raises what was not."""
        self._over.set()
        self.join(60)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.told

    def _ask(self) -> None:
        home = self._space.home
        patient = somebody(PATIENTS, SEED)
        consent = consent_of(home, patient)
        with (
            connect(home, "guangzhou/researcher") as asks,
            connect(home, "macao/clinician") as care,
        ):
            first = list(asks.query(ACROSS, purpose="HRESCH").answer.rows)
            while not self._over.wait(self._pause):
                rows = list(asks.query(ACROSS, purpose="HRESCH").answer.rows)
                self.told["across"] += rows == first
                record = care.record(
                    patient, want=["conditions"], purpose="TREAT", consents=[consent]
                )
                self.told["records"] += any(each.status == "released" for each in record.regions)
                try:
                    asks.query(
                        "SELECT brca, count(*) FROM conditions GROUP BY brca", purpose="HRESCH"
                    )
                except Refused:
                    self.told["refusals"] += 1


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


@pytest.mark.parametrize(
    ("minutes", "pause"),
    [
        (0.5, 0),
        # An hour of what a space is like on a busy day: four questions a second.
        pytest.param(HOUR, 2, marks=[pytest.mark.long, pytest.mark.timeout(HOUR * 60 + 600)]),
    ],
)
def test_memory_of_every_process_stays_flat_under_steady_questions(
    space: Space, minutes: float, pause: float
) -> None:
    seconds = minutes * 60
    expected = expected_answers(space.home)
    # A clinician may check a hundred patients a day (`existence_per_actor`).
    others = Others(space, pause=max(2.0, seconds / 90))
    others.start()
    with Callers(space.home, CALLERS, seconds + 5, pause=pause) as running:
        sizes = watch(space, seconds)
        told = running.told()
    also = others.stop()
    for each in sizes:
        print(each.line())
    print(f"{len(told)} answers of one kind; {dict(also)}")
    assert not wrong_answers(told, expected)
    assert not without_reason(told)
    assert not [each for each in told if each.error]
    assert also["across"] == also["records"] == also["refusals"] > 0
    for each in sizes:
        assert each.growth < max(SLACK_MB, 0.04 * each.seen[-1][1]), each.line()


def test_a_leak_is_noticed() -> None:
    leaking = Sizes("leaking", tuple((float(at), 100 + 0.7 * at) for at in range(60)))
    flat = Sizes("flat", tuple((float(at), 100 + at % 3) for at in range(60)))
    assert leaking.growth > SLACK_MB and leaking.slope == pytest.approx(42)
    assert abs(flat.growth) < 2
