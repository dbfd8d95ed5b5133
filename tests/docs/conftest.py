"""The space that the documents' examples run in: the one that `gba space init` makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.spaces import Space, running_space


@pytest.fixture(scope="session")
def documented_space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A running space of the default size and seed."""
    with running_space(tmp_path_factory.mktemp("documented")) as running:
        yield running
