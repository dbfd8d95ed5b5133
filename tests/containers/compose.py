"""deploy/compose.yaml, driven by whichever Compose is there.

Promises that a project that was brought up leaves nothing behind. Leaves the image to `image`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.spaces import Ran

from .engine import alone, docker, ensure_program, run
from .image import HOUSE

COMPOSE_FILE: Final = HOUSE / "deploy" / "compose.yaml"
HEALTH_SECONDS: Final = 60.0
COMMAND_SECONDS: Final = 180.0


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
    image: str
    patients: int

    def compose(self, *arguments: str) -> Ran:
        """Run Compose on this project."""
        done = run(
            *self.command,
            *("--project-name", self.name, "--file", str(COMPOSE_FILE), *arguments),
            environment={"GBA_IMAGE": self.image, "PATIENTS": str(self.patients)},
            timeout=COMMAND_SECONDS,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def container(self, service: str) -> str:
        """The id of a service's running container."""
        return self.compose("ps", "--quiet", service).out.strip()

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


@contextmanager
def project_up(image: str, patients: int) -> Iterator[Project]:
    """The file, brought up; taken down with its volumes. Raises `NoCompose`."""
    project = Project(ensure_compose(), f"gba-test-{secrets.token_hex(4)}", image, patients)
    try:
        started = project.compose("up", "--detach", "--no-build")
        assert started.code == 0, started.err
        yield project
    finally:
        project.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def _health(container: str) -> str:
    done = docker("inspect", "--format", "{{.State.Health.Status}}", container)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()
