"""A log's process is killed a hundred times, while it appends and while it recovers."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.unit.audit.kills import check_whole, run_and_kill
from tests.unit.audit.samples import write_log

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_200)]


@pytest.mark.parametrize("segment", [1 << 12, 1 << 16, 1 << 20])
def test_a_hundred_kills_lose_nothing_acknowledged(tmp_path: Path, segment: int) -> None:
    chance = random.Random(segment)
    directory = tmp_path / "log"
    write_log(directory, 0)
    acknowledged: dict[int, bytes] = {}
    for _ in range(12):
        for _ in range(chance.randrange(1, 6)):  # nothing looks at the log between these
            opening = chance.random() < 0.3
            acknowledged |= run_and_kill(
                directory,
                chance.choice([1, 3, 16]),
                chance.uniform(0.1, 0.6) if opening else chance.uniform(0.001, 0.15),
                segment=segment,
                opening=opening,
            )
        check_whole(directory, acknowledged)
    assert acknowledged
