"""A witness's alarms: kept before they are answered, told until the node has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataspace.audit.witness import Alarm
from node.witness import alarms
from node.witness.alarms import Alarms

FORK = vars(Alarm("log-fork", "test/log", "one", "another"))


def files(folder: Path) -> list[str]:
    return sorted(file.name[: file.name.rindex("-")] for file in folder.glob("*.json"))


def test_the_same_alarm_is_kept_once(tmp_path: Path) -> None:
    kept = Alarms(tmp_path / "alarms", tmp_path / "run")
    kept.keep(FORK)
    kept.keep(FORK)
    assert files(tmp_path / "alarms") == ["log-fork"]


def test_a_forks_alarm_is_kept_however_many_others_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "_MOST", 3)
    kept = Alarms(tmp_path / "alarms", tmp_path / "run")
    for number in range(5):
        kept.keep({**FORK, "rule": "log-rollback", "shown": str(number)})
    kept.keep(FORK)
    assert files(tmp_path / "alarms") == ["log-fork", *["log-rollback"] * 3]


def test_an_alarm_is_told_again_until_the_node_has_recorded_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [None, {"ok": True}]
    told = []

    def ask(_: Path, request: dict[str, object]) -> object:
        told.append(request)
        return replies.pop(0)

    monkeypatch.setattr(alarms, "ask_locally", ask)
    kept = Alarms(tmp_path / "alarms", tmp_path / "run")
    kept.keep(FORK)
    for _ in range(3):
        kept.tell()
    assert len(told) == 2
    assert told[0] == told[1]
    assert told[0]["alarm"]["origin"] == "test/log"  # type: ignore[index]  # a request's own map
    assert len(told[0]["alarm"]["sha256"]) == 64  # type: ignore[index]
