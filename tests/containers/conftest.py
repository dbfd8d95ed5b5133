"""What the container tests share: the image, or the reason why there is none."""

from __future__ import annotations

import os

import pytest

from .base_image import NoBaseImage
from .engine import ensure_engine
from .image import ensure_image

# The reaper is an image of its own, from a registry; what these tests make, they take down.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"


@pytest.fixture(scope="session")
def image() -> str:
    """The image under test; skips where there is no engine or no base to build it on."""
    if reason := ensure_engine():
        pytest.skip(reason)
    try:
        return ensure_image()
    except NoBaseImage as hindrance:
        pytest.skip(str(hindrance))
