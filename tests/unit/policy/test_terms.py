"""Terms of an agreement: one spelling, closed keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.policy.requests import PURPOSES
from dataspace.policy.terms import Terms, party_covers
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import terms

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)


def _sorted(names: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.one_of(st.just(["*"]), st.sets(names, min_size=1, max_size=4).map(sorted))


@given(
    products=_sorted(NAMES), purposes=st.sets(st.sampled_from(PURPOSES), min_size=1).map(sorted),
    days=st.integers(0, 36_500), budget=st.integers(0, 2**31 - 1), member=NAMES,
    reference=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
                      min_size=1, max_size=40),
)  # fmt: skip
def test_terms_are_read_back_as_they_were_written(
    products: list[str], purposes: list[str], days: int, budget: int, member: str, reference: str
) -> None:
    made = terms(
        products=products, purposes=purposes, retention_days=days, budget=budget,
        consumer=f"hongkong/{member}", filing=reference,
    )  # fmt: skip
    assert Terms.parse(made.to_json()) == made
    assert Terms.parse(made.to_json()).sha256 == made.sha256


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"colour": "red"}, "unknown term colour"),
        ({"max_uses": 3}, "unknown term max_uses"),
        ({"consumer": "guangzhou/h2"}, "between two regions"),
        ({"consumer": "taipei"}, "region must be one of"),
        ({"consumer": "hongkong/"}, "member must be"),
        ({"products": []}, "sorted list"),
        ({"products": ["patients", "labs"]}, "sorted list"),
        ({"products": ["labs", "labs"]}, "sorted list"),
        ({"products": ["*", "labs"]}, "stands alone"),
        ({"products": ["Patients"]}, "products"),
        ({"columns": ["age"]}, "columns"),
        ({"columns": ["labs.value"]}, "of no product"),
        ({"purposes": ["*"]}, "purposes"),
        ({"purposes": ["SPY"]}, "purposes"),
        ({"basis": "AGGREGATE"}, "needs no agreement"),
        ({"basis": "EMERGENCY"}, "needs no agreement"),
        ({"basis": "gba"}, "basis"),
        ({"filing": ""}, "needs both"),
        ({"impact_assessment": ""}, "needs both"),
        ({"onward_transfer": True}, "allows none"),
        ({"onward_transfer": "no"}, "onward_transfer"),
        ({"retention_days": -1}, "retention_days"),
        ({"retention_days": 1.5}, "retention_days"),
        ({"retention_days": "30"}, "retention_days"),
        ({"budget": -1}, "budget"),
        ({"not_after_ms": NOW_MS - 30 * 86_400_000}, "ends before it begins"),
        ({"filing": "line\nbreak"}, "filing"),
    ],
)
def test_wrong_terms_are_refused_by_name(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(Malformed, match=said) as caught:
        terms(**changed)
    assert caught.value.code == "terms"


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "null", '{"provider":"guangzhou"}', "[" * 100_000,
        json.dumps(json.loads(terms().to_json())),  # spaces: another spelling
        terms().to_json() + " ",
        terms().to_json().replace('"budget":0,', ""),  # a default left out
        terms().to_json().replace('"budget":0', '"budget":0,"budget":0'),
        terms().to_json().replace('"budget":0', '"budget":0.0'),
    ],
)  # fmt: skip
def test_another_spelling_is_no_terms(text: str) -> None:
    with pytest.raises(Malformed):
        Terms.parse(text)


def test_a_region_covers_its_members_and_a_member_itself() -> None:
    assert party_covers("hongkong", "hongkong", "hospital")
    assert party_covers("hongkong/hospital", "hongkong", "hospital")
    assert not party_covers("hongkong/hospital", "hongkong", "university")
    assert not party_covers("hongkong", "macao", "hospital")
