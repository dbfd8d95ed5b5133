"""The space that the documents' examples run in: the one that README.md makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.typed import Session, readme_commands
from tests.spaces import Space


@pytest.fixture(scope="session")
def documented_space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A running space, made, started and stopped by README.md's own commands."""
    shell = Session(tmp_path_factory.mktemp("documented") / "gba")
    _, init, up, *_, down = readme_commands()
    try:
        for line, ran in shell.type(init, up).items():
            assert ran.code == 0, f"{line}: {ran.err}"
        yield Space(shell.home)
        stopped = shell.type(down)[down]
        assert stopped.code == 0, stopped.err
    finally:
        Space(shell.home).down()
