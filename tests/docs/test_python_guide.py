"""docs/python.md runs as a notebook does: in order, in one namespace, printing what it says."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import pytest

from tests.docs.blocks import Block, blocks
from tests.spaces import Space

GUIDE = "docs/python.md"


def cells() -> list[tuple[Block, str]]:
    """Each block of code with what the page says it prints."""
    found = blocks(GUIDE)
    return [
        (block, after.text if after is not None and after.language == "text" else "")
        for block, after in zip(found, [*found[1:], None], strict=True)
        if block.language == "python"
    ]


@pytest.mark.filterwarnings("ignore:pandas only supports SQLAlchemy")
def test_the_guide_prints_what_it_says(
    documented_space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GBA_HOME", str(documented_space.home))
    monkeypatch.delenv("GBA_AS", raising=False)
    namespace: dict[str, Any] = {}
    assert len(cells()) >= 8
    for block, said in cells():
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile("\n" * (block.line - 1) + block.text, GUIDE, "exec"), namespace)
        assert printed.getvalue() == said, f"{GUIDE}, {block}"
