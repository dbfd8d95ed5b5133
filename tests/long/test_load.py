"""64 callers at once for a minute, one node killed and started again meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.federation.copies import running_copy
from tests.load import check, go_through
from tests.spaces import Space

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("load")) as running:
        yield running


def test_a_minute_of_64_callers_harms_nothing(space: Space) -> None:
    check(go_through(space, 64, 60, pause=12), callers=64, growth_mb=150)
