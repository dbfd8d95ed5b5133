"""Agreements: who signs what and after what; a chain is verified from its bytes."""

from __future__ import annotations

import hashlib
from itertools import permutations
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import DataspaceError, Malformed, Refused, Unverified
from dataspace.identity.envelopes import seal
from dataspace.policy.agreements import (
    STATES,
    Agreement,
    read_agreement,
    read_step,
    recall_step,
)
from dataspace.v1.agreement_pb2 import AgreementStep
from dataspace.v1.envelope_pb2 import Envelope
from tests.unit.identity.world import NOW_MS, signed_bytes
from tests.unit.policy.agreed import DAY, operators, terms

TEN_MINUTES = 600_000


def rule(error: DataspaceError) -> str:
    return error.rule or error.code


def envelopes(agreement: Agreement) -> list[Envelope]:
    return [Envelope.FromString(each.envelope) for each in agreement.steps]


def test_a_finalised_agreement_verifies_from_its_bytes() -> None:
    agreement = operators().agreement()
    again = read_agreement(envelopes(agreement), operators().trust, [NOW_MS] * 4)
    assert again == agreement
    assert again.finalised_sha256 == agreement.steps[-1].sha256.hex()
    assert again.id == hashlib.sha256(envelopes(agreement)[0].payload).hexdigest()
    assert [step.signer.region for step in again.steps] == ["hongkong", "guangzhou"] * 2


def test_what_was_stored_is_recalled_as_it_was_verified() -> None:
    agreement = operators().agreement("terminated")
    assert tuple(recall_step(each.envelope) for each in agreement.steps) == agreement.steps


@given(number=st.integers(0, 3), at=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_no_bit_of_a_chain_changes_unseen(number: int, at: int, bit: int) -> None:
    chain = envelopes(operators().agreement())
    data = bytearray(chain[number].payload)
    data[at % len(data)] ^= 1 << bit
    chain[number].payload = bytes(data)
    with pytest.raises(DataspaceError):
        read_agreement(chain, operators().trust, [NOW_MS] * 4)


def test_no_order_of_the_steps_but_their_own_verifies() -> None:
    chain = envelopes(operators().agreement())
    for order in permutations(range(4)):
        mixed = [chain[number] for number in order]
        if order == (0, 1, 2, 3):
            continue
        with pytest.raises((Refused, Unverified, Malformed)):
            read_agreement(mixed, operators().trust, [NOW_MS] * 4)
    with pytest.raises((Refused, Unverified)):
        read_agreement(chain[1:], operators().trust, [NOW_MS] * 3)
    with pytest.raises((Refused, Unverified)):
        read_agreement([chain[0], *chain[2:]], operators().trust, [NOW_MS] * 3)


# What each party may sign next: the Dataspace Protocol's moves, and an end at any time.
_MOVES = {
    "requested": {("offered", "guangzhou"), ("agreed", "guangzhou")},
    "agreed": {("verified", "hongkong")},
    "verified": {("finalised", "guangzhou")},
    "finalised": set(),
    "terminated": set(),
}


@pytest.mark.parametrize("state", list(_MOVES))
def test_only_the_moves_of_the_protocol_follow(state: str) -> None:
    before = operators().agreement(state)
    ends = (
        set()
        if state == "terminated"
        else {("terminated", "guangzhou"), ("terminated", "hongkong")}
    )
    followed = set()
    for following in STATES:
        for region in ("guangzhou", "hongkong", "macao"):
            try:
                before.extended(operators().step(following, region, before))
            except Refused as refused:
                assert refused.rule.startswith("agreement-")
                continue
            followed.add((following, region))
    assert followed == _MOVES[state] | ends


def test_an_offer_is_accepted_by_requesting_the_same_terms() -> None:
    them = operators()
    offer = Agreement((them.step("offered", "guangzhou"),))
    assert offer.next_state(them.of["hongkong"].uri) == "requested"
    asked = offer.extended(them.step("requested", "hongkong", offer))
    assert asked.terms == offer.terms
    assert asked.next_state(them.of["guangzhou"].uri) == "agreed"
    with pytest.raises(Refused, match="the other party is next"):
        asked.next_state(them.of["hongkong"].uri)
    with pytest.raises(Refused, match="only the operators"):
        asked.next_state(them.of["macao"].uri)


def test_a_counter_changes_terms_and_keeps_the_parties() -> None:
    them = operators()
    asked = them.agreement("requested")
    countered = asked.extended(them.step("offered", "guangzhou", asked, terms(retention_days=3)))
    assert countered.terms.retention_days == 3
    other = terms(consumer="hongkong/hospital")
    with pytest.raises(Refused) as caught:
        asked.extended(them.step("offered", "guangzhou", asked, other))
    assert caught.value.rule == "agreement-party"


def test_nobody_agrees_on_terms_that_were_countered_meanwhile() -> None:
    them = operators()
    asked = them.agreement("requested")
    countered = asked.extended(them.step("offered", "guangzhou", asked, terms(retention_days=3)))
    again = countered.extended(them.step("requested", "hongkong", countered))
    stale = them.step("agreed", "guangzhou", again, terms_sha256=asked.terms.sha256)
    with pytest.raises(Unverified) as caught:
        again.extended(stale)
    assert caught.value.code == "agreement-terms"
    outrun = them.step("agreed", "guangzhou", asked)
    with pytest.raises(Unverified) as chained:
        again.extended(outrun)
    assert chained.value.code == "agreement-chain"


def test_an_end_counts_whatever_was_signed_meanwhile_and_for_good() -> None:
    them = operators()
    asked = them.agreement("requested")
    early = them.step("terminated", "hongkong", asked)
    agreed = asked.extended(them.step("agreed", "guangzhou", asked))
    ended = agreed.extended(early)
    assert ended.state == "terminated"
    with pytest.raises(Refused) as caught:
        ended.extended(them.step("verified", "hongkong", agreed))
    assert caught.value.rule == "agreement-ended"


def test_only_operators_of_the_parties_sign() -> None:
    them = operators()
    clinician = them.space.actor("gba://hongkong/h1/clinician/doc")
    step = them.step("requested", "hongkong", signer=clinician)
    with pytest.raises(Refused) as caught:
        Agreement((step,))
    assert caught.value.rule == "agreement-party"


def test_a_step_of_another_agreement_does_not_follow() -> None:
    them = operators()
    one, other = them.agreement("requested"), them.agreement("requested")
    with pytest.raises(Unverified) as caught:
        one.extended(them.step("agreed", "guangzhou", other))
    assert caught.value.code == "agreement-chain"


def test_a_step_that_names_another_agreement_does_not_follow() -> None:
    them = operators()
    asked = them.agreement("requested")
    with pytest.raises(Unverified) as caught:
        asked.extended(them.step("agreed", "guangzhou", asked, agreement=bytes(32)))
    assert caught.value.code == "agreement-chain"


@pytest.mark.parametrize(
    ("state", "changed"),
    [
        ("requested", {"terms": ""}),
        ("requested", {"terms_sha256": bytes(32)}),
        ("requested", {"terms": terms(retention_days=1).to_json()}),
        ("requested", {"reason": "because"}),
        ("requested", {"previous": bytes(32)}),
        ("requested", {"agreement": bytes(32)}),
        ("signed", {}),
        ("", {}),
    ],
)
def test_a_step_that_is_not_whole_is_refused(state: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        operators().step(state, "hongkong", **changed)


def test_a_field_that_this_version_does_not_know_is_refused() -> None:
    them = operators()
    good = them.envelope("requested", "hongkong")
    more = good.payload + b"\xfa\x01\x04more"
    with pytest.raises(Malformed) as caught:
        read_step(signed_bytes(good.payload_type, more, them.of["hongkong"]), them.trust, NOW_MS)
    assert caught.value.code == "unknown-field"


def test_a_clock_ten_minutes_off_signs_nothing_that_follows() -> None:
    them = operators()
    ahead = them.envelope("requested", "hongkong", at_ms=NOW_MS + TEN_MINUTES)
    with pytest.raises(Refused) as caught:
        read_step(ahead, them.trust, NOW_MS)
    assert caught.value.rule == "agreement-clock"
    asked = them.agreement("requested")
    behind = them.envelope("agreed", "guangzhou", asked, at_ms=NOW_MS - TEN_MINUTES)
    with pytest.raises(Refused) as late:
        asked.extended(read_step(behind, them.trust, NOW_MS))
    assert late.value.rule == "agreement-clock"


def test_nothing_is_agreed_on_for_a_period_that_is_over() -> None:
    over = terms(not_before_ms=NOW_MS - 2 * DAY, not_after_ms=NOW_MS - DAY)
    with pytest.raises(Refused) as caught:
        Agreement((operators().step("requested", "hongkong", new=over),))
    assert caught.value.rule == "agreement-period"


def test_another_message_is_no_step() -> None:
    them = operators()
    step = AgreementStep.FromString(them.envelope("requested", "hongkong").payload)
    sealed = seal(step, them.of["hongkong"])
    sealed.payload_type = sealed.payload_type.replace("agreementstep", "queryrequest")
    with pytest.raises((Malformed, Unverified)):
        read_step(sealed, them.trust, NOW_MS)
    assert isinstance(step, Message)
