from __future__ import annotations

import pytest

from .world import Space, make_space


@pytest.fixture(scope="session")
def space() -> Space:
    return make_space()
