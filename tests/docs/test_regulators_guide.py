"""docs/regulators-guide.md: every command runs as it is written."""

from __future__ import annotations

from dataspace.evidence.reconciling import DIFFERENCES, REMARKS
from tests.docs.blocks import ROOT
from tests.docs.typed import Session
from tests.spaces import Space

GUIDE = "docs/regulators-guide.md"


def test_the_guides_commands_do_what_it_says(documented_space: Space) -> None:
    ran = Session(documented_space.home).type_guide(GUIDE)
    assert len(ran) >= 12
    for line, came in ran.items():
        quiet = line.startswith("cp ") or "alarm.raised" in line or "query.refused" in line
        assert came.out or quiet, line


def test_every_difference_is_in_the_guide() -> None:
    text = (ROOT / GUIDE).read_text()
    for code in (*DIFFERENCES, *REMARKS):
        assert f"`{code}`" in text
