"""docs/linkage.md: the existence checks run as they are written, and the arithmetic holds."""

from __future__ import annotations

from dataspace.home import PartyConfig
from node.existence.limits import DailyLimits
from tests.docs.blocks import ROOT
from tests.docs.typed import Session
from tests.spaces import Space

GUIDE = "docs/linkage.md"
MACAO_NUMBERS = 3 * 10**6


def test_the_existence_commands_do_what_the_page_says(documented_space: Space) -> None:
    ran = Session(documented_space.home).type_guide(GUIDE, "crosscheck exists")
    assert len(ran) >= 4
    one, piped, _, _ = ran.values()
    assert one.out.count(" no ") == 3
    assert "macao" in piped.out
    assert "hongkong" not in piped.out
    answers = (documented_space.home / "answers.csv").read_text()
    assert len(answers.splitlines()) == 1 + 2 * 3
    assert "A123456" not in answers


def test_at_the_limits_a_member_needs_more_than_ten_years_for_macaos_numbers() -> None:
    defaults = {
        name.rpartition("_")[2]: field.default
        for name, field in PartyConfig.model_fields.items()
        if name.startswith("existence_per_")
    }
    assert defaults == vars(DailyLimits())
    years = MACAO_NUMBERS / defaults["member"] / 365.25
    assert years > 10
    text = (ROOT / GUIDE).read_text()
    assert f"**{years:.1f} years**" in text
    assert all(f"| {value:,} |" in text for value in defaults.values())
