"""One space for the whole package; 8,000 patients a region are enough for rates."""

from __future__ import annotations

import pytest

from dataspace.synthetic import SyntheticSpace, generate

PATIENTS = 8_000
SEED = 20_260_101


@pytest.fixture(scope="session")
def space() -> SyntheticSpace:
    return generate(PATIENTS, SEED)
