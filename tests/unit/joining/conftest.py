"""A space that has been founded, and a researcher who has joined it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataspace.cli.founding import found_space, mark_whole
from tests.unit.joining.steps import install, issue, join


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("founded") / "space"
    found_space(home)
    mark_whole(home)
    return home


@pytest.fixture
def space(founded: Path, tmp_path: Path) -> Path:
    """A space that this test alone changes."""
    return Path(shutil.copytree(founded, tmp_path / "space", symlinks=True))


@pytest.fixture
def maria(space: Path, tmp_path: Path) -> Iterator[Path]:
    """A researcher of Macao who has joined, with certificates."""
    home = tmp_path / "maria"
    assert join(space, home).code == 0
    assert issue(space, home, tmp_path / "maria.pem").code == 0
    assert install(tmp_path / "maria.pem", home).code == 0
    yield home
