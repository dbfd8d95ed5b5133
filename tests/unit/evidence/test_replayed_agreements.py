"""The state of an agreement that a decision was made on, as replay takes it from the record."""

from __future__ import annotations

from dataclasses import replace

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
    assert context(state, ("digest",)).agreement_state(ASKED, 0) == state
    for recorded in ((), ((),)):
        with pytest.raises(Unverified) as caught:
            context(state, *recorded).agreement_state(ASKED, 0)
        assert caught.value.code == "evidence-replay"


def test_what_was_decided_without_an_agreement_names_none() -> None:
    assert context("absent").agreement_state(ASKED, 0) == "absent"
    assert context("valid", ("digest",)).agreement_state(statistics(product="labs"), 0) == "absent"
