"""The files of deploy/: every service is confined, and only the broker publishes a port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
FILES = ("compose.yaml", "node.compose.yaml", "broker.compose.yaml")
# Keys that the Compose specification and docker-compose 1.29 both take at a service, `x-` aside.
KNOWN = {
    "build", "cap_drop", "command", "cpus", "depends_on", "entrypoint", "environment", "expose",
    "healthcheck", "image", "logging", "mem_limit", "network_mode", "networks", "pids_limit",
    "ports", "profiles", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs",
    "user", "volumes",
}  # fmt: skip


def services(file: str) -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((DEPLOY / file).read_text())
    return read["services"]


@pytest.mark.parametrize("file", FILES)
def test_every_service_is_confined(file: str) -> None:
    for name, service in services(file).items():
        assert set(service) <= KNOWN, name
        assert service["user"] == "10001:10001", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] == 512, name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        if name != "init":  # it runs once, on whatever the host has
            assert service["mem_limit"] and service["cpus"], name


@pytest.mark.parametrize("file", FILES)
def test_what_runs_on_has_a_health_check_and_starts_again(file: str) -> None:
    for name, service in services(file).items():
        if name not in {"init", "gba"}:
            assert service["healthcheck"]["test"] == ["CMD", "healthy"], name
            assert service["restart"] == "unless-stopped", name


def test_the_brokers_port_is_the_only_one_published() -> None:
    published = {
        (file, name): service["ports"]
        for file in FILES
        for name, service in services(file).items()
        if "ports" in service
    }
    assert published == {("broker.compose.yaml", "broker"): ["${PUBLISH:-7443}:7443"]}


def test_prometheus_is_confined_and_reached_by_nobody_but_the_nodes_network() -> None:
    (service,) = services("prometheus.compose.yaml").values()
    assert set(service) <= KNOWN
    assert (service["user"], service["read_only"]) == ("65534:65534", True)
    assert service["cap_drop"] == ["ALL"]
    assert service["network_mode"] == "service:node"
    assert "--web.listen-address=127.0.0.1:9090" in service["command"]
    assert service["volumes"][0].endswith(":ro")


@pytest.mark.parametrize("file", FILES)
def test_no_secret_is_handed_over_in_the_environment(file: str) -> None:
    names = {name for service in services(file).values() for name in service.get("environment", {})}
    assert names <= {"GBA_HOME", "GBA_BROKER_ADDRESS", "GBA_LISTEN", "GBA_HTTP", "PATIENTS"}
