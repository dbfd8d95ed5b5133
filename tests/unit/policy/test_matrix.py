"""docs/policy.md says what the rules say."""

from __future__ import annotations

import pytest

from dataspace.policy.matrix import Way, page, ways
from dataspace.policy.requests import REGIONS
from dataspace.policy.rules import load
from dataspace.policy.store import read_folder

from .policy_page import AT_MS, DOCUMENT, written
from .samples import POLICIES, forbid

SPACE = read_folder(POLICIES)


@pytest.fixture(scope="module")
def found() -> tuple[Way, ...]:
    return ways(SPACE, AT_MS)


def test_the_page_is_what_the_rules_give() -> None:
    assert DOCUMENT.read_text("utf-8") == written(), "run `make docs`"


def needs(found: tuple[Way, ...], source: str, target: str, action: str, basis: str) -> set[str]:
    here = [
        way for way in found
        if (way.source, way.target, way.action, way.basis) == (source, target, action, basis)
        and way.purpose in {"TREAT", "HRESCH"}
    ]  # fmt: skip
    return {need for way in here for need in way.needs}


def test_a_way_needs_what_it_is_refused_without(found: tuple[Way, ...]) -> None:
    assert needs(found, "guangzhou", "macao", "record", "GBA-SC") == {
        "agreement", "filing", "impact assessment", "consent",
    }  # fmt: skip
    assert needs(found, "hongkong", "macao", "existence", "HK-PDPO+MO-PDPA") == {"agreement"}
    assert needs(found, "macao", "hongkong", "overlap", "HK-PDPO+MO-PDPA") == {
        "agreement", "filing",
    }  # fmt: skip
    assert needs(found, "macao", "macao", "overlap", "LOCAL") == set()


def test_statistics_go_everywhere_on_their_own_basis_and_persons_data_on_the_routes(
    found: tuple[Way, ...],
) -> None:
    assert {(way.source, way.target) for way in found if way.action == "aggregate"} == {
        (source, target) for source in REGIONS for target in REGIONS
    }
    assert {way.basis for way in found if way.action == "aggregate"} == {"AGGREGATE", "LOCAL"}
    crossing = {way.basis for way in found if way.action == "record" and way.source != way.target}
    assert crossing == {"GBA-SC", "PIPL-SC", "CAC-SA", "HK-PDPO+MO-PDPA", "EMERGENCY"}


def test_every_rule_stands_on_the_page_with_its_basis() -> None:
    text = written()
    for rule in SPACE.rules.values():
        assert f"| `{rule.id}` | {rule.effect} | {rule.basis} |" in text


def test_a_change_of_a_rule_changes_the_page() -> None:
    line = "| consent | `public-health-statistics` |"
    assert line not in written()
    condition = 'context.purpose == Purpose::"PUBHLTH" && context.consent != State::"valid"'
    changed = load(dict(SPACE.files) | {"more.cedar": forbid("x", condition).encode()})
    assert line in page(changed, AT_MS)
