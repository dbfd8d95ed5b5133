"""Containers with nothing to spare: no root, no capabilities, a root file system to read only.

Promises that each sees the volumes that it is given and no others, and what runs, mounts and
listens in a container. Leaves to the tests which party gets which volume.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import ExecWaitStrategy

from tests.spaces import Ran

from .engine import docker

USER: Final = "10001:10001"
START_SECONDS: Final = 60
# Docker's own resolver, which listens in every container on a network of the user's.
RESOLVER: Final = "127.0.0.11"
PAGE: Final = ("127.0.0.1", 9464)  # GBA_METRICS of the images
_LISTEN: Final = "0A"


def confined(image: str, command: list[str], volumes: Mapping[str, str]) -> DockerContainer:
    """A container that is not started yet; `volumes` are names, each with its place inside."""
    container = DockerContainer(image).with_command(command).with_tmpfs_mount("/tmp")
    for name, place in volumes.items():
        container.with_volume_mapping(name, place, "rw")
    return container.with_kwargs(
        user=USER, read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges:true"]
    )


def ready_when(container: DockerContainer, stage: str, home: str) -> DockerContainer:
    """Have `start` wait until the party at `home` says that it has come to `stage`."""
    command = ["grep", "-q", f'"stage": "{stage}"', f"{home}/run/state.json"]
    strategy = ExecWaitStrategy(command).with_startup_timeout(START_SECONDS)
    return container.waiting_for(strategy.with_poll_interval(0.2))


def run_to_end(container: DockerContainer) -> Ran:
    """Start a container, wait for its end, and return what it said."""
    with container:
        code = container.wait()
        said, complained = container.get_logs()
    return Ran(code, said.decode(), complained.decode())


@contextmanager
def inner_network() -> Iterator[Network]:
    """A network that leads nowhere else."""
    with Network(docker_network_kw={"internal": True}) as network:
        yield network


@contextmanager
def volumes_for(prefix: str, names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Empty volumes, a name for each of `names`; removed in the end."""
    made = {name: f"{prefix}-{name}" for name in names}
    try:
        for volume in made.values():
            done = docker("volume", "create", volume)
            assert done.returncode == 0, done.stderr
        yield made
    finally:
        docker("volume", "rm", "--force", *made.values())


def read_inside(container: str, *command: str) -> str:
    """The output of a command run in a container."""
    done = docker("exec", container, *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listening(container: str) -> set[int]:
    """The TCP ports on which a container listens, but for Docker's own resolver and the page of
    health and metrics, which nobody else reaches."""
    ports = set()
    tables = read_inside(
        container, "sh", "-c", "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; true"
    )
    for line in tables.splitlines():
        fields = line.split()
        if fields[3] != _LISTEN:
            continue
        address, port = fields[1].split(":")
        if len(address) == 8 and _dotted(address) == RESOLVER:
            continue
        if len(address) == 8 and (_dotted(address), int(port, 16)) == PAGE:
            continue
        ports.add(int(port, 16))
    return ports


def _dotted(word: str) -> str:
    # proc(5): the address is a 32-bit word in the byte order of the machine.
    return socket.inet_ntoa(struct.pack("=I", int(word, 16)))


@dataclass(frozen=True)
class Confinement:
    """What holds a container back, as the engine tells it."""

    user: str
    read_only: bool
    dropped: tuple[str, ...]
    security: tuple[str, ...]
    published: tuple[str, ...]
    volumes: frozenset[str]

    @classmethod
    def of(cls, container: str) -> Confinement:
        """Of a running container."""
        done = docker("inspect", container)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)[0]
        host = told["HostConfig"]
        return cls(
            user=told["Config"]["User"],
            read_only=host["ReadonlyRootfs"],
            dropped=tuple(host["CapDrop"] or ()),
            security=tuple(host["SecurityOpt"] or ()),
            published=tuple(host["PortBindings"] or ()),
            volumes=frozenset(f"{each['Type']} {each['Destination']}" for each in told["Mounts"]),
        )


def only(*places: str) -> Confinement:
    """The confinement in which every container of a space is: these volumes and nothing else."""
    return Confinement(
        user=USER,
        read_only=True,
        dropped=("ALL",),
        security=("no-new-privileges:true",),
        published=(),
        volumes=frozenset(f"volume {place}" for place in places),
    )
