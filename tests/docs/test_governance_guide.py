"""docs/governance.md: every command runs as it is written, and every option is in it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from dataspace.cli.governing import propose
from tests.docs.blocks import ROOT
from tests.docs.typed import Session
from tests.spaces import Space

GUIDE = "docs/governance.md"


def test_the_guides_commands_do_what_it_says(
    documented_space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # it writes files beside itself
    ran = Session(documented_space.home).type_guide(GUIDE)
    assert len(ran) >= 16
    (reviewed,) = [
        came.out for line, came in ran.items() if line.startswith("gba govern review $ID --as")
    ]
    assert '+@id("no-payment-statistics")' in reviewed
    assert "decision tables: of" in reviewed
    assert "replay: of" in reviewed
    done = [came.out for line, came in ran.items() if line.startswith("gba govern apply")]
    for out, version in zip(done, (2, 3), strict=True):
        for party in ("broker", "guangzhou", "hongkong", "macao"):
            assert f"{party}: charter {version} is in force" in out
    assert "as version 1 was: in force" in ran["gba govern show --as macao/regulator"].out


def test_every_option_of_a_proposal_is_in_the_guide() -> None:
    text = (ROOT / GUIDE).read_text()
    for name in inspect.signature(propose).parameters:
        if name not in {"home", "actor", "format_", "file"}:
            assert f"--{name.replace('_', '-')}" in text, name
