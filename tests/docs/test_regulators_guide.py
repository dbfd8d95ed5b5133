"""docs/regulators-guide.md: every command runs as it is written."""

from __future__ import annotations

from dataspace.evidence.reconciling import DIFFERENCES, REMARKS
from tests.docs.blocks import ROOT, blocks, commands
from tests.docs.typed import Session
from tests.spaces import Space

GUIDE = "docs/regulators-guide.md"


def test_the_guides_commands_do_what_it_says(documented_space: Space) -> None:
    lines = [
        line for block in blocks(GUIDE) if block.language == "console" for line in commands(block)
    ]
    assert len(lines) >= 12
    for line, ran in Session(documented_space.home).type(*lines).items():
        assert ran.code == 0, f"{line}: {ran.err}"
        quiet = line.startswith("cp ") or "alarm.raised" in line or "query.refused" in line
        assert ran.out or quiet, line


def test_every_difference_is_in_the_guide() -> None:
    text = (ROOT / GUIDE).read_text()
    for code in (*DIFFERENCES, *REMARKS):
        assert f"`{code}`" in text
