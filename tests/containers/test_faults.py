"""Processes die and networks fail under load: callers are told, it heals, nothing is lost."""

from __future__ import annotations

import time

import pytest

from dataspace.identity.names import REGIONS

from .engine import docker
from .faults import SMALL, Scene, inflicted, lacking, whole

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]


def kill(scene: Scene, service: str) -> None:
    """SIGKILL to the process itself: what the engine is told to kill, it would not restart."""
    docker("exec", scene.container(service), "sh", "-c", "kill -9 -1")


@pytest.mark.parametrize("region", REGIONS)
def test_a_node_killed_under_load_comes_back_with_all_that_it_knew(
    scene: Scene, region: str
) -> None:
    with inflicted(scene, f"kill -9 {region}", region) as fault:
        kill(scene, region)
        fault.heal()
        fault.heard(scene.query())
        scene.await_told(fault.began, lambda told: not whole(told))


def test_a_broker_killed_under_load_comes_back_with_all_that_it_knew(scene: Scene) -> None:
    with inflicted(scene, "kill -9 broker", *REGIONS) as fault:
        kill(scene, "broker")
        fault.heal()
        told = scene.await_told(fault.began, lambda told: bool(told["error"]))
        assert (told["error"], told["code"]) == ("unavailable", "broker-unreachable")
        fault.heard(scene.query())


def test_witnesses_and_signers_killed_under_load_stop_nobody(scene: Scene) -> None:
    with inflicted(scene, "kill -9 witnesses and signers", "macao") as fault:
        for service in SMALL:
            kill(scene, service)
        fault.heal()
        fault.heard(asked := scene.query())
        assert asked.code == 0, asked.err
        assert all(whole(told) for told in scene.told(fault.began))
    scene.project.await_healthy(*SMALL)  # before the next fault


def test_a_broker_that_is_restarted_is_missed_for_seconds_only(scene: Scene) -> None:
    with inflicted(scene, "broker restarted", "hongkong") as fault:
        assert docker("restart", "--time", "10", scene.container("broker")).returncode == 0
        fault.heal()
        fault.heard(scene.query())


def test_a_node_cut_off_is_named_and_attaches_again(scene: Scene) -> None:
    # Both ends keep a connection of which the other knows nothing any more: half open.
    network, container = f"{scene.project.name}_macao", scene.container("macao")
    with inflicted(scene, "macao cut off, half-open", "macao") as fault:
        assert docker("network", "disconnect", network, container).returncode == 0
        scene.await_told(fault.began, lacking("macao"))
        fault.heard(asked := scene.query())
        assert (asked.code, asked.error["error"]) == (5, "unavailable")
        assert "macao" in asked.error["message"]
        time.sleep(20)  # longer than the keepalive: both ends have noticed
        assert docker("network", "connect", network, container).returncode == 0
        fault.heal()


def test_a_node_that_stands_still_is_named_and_goes_on(scene: Scene) -> None:
    container = scene.container("guangzhou")
    with inflicted(scene, "guangzhou frozen for 20 s", "guangzhou") as fault:
        assert docker("pause", container).returncode == 0
        scene.await_told(fault.began, lacking("guangzhou"))
        time.sleep(max(0.0, fault.began + 20 - time.time()))
        assert docker("unpause", container).returncode == 0
        fault.heal()
        fault.heard(scene.query())


def test_after_all_of_it_every_log_verifies(scene: Scene) -> None:
    for party in ("broker", *REGIONS):
        said = scene.exec(party, "gba", "audit", "verify", "--format", "json")
        assert '"verified": true' in said, said
