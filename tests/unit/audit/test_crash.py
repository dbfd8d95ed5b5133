"""A log's process is killed while it appends; what it acknowledged must be there."""

from __future__ import annotations

from pathlib import Path

from .kills import check_whole, run_and_kill
from .samples import write_log

ROUNDS = [(1, 0.15), (8, 0.2), (8, 0.33), (3, 0.1)]  # threads, seconds


def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    write_log(directory, 0)
    acknowledged: dict[int, bytes] = {}
    for threads, seconds in ROUNDS:
        before = len(acknowledged)
        acknowledged |= run_and_kill(directory, threads, seconds)
        assert len(acknowledged) > before
        check_whole(directory, acknowledged)
