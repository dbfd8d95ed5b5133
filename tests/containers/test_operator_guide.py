"""docs/operator-guide.md, typed as it stands, on hosts of one party each: broker, Hong Kong, Macao.

The image itself is made by `image`, from the same Dockerfile; the homes by `gba space init`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import blocks, commands
from tests.spaces import Ran, Space, run_gba

from .compose import DEPLOY, NoCompose, Project, fresh_project
from .confined import Confinement, listening, only
from .engine import docker
from .image import Images

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

GUIDE = "docs/operator-guide.md"
PATIENTS = 500
OWNER = 10001


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """Every party's home, as they would be made at its own place."""
    space = Space(tmp_path_factory.mktemp("homes") / "space")
    made = run_gba("space", "init", str(space.home), "--patients", str(PATIENTS))
    assert made.code == 0, made.err
    return space


def packed(home: Path, file: Path) -> None:
    """A party's home as an archive."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = OWNER
        return entry

    with tarfile.open(file, "w") as archive:
        archive.add(home, ".", filter=owned)


class Host:
    """A host with one file of deploy/ in use, and a shell on it."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        folder.mkdir()
        for file in DEPLOY.glob("*.compose.yaml"):
            (folder / file.name).symlink_to(file)
        # The guide says `docker compose`; where only 1.29 is there, that is what it comes to.
        shim = folder / "bin" / "docker"
        shim.parent.mkdir()
        compose = " ".join((*project.command, "--project-name", project.name))
        shim.write_text(
            f'#!/bin/sh\nPATH="{os.environ["PATH"]}"\ntest "$1" = compose || exec docker "$@"\n'
            f'shift; exec {compose} "$@"\n'
        )
        shim.chmod(0o755)

    def type(self, line: str) -> Ran:
        """A line of the guide, as a shell runs it."""
        images = self.project.images
        environment = {
            **os.environ, **self.project.environment,
            "GBA_NODE_IMAGE": images.node, "GBA_BROKER_IMAGE": images.broker,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }  # fmt: skip
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def clear(self) -> None:
        """Nothing is left behind."""
        self.project.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def hosts(
    images: Images, homes: Space, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Host]]:
    """Three hosts, a home's archive in each; skips where there is no Compose."""
    folder, port = tmp_path_factory.mktemp("hosts"), free_port()
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    inner = docker("network", "inspect", "--format", gateway, "bridge").stdout.strip()
    settings = {"broker": {"PUBLISH": f"0.0.0.0:{port}"}}
    made = {}
    try:
        for party in ("broker", "hongkong", "macao"):
            file = "broker.compose.yaml" if party == "broker" else "node.compose.yaml"
            own = settings.get(party, {"BROKER": f"{inner}:{port}"})
            made[party] = Host(fresh_project(images, file, own), folder / party)
            packed(homes.home / party, folder / party / "home.tar")
        yield made
    except NoCompose as reason:
        pytest.skip(str(reason))
    finally:
        for host in made.values():
            host.clear()


def guide(file: str, service: str) -> list[str]:
    """The guide's lines, as they are typed on a node's host or on the broker's."""
    lines = [
        line for block in blocks(GUIDE) if block.language == "console" for line in commands(block)
    ]
    assert len(lines) == 6
    return [
        line.replace("node.compose.yaml", file).replace("-T node", f"-T {service}")
        for line in lines
    ]


def test_the_guide_brings_up_a_space_of_one_party_a_host(
    hosts: dict[str, Host], homes: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    for party, host in hosts.items():
        file, service = (
            ("broker.compose.yaml", "broker")
            if party == "broker"
            else ("node.compose.yaml", "node")
        )
        for line in guide(file, service):
            ran = host.type(line)
            assert ran.code == 0, f"{party}: {line}: {ran.out}{ran.err}"
    address = f"127.0.0.1:{hosts['broker'].project.environment['PUBLISH'].partition(':')[2]}"
    monkeypatch.setenv("GBA_BROKER_ADDRESS", address)
    asked = homes.query("SELECT count(*) AS n FROM macao.patients", actor="macao/researcher")
    assert asked.code == 0, asked.err
    assert asked.json["rows"] == [[PATIENTS]]


def test_each_host_publishes_the_brokers_one_port_and_no_other(hosts: dict[str, Host]) -> None:
    for party, host in hosts.items():
        services = ("broker",) if party == "broker" else ("node", "witness", "revocation")
        for service in services:
            container = host.project.container(service)
            confined = Confinement.of(container)
            expected = only("/space/home").published
            assert confined.published == (("7443/tcp",) if party == "broker" else expected)
            assert confined.read_only and confined.user == f"{OWNER}:{OWNER}"
            assert listening(container) == ({7443, 7480} if party == "broker" else set())


def test_a_container_has_limits_of_memory_processors_and_log(hosts: dict[str, Host]) -> None:
    said = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} "
    said += '{{index .HostConfig.LogConfig.Config "max-size"}}'
    limits = {
        service: docker("inspect", "--format", said, hosts[party].project.container(service)).stdout
        for party, service in (("broker", "broker"), ("macao", "node"), ("macao", "witness"))
    }
    assert limits["broker"].split() == [f"{2 << 30}", "2000000000", "512", "10m"]
    assert limits["node"].split() == [f"{3 << 30}", "2000000000", "512", "10m"]
    assert limits["witness"].split() == [f"{256 << 20}", "1000000000", "512", "10m"]


def test_the_brokers_image_has_no_engine_and_says_so_where_one_is_needed(images: Images) -> None:
    done = docker("run", "--rm", "--network=none", "--tmpfs=/tmp", "--tmpfs=/space/home",
                  images.broker, "gba", "space", "init", "/space/actors/new", "--patients", "100",
                  "--no-agreements")  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "this installation is a broker's" in done.stderr
