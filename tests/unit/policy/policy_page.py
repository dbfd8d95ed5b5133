"""docs/policy.md, written by `make docs`: `python -m tests.unit.policy.policy_page`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dataspace.policy.matrix import page
from dataspace.policy.store import read_folder

from .samples import POLICIES

DOCUMENT = Path(__file__).parents[3] / "docs/policy.md"
AT_MS = 1_790_000_000_000  # the day that the page is about: 2026-09-21


@cache
def written() -> str:
    """The page as the rules give it."""
    return page(read_folder(POLICIES), AT_MS)


if __name__ == "__main__":
    DOCUMENT.write_text(written(), "utf-8")
