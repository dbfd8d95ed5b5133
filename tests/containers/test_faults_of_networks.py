"""A node behind a bad line: slow, lossy, stalled. Callers are told, it heals, nothing is lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import proxy
from .engine import docker
from .faults import Scene, inflicted, lacking, stand_in, whole

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def line(scene: Scene) -> Iterator[str]:
    """The container of a proxy through which Macao's node dials the broker."""
    name = f"{scene.project.name}-proxy-{secrets.token_hex(2)}"
    options = ("--detach", f"--name={name}", f"--network={scene.project.name}_macao")
    script = Path(proxy.__file__).read_text()
    command = ("python", "-c", script, "broker", "7443")
    done = docker("run", *options, "--tmpfs=/tmp", scene.project.images.node, *command)
    assert done.returncode == 0, done.stderr
    try:
        with stand_in(scene, "macao", f"--env=GBA_BROKER_ADDRESS={name}:7443"):
            yield name
    finally:
        docker("rm", "--force", name)


def behave(line: str, mode: str) -> None:
    """Have the proxy behave in one of its modes from now on."""
    done = docker("exec", line, "sh", "-c", f"echo '{mode}' > /tmp/new && mv /tmp/new /tmp/mode")
    assert done.returncode == 0, done.stderr


def test_a_line_of_300_ms_answers_later_and_all_the_same(scene: Scene, line: str) -> None:
    with inflicted(scene, "macao 300 ms away", "macao") as fault:
        behave(line, "latency 0.3")
        fault.heard(asked := scene.query())
        assert asked.code == 0, asked.err
        slow = scene.await_told(fault.began, lambda told: whole(told) and told["seconds"] > 0.6)
        assert slow["seconds"] < 10
        behave(line, "pass")
        fault.heal()


def test_a_line_that_loses_pieces_answers_or_says_who_is_away(scene: Scene, line: str) -> None:
    with inflicted(scene, "macao loses 20 % of pieces", "macao") as fault:
        behave(line, "loss 0.2")
        for _ in range(3):
            fault.heard(asked := scene.query())
            assert asked.code in {0, 5}, asked.err
        behave(line, "pass")
        fault.heal()


def test_a_line_that_stalls_is_given_up_and_dialled_anew(scene: Scene, line: str) -> None:
    with inflicted(scene, "macao stalled, half-open", "macao") as fault:
        behave(line, "stall")
        scene.await_told(fault.began, lacking("macao"))
        fault.heard(asked := scene.query())
        assert (asked.code, asked.error["error"]) == (5, "unavailable")
        assert "macao" in asked.error["message"]
        behave(line, "pass")
        fault.heal()
