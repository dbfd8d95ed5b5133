"""How a request stands under agreements: fail closed, and the narrower wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dataspace.policy.requests import AccessRequest
from dataspace.policy.standing import Held, overlap, standing, under
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import DAY, operators, terms
from tests.unit.policy.samples import statistics

ASKED = statistics(at_ms=NOW_MS, actor_member="hospital")


def state(*held: Held, request: AccessRequest = ASKED, at_ms: int = NOW_MS, **changed: Any) -> str:
    return standing(held, replace(request, **changed), "h1", at_ms).state


def test_a_finalised_agreement_in_its_period_is_valid_and_named() -> None:
    held = operators().held()
    stands = standing([held], ASKED, "h1", NOW_MS)
    assert stands.state == "valid"
    assert stands.agreements == (held.agreement.finalised_sha256,)
    assert stands.narrowed is not None
    assert stands.narrowed.basis == "GBA-SC"


@pytest.mark.parametrize("until", ["requested", "agreed", "verified"])
def test_an_agreement_that_one_party_alone_signed_to_the_end_is_absent(until: str) -> None:
    assert state(operators().held(until)) == "absent"


@pytest.mark.parametrize(
    "changed",
    [
        {"product": "labs"},
        {"purpose": "PUBHLTH"},
        {"route_from": "macao", "product_region": "macao"},
        {"route_to": "macao", "actor_region": "macao"},
    ],
)
def test_what_no_agreement_covers_is_absent(changed: dict[str, Any]) -> None:
    assert state(operators().held(), **changed) == "absent"


def test_no_agreement_at_all_is_absent() -> None:
    assert state() == "absent"


def test_a_member_is_covered_alone_where_it_is_named() -> None:
    held = operators().held(consumer="hongkong/hospital")
    assert state(held) == "valid"
    assert state(held, actor_member="university") == "absent"
    provider = operators().held(provider="guangzhou/h2")
    assert state(provider) == "absent"


def test_columns_beyond_the_agreement_are_absent() -> None:
    held = operators().held(columns=["patients.age"])
    assert state(held) == "valid"
    assert state(held, columns=frozenset({"age", "sex"})) == "absent"


def test_the_period_ends_to_the_millisecond() -> None:
    held = operators().held(not_before_ms=NOW_MS, not_after_ms=NOW_MS + DAY)
    assert state(held, at_ms=NOW_MS - 1) == "absent"
    assert state(held, at_ms=NOW_MS) == "valid"
    assert state(held, at_ms=NOW_MS + DAY - 1) == "valid"
    assert state(held, at_ms=NOW_MS + DAY) == "expired"


def test_a_node_whose_clock_is_ten_minutes_behind_still_ends_an_agreement() -> None:
    held = operators().held(not_before_ms=NOW_MS - DAY, not_after_ms=NOW_MS + DAY)
    assert state(held, at_ms=NOW_MS + DAY - 600_000) == "valid"  # ten minutes more, and no longer
    assert state(held, at_ms=NOW_MS + DAY + 600_000) == "expired"


def test_a_terminated_agreement_is_expired() -> None:
    assert state(operators().held("terminated")) == "expired"


def test_a_used_up_budget_is_expired() -> None:
    assert state(operators().held(budget=2, used=1)) == "valid"
    assert state(operators().held(budget=2, used=2)) == "expired"


def test_of_overlapping_agreements_the_narrower_wins() -> None:
    wide = operators().held()
    narrow = operators().held(
        columns=["patients.age"], retention_days=3, consumer="hongkong/hospital"
    )
    for pair in ((wide, narrow), (narrow, wide)):
        assert state(*pair) == "valid"
        assert state(*pair, columns=frozenset({"sex"})) == "absent"
    stands = standing([wide, narrow], ASKED, "h1", NOW_MS)
    assert set(stands.ids) == {wide.id, narrow.id}
    assert stands.narrowed is not None
    assert stands.narrowed.retention_days == 3
    assert stands.narrowed.columns == frozenset({"patients.age"})
    # The narrower names a member: it says nothing of another.
    assert state(wide, narrow, actor_member="university", columns=frozenset({"sex"})) == "valid"


def test_agreements_for_other_purposes_do_not_narrow_each_other() -> None:
    research = operators().held(purposes=["HRESCH"], columns=["patients.sex"])
    care = operators().held(purposes=["TREAT"], columns=["patients.age"])
    assert state(research, care) == "absent"  # asks for age, for research
    assert state(research, care, columns=frozenset({"sex"})) == "valid"


def test_overlapping_agreements_on_different_bases_permit_nothing() -> None:
    one, other = operators().held(), operators().held(basis="CONTRACT-X")
    assert state(one, other) == "absent"


def test_a_narrower_agreement_that_is_used_up_stops_the_wider() -> None:
    assert state(operators().held(), operators().held(budget=1, used=1)) == "expired"


def test_an_ended_agreement_narrows_nothing() -> None:
    narrow = operators().held("terminated", columns=["patients.sex"])
    assert state(operators().held(), narrow) == "valid"


@pytest.mark.parametrize(
    ("changed", "meets"),
    [
        ({}, True),
        ({"consumer": "hongkong/hospital"}, True),
        ({"products": ["*"]}, True),
        ({"purposes": ["TREAT"]}, True),
        ({"products": ["labs"]}, False),
        ({"purposes": ["PUBHLTH"]}, False),
        ({"provider": "macao"}, False),
        ({"not_before_ms": NOW_MS + 10 * DAY, "not_after_ms": NOW_MS + 20 * DAY}, False),
    ],
)
def test_overlap_is_seen_from_both_sides(changed: dict[str, Any], meets: bool) -> None:
    other = terms(**changed)
    assert overlap(terms(), other) is meets
    assert overlap(other, terms()) is meets


def test_the_rules_see_the_terms_of_an_agreement_in_force() -> None:
    record = replace(ASKED, action="record", legal_basis="PIPL-SC")
    asked = under(record, standing([operators().held()], record, "h1", NOW_MS))
    assert (asked.agreement, asked.legal_basis) == ("valid", "GBA-SC")
    assert (asked.filing, asked.impact_assessment, asked.onward) == (True, True, False)


def test_the_rules_see_no_terms_of_an_agreement_that_is_over() -> None:
    stands = standing([operators().held()], ASKED, "h1", NOW_MS + 1000 * DAY)
    asked = under(ASKED, stands)
    assert asked == replace(ASKED, agreement="expired")


def test_statistics_and_emergencies_stand_on_their_own_basis() -> None:
    stands = standing([operators().held()], ASKED, "h1", NOW_MS)
    assert under(ASKED, stands).legal_basis == "AGGREGATE"
    urgent = replace(ASKED, action="record", legal_basis="EMERGENCY", emergency=True)
    assert under(urgent, stands).legal_basis == "EMERGENCY"
