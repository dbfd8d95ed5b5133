"""The files of deploy/, driven by whichever Compose is there.

Promises that a project that was brought up leaves nothing behind. Leaves the images to `image`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.spaces import Ran

from .engine import alone, docker, ensure_program, run
from .image import HOUSE, Images

DEPLOY: Final = HOUSE / "deploy"
HEALTH_SECONDS: Final = 180.0
COMMAND_SECONDS: Final = 300.0


class NoCompose(Exception):
    """No Compose is there; the message says what to install."""


def ensure_compose() -> tuple[str, ...]:
    """The command that runs Compose: v2, else docker-compose. Raises `NoCompose`."""
    if docker("compose", "version").returncode == 0:
        return ("docker", "compose")
    with alone("engine"):
        if reason := ensure_program("docker-compose"):
            raise NoCompose(reason)
    return ("docker-compose",)


@dataclass(frozen=True)
class Project:
    """One bringing up of the file, under a name of its own."""

    command: tuple[str, ...]
    name: str
    images: Images
    file: Path = DEPLOY / "compose.yaml"
    environment: Mapping[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, seconds: float = COMMAND_SECONDS) -> Ran:
        """Run Compose on this project."""
        images = {"GBA_NODE_IMAGE": self.images.node, "GBA_BROKER_IMAGE": self.images.broker}
        done = run(
            *self.command,
            *("--project-name", self.name, "--file", str(self.file), *arguments),
            environment=images | dict(self.environment),
            timeout=seconds,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def gba(self, *arguments: str) -> Ran:
        """The `gba` service, run once; of what Compose itself says on the way nothing is kept."""
        ran = self.compose("run", "--rm", "-T", "gba", *arguments)
        own = [line for line in ran.err.splitlines() if line.startswith("{")]
        return Ran(ran.code, ran.out, "\n".join(own) or ran.err)

    def container(self, service: str) -> str:
        """The id of a service's container, whether it runs or not."""
        labels = {"project": self.name, "service": service, "oneoff": "False"}
        filters = [f"--filter=label=com.docker.compose.{key}={labels[key]}" for key in labels]
        return docker("ps", "--all", "--quiet", "--no-trunc", *filters).stdout.strip()

    def await_healthy(self, *services: str) -> None:
        """Wait until the services' containers say that they are healthy."""
        deadline = time.monotonic() + HEALTH_SECONDS
        for service in services:
            container = self.container(service)
            while (health := _health(container)) != "healthy":
                if time.monotonic() > deadline:
                    said = docker("logs", "--tail", "20", container)
                    raise AssertionError(f"{service} is {health}: {said.stdout}{said.stderr}")
                time.sleep(0.2)

    def left_behind(self) -> dict[str, str]:
        """What the engine still has of this project, by kind; stopped containers too."""
        label = f"label=com.docker.compose.project={self.name}"
        listings = {"container": ("--all",), "network": (), "volume": ()}
        return {
            kind: docker(kind, "ls", "--quiet", *options, "--filter", label).stdout.strip()
            for kind, options in listings.items()
        }


def fresh_project(
    images: Images, file: str = "compose.yaml", environment: Mapping[str, str] | None = None
) -> Project:
    """A file of deploy/ under a name that nobody uses. Raises `NoCompose`."""
    name = f"gba-test-{secrets.token_hex(4)}"
    return Project(ensure_compose(), name, images, DEPLOY / file, environment or {})


@contextmanager
def project_up(project: Project) -> Iterator[Project]:
    """The project, brought up; taken down with its volumes."""
    try:
        started = project.compose("up", "--detach", "--no-build")
        assert started.code == 0, started.err
        yield project
    finally:
        project.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def _health(container: str) -> str:
    done = docker("inspect", "--format", "{{.State.Health.Status}}", container)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()
