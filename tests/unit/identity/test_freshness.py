from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed, Refused
from dataspace.identity.freshness import check_freshness, make_freshness
from dataspace.identity.names import REGIONS
from dataspace.v1.envelope_pb2 import Freshness

from .world import NOW_MS, refusal


def fresh(**changes: Any) -> Freshness:
    values: dict[str, Any] = {
        "issued_at_ms": NOW_MS,
        "expires_at_ms": NOW_MS + 60_000,
        "nonce": bytes(16),
        "audience": ["hongkong", "macao"],
    }
    return Freshness(**(values | changes))


@given(
    life=st.integers(1, 300_000),
    late=st.integers(-5_000, 299_999),
    nonce=st.binary(min_size=16, max_size=16),
    audience=st.sets(st.sampled_from((*REGIONS, "broker")), min_size=1),
)
def test_a_request_is_fresh_from_issue_to_expiry_for_everyone_it_names(
    life: int, late: int, nonce: bytes, audience: set[str]
) -> None:
    freshness = make_freshness(now_ms=NOW_MS, nonce=nonce, audience=audience, life_ms=life)
    for name in audience:
        if late < life:
            check_freshness(freshness, now_ms=NOW_MS + late, audience=name)
        else:
            with pytest.raises(Refused):
                check_freshness(freshness, now_ms=NOW_MS + late, audience=name)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issued_at_ms": NOW_MS + 5_001}, "freshness-future"),
        ({"expires_at_ms": NOW_MS + 300_001}, "freshness-lifetime"),
        ({"issued_at_ms": NOW_MS - 300_000, "expires_at_ms": NOW_MS + 1}, "freshness-lifetime"),
        ({"issued_at_ms": NOW_MS - 1, "expires_at_ms": NOW_MS}, "freshness-expired"),
        ({"audience": ["broker", "macao"]}, "freshness-audience"),
        ({"audience": ["hongkong "]}, "freshness-audience"),
    ],
)
def test_a_request_that_is_not_fresh_for_us_is_refused_by_rule(
    changes: dict[str, Any], code: str
) -> None:
    refusal(Refused, code, check_freshness, fresh(**changes), now_ms=NOW_MS, audience="hongkong")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": b""},
        {"nonce": bytes(15)},
        {"nonce": bytes(17)},
        {"audience": []},
        {"audience": ["macao", "hongkong"]},
        {"audience": ["hongkong", "hongkong"]},
        {"expires_at_ms": NOW_MS},
        {"expires_at_ms": NOW_MS - 1},
        {"issued_at_ms": 0},
        {"issued_at_ms": -(2**63), "expires_at_ms": 2**63 - 1},
    ],
)
def test_a_freshness_out_of_form_is_malformed(changes: dict[str, Any]) -> None:
    freshness = fresh(**changes)
    refusal(
        Malformed, "bad-freshness", check_freshness, freshness, now_ms=NOW_MS, audience="hongkong"
    )


def test_a_freshness_that_nobody_filled_in_is_malformed() -> None:
    with pytest.raises(Malformed):
        check_freshness(Freshness(), now_ms=NOW_MS, audience="hongkong")
