"""docs/linkage.md: the commands of the record tier run as they are written."""

from __future__ import annotations

import json

from dataspace.client.summary.checks import problems
from tests.docs.typed import Session
from tests.spaces import Space

GUIDE = "docs/linkage.md"


def test_the_record_commands_do_what_the_page_says(documented_space: Space) -> None:
    ran = Session(documented_space.home).type_guide(GUIDE, "crosscheck record")
    assert len(ran) >= 4
    *_, consented, emergency = ran.values()
    assert "alergias" in consented.out.lower()
    assert "to be reviewed" in emergency.out
    written = json.loads((documented_space.home / "summary.json").read_text())
    assert problems(written) == []
