"""docs/agreements.md: every command runs as it is written, and the terms are those there are."""

from __future__ import annotations

from dataspace.policy.terms import Terms
from tests.docs.blocks import ROOT
from tests.docs.typed import Session
from tests.spaces import Space

GUIDE = "docs/agreements.md"


def test_the_guides_commands_do_what_it_says(documented_space: Space) -> None:
    ran = Session(documented_space.home).type_guide(GUIDE)
    assert len(ran) >= 20
    shown = [came.out for line, came in ran.items() if line.startswith("gba agreement show")]
    assert "in force" in ran["gba agreement show $ID --as macao/regulator"].out
    assert "terminated" in shown[0] + ran["gba agreement show $ID --as hongkong/operator"].out
    assert "withdrawn" in ran["gba consent show $CONSENT --as hongkong/regulator"].out


def test_every_term_is_in_the_guide() -> None:
    text = (ROOT / GUIDE).read_text()
    for name in Terms.model_fields:
        assert f"`{name}`" in text
