"""Access requests check themselves and go through JSON unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.policy.requests import ACTIONS, PURPOSES, REGIONS, STATES, AccessRequest

from .samples import statistics

_NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1).filter(
    str.isprintable
)


@given(
    action=st.sampled_from(ACTIONS),
    purpose=st.sampled_from(PURPOSES),
    region=st.sampled_from(REGIONS),
    state=st.sampled_from(STATES),
    names=st.frozensets(_NAMES, max_size=4),
    product=_NAMES,
    emergency=st.booleans(),
    at_ms=st.integers(0, 2**53 - 1),
)
def test_any_request_comes_back_from_json_as_it_was(
    action: str,
    purpose: str,
    region: str,
    state: str,
    names: frozenset[str],
    product: str,
    emergency: bool,
    at_ms: int,
) -> None:
    request = statistics(
        action=action,
        purpose=purpose,
        route_to=region,
        consent=state,
        columns=names,
        categories=names,
        product=product,
        emergency=emergency,
        at_ms=at_ms,
    )
    back = AccessRequest.from_json(request.to_json())
    assert back == request
    assert back.to_json() == request.to_json()


def test_an_unknown_purpose_is_malformed_and_the_known_ones_are_named() -> None:
    with pytest.raises(Malformed, match="TREAT, ETREAT, BTG, HRESCH, PUBHLTH, HPAYMT"):
        statistics(purpose="CURIOSITY")


@pytest.mark.parametrize(
    "changed",
    [
        {"action": "export"},
        {"actor_role": "admin"},
        {"actor_region": "shenzhen"},
        {"product_region": ""},
        {"agreement": True},
        {"consent": "maybe"},
        {"emergency": 1},
        {"at_ms": -1},
        {"at_ms": 2**53},
        {"at_ms": True},
        {"at_ms": 1.5},
        {"assurance": 0},
        {"assurance": 4},
        {"assurance": True},
        {"filing": 1},
        {"impact_assessment": "yes"},
        {"onward": None},
        {"records_this_year": -1},
        {"records_this_year": 2**53},
        {"actor_uri": ""},
        {"actor_member": "a\nb"},
        {"product": "\ud800"},
        {"legal_basis": ""},
        {"project": "x" * 2000},
        {"project": None},
        {"columns": ["age"]},
        {"columns": frozenset({1})},
        {"categories": frozenset({""})},
    ],
    ids=str,
)
def test_a_request_that_is_not_whole_cannot_be_made(changed: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        statistics(**changed)
    assert caught.value.code == "request"


def test_json_with_missing_unknown_or_repeated_fields_is_malformed() -> None:
    good = json.loads(statistics().to_json())
    missing = {key: value for key, value in good.items() if key != "consent"}
    refused = [
        json.dumps(missing),
        json.dumps(good | {"extra": 1}),
        json.dumps(good | {"columns": "age"}),
        json.dumps(good | {"columns": ["age", "age"]}),
        json.dumps(good)[:-1] + ', "purpose": "TREAT"}',
        "[]",
        "{",
        "[" * 100_000,
    ]
    for text in refused:
        with pytest.raises(Malformed):
            AccessRequest.from_json(text)


def test_json_from_before_the_later_fields_is_read_with_the_strictest_values() -> None:
    good = json.loads(statistics().to_json())
    later = {"assurance", "filing", "impact_assessment", "onward", "records_this_year"}
    assert later < good.keys()
    older = {key: value for key, value in good.items() if key not in later}
    assert AccessRequest.from_json(json.dumps(older)) == statistics()
    assert (statistics().assurance, statistics().filing, statistics().onward) == (1, False, False)
