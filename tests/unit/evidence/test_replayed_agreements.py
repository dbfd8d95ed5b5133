"""The state of an agreement that a decision was made on, as replay takes it from the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dataspace.errors import Unverified
from dataspace.evidence.logged import Logged
from dataspace.evidence.replay import Context
from tests.unit.policy.samples import statistics

ASKED = statistics()


def context(state: str, *agreements: tuple[object, ...]) -> Context:
    logged = object.__new__(Logged)
    object.__setattr__(logged, "owner", "guangzhou")
    return Context(logged, (replace(ASKED, agreement=state),), ({},), agreements)


@pytest.mark.parametrize("state", ["valid", "expired"])
def test_a_state_that_names_no_agreement_is_not_believed(state: str) -> None:
    assert context(state, ("digest",)).under(ASKED, 0).agreement == state
    for recorded in ((), ((),)):
        with pytest.raises(Unverified) as caught:
            context(state, *recorded).under(ASKED, 0)
        assert caught.value.code == "evidence-replay"


def test_what_was_decided_without_an_agreement_names_none() -> None:
    assert context("absent").under(ASKED, 0) == ASKED
    elsewhere = statistics(product="labs")
    assert context("valid", ("digest",)).under(elsewhere, 0) == elsewhere


@pytest.mark.parametrize("term", ["filing", "impact_assessment", "onward"])
def test_terms_are_taken_from_agreements_in_force_alone(term: str) -> None:
    recorded = context("valid", ("digest",))
    told: dict[str, Any] = {term: True}
    with_term = replace(recorded, questions=(replace(recorded.questions[0], **told),))
    assert getattr(with_term.under(ASKED, 0), term)
    over = replace(with_term.questions[0], agreement="expired")
    with pytest.raises(Unverified):
        replace(with_term, questions=(over,)).under(ASKED, 0)
