"""One small space for the modules that only ask questions of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.federation.copies import running_copy
from tests.spaces import Space


@pytest.fixture(scope="session")
def asked_space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A running space with 300 patients a region; whoever stops a party starts it again."""
    with running_copy(tmp_path_factory.mktemp("asked")) as running:
        yield running
