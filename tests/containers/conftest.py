"""What the container tests share: the images, or the reason why there are none."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .base_image import NoBaseImage
from .compose import NoCompose, fresh_project, project_up
from .engine import ensure_engine
from .faults import RECORDS, Scene, scene_of
from .image import Images, ensure_images

# The reaper is an image of its own, from a registry; what these tests make, they take down.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"


@pytest.fixture(scope="session")
def images() -> Images:
    """The images under test; skips where there is no engine or no base to build it on."""
    if reason := ensure_engine():
        pytest.skip(reason)
    try:
        return ensure_images()
    except NoBaseImage as hindrance:
        pytest.skip(str(hindrance))


@pytest.fixture(scope="session")
def image(images: Images) -> str:
    """The image that has everything."""
    return images.node


@pytest.fixture(scope="session")
def scene(images: Images) -> Iterator[Scene]:
    """A composed space under load, one for all faults; skips where there is no Compose."""
    try:
        project = fresh_project(images, environment={"PATIENTS": "500"})
    except NoCompose as reason:
        pytest.skip(str(reason))
    with project_up(project), scene_of(project) as scene:
        yield scene


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault did and how soon it healed, for whoever reads the run."""
    if RECORDS:
        terminalreporter.section("faults")
        for record in RECORDS:
            terminalreporter.write_line(record.line())
