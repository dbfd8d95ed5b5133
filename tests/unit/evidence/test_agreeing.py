"""A party's registry of agreements: recorded before kept, whoever delivers a step."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.agreeing import Registry, delivered
from dataspace.identity.envelopes import Opened, open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.policy.agreements import Agreement, read_agreement
from dataspace.policy.shelves import MemoryShelf
from dataspace.v1.agreement_pb2 import (
    AgreementAnswer,
    AgreementChain,
    AgreementRequest,
    AgreementStep,
)
from dataspace.v1.envelope_pb2 import Envelope
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import DAY, operators
from tests.unit.policy.samples import statistics

ASKED = statistics(at_ms=NOW_MS)


@dataclass
class Party:
    """A registry, and what it recorded."""

    owner: str = "guangzhou"
    recorded: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        self.shelf = MemoryShelf()
        self.registry = Registry(
            self.owner, self.shelf, lambda: operators().trust, self.record, "h1"
        )

    def record(self, kind: str, at_ms: int, fields: Any, body: Any) -> None:
        del at_ms, body
        if self.broken:
            raise Unavailable("the log cannot be written", code="log")
        self.recorded.append((kind, fields))

    def take(self, agreement: Agreement) -> None:
        """Every step of an agreement, as its signers would send them."""
        for step in agreement.steps:
            self.answer(Envelope.FromString(step.envelope))

    def answer(self, envelope: Envelope) -> AgreementAnswer:
        body = self.registry.answer_step(opened(envelope), NOW_MS).body
        assert isinstance(body, AgreementAnswer)
        return body

    def state(self) -> str:
        return self.registry.agreement_state(ASKED, NOW_MS).state

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.recorded]


def opened(envelope: Envelope) -> Opened[AgreementStep]:
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    return open_envelope(envelope, AgreementStep, operators().trust, at)


def chain(agreement: Agreement, count: int = 64) -> AgreementChain:
    steps = [Envelope.FromString(each.envelope) for each in agreement.steps[:count]]
    return AgreementChain(steps=steps)


def look(party: Party, by: str) -> list[str]:
    request = AgreementRequest(
        freshness=make_freshness(
            now_ms=NOW_MS, nonce=secrets.token_bytes(16), audience=[party.owner]
        )
    )
    sealed = seal(request, operators().space.actor(f"gba://{by}"))
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    question = open_envelope(sealed, AgreementRequest, operators().trust, at)
    body = party.registry.answer_look(question, NOW_MS).body
    assert isinstance(body, AgreementAnswer)
    return [read_agreement(list(each.chain.steps), operators().trust, each.received_ms).id
            for each in body.held]  # fmt: skip


def test_each_step_is_recorded_with_the_digests_that_chain_it() -> None:
    party, agreement = Party(), operators().agreement()
    party.take(agreement)
    assert party.kinds() == [
        "agreement.requested", "agreement.agreed", "agreement.verified", "agreement.finalised",
    ]  # fmt: skip
    for (_, fields), step in zip(party.recorded, agreement.steps, strict=True):
        assert fields["agreement"] == agreement.id
        assert fields["step_sha256"] == step.sha256.hex()
        assert fields["previous_sha256"] == step.previous.hex()
    assert party.state() == "valid"


def test_only_the_last_signature_puts_an_agreement_in_force() -> None:
    party, agreement = Party(), operators().agreement()
    for step in agreement.steps:
        assert party.state() == "absent"
        party.answer(Envelope.FromString(step.envelope))
    assert party.state() == "valid"


def test_a_step_that_cannot_be_recorded_is_not_kept() -> None:
    party, agreement = Party(), operators().agreement()
    party.take(Agreement(agreement.steps[:3]))
    party.broken = True
    with pytest.raises(Unavailable):
        party.answer(Envelope.FromString(agreement.steps[3].envelope))
    assert party.state() == "absent"


def test_a_step_that_came_before_changes_nothing_and_is_recorded_once() -> None:
    party, agreement = Party(), operators().agreement()
    party.take(agreement)
    for step in agreement.steps:
        assert len(party.answer(Envelope.FromString(step.envelope)).held[0].chain.steps) == 4
    assert len(party.recorded) == 4


def test_a_termination_takes_effect_at_once_and_both_may_send_one() -> None:
    party, them, agreement = Party(), operators(), operators().agreement()
    party.take(agreement)
    party.answer(them.envelope("terminated", "hongkong", agreement))
    assert party.state() == "expired"
    party.answer(them.envelope("terminated", "guangzhou", agreement))
    assert party.kinds().count("agreement.terminated") == 1


def test_a_node_that_was_away_takes_what_it_missed_and_no_step_twice() -> None:
    party, agreement = Party(), operators().agreement("terminated")
    party.take(Agreement(agreement.steps[:2]))
    assert delivered(party.registry, [chain(agreement)], NOW_MS + DAY // 2) == []
    assert party.state() == "expired"
    assert delivered(party.registry, [chain(agreement)], NOW_MS + DAY // 2) == []
    assert len(party.recorded) == 5


def test_a_broker_that_alters_or_invents_a_chain_is_not_believed() -> None:
    party, agreement = Party(), operators().agreement()
    altered, shortened = chain(agreement), chain(agreement)
    altered.steps[2].payload = altered.steps[2].payload.replace(b"verified", b"verifled")
    del shortened.steps[2]
    unsigned = chain(agreement)
    del unsigned.steps[3].signatures[:]
    good = operators().agreement(products=["labs"])
    wrong = delivered(party.registry, [altered, shortened, unsigned, chain(good)], NOW_MS)
    assert len(wrong) == 3  # each is told, and stops no other
    assert all(isinstance(each, (Unverified, Refused, Malformed)) for each in wrong)
    assert party.state() == "absent"
    assert party.shelf.find(good.id) is not None


def test_a_party_takes_no_agreement_of_others() -> None:
    party = Party("macao")
    with pytest.raises(Refused) as caught:
        party.take(operators().agreement())
    assert caught.value.rule == "agreement-party"
    assert party.recorded == []


def test_a_step_is_for_the_nodes_of_both_parties() -> None:
    them = operators()
    step = AgreementStep.FromString(them.envelope("requested", "hongkong").payload)
    del step.freshness.audience[:]
    step.freshness.audience.extend(["broker", "guangzhou"])
    with pytest.raises(Malformed) as caught:
        Party().answer(seal(step, them.of["hongkong"]))
    assert caught.value.code == "audience"


def test_a_step_of_an_agreement_that_nobody_began_is_refused() -> None:
    agreement = operators().agreement()
    with pytest.raises(Malformed) as caught:
        Party().answer(Envelope.FromString(agreement.steps[1].envelope))
    assert caught.value.code == "agreement-unknown"


def test_the_broker_lets_an_end_pass_that_it_knows_nothing_of() -> None:
    broker, them, agreement = Party("broker"), operators(), operators().agreement()
    broker.registry.carry(opened(them.envelope("terminated", "hongkong", agreement)), NOW_MS)
    with pytest.raises(DataspaceError):
        broker.registry.carry(opened(them.envelope("verified", "hongkong", agreement)), NOW_MS)
    for step in agreement.steps:
        broker.registry.carry(opened(Envelope.FromString(step.envelope)), NOW_MS)
    assert [len(each.steps) for each in broker.registry.of_region("hongkong")] == [4]
    assert broker.registry.of_region("macao") == []


def test_agreements_are_shown_to_operators_and_regulators_of_their_parties() -> None:
    party, agreement = Party(), operators().agreement()
    party.take(agreement)
    for by in ("guangzhou/h1/operator/op", "guangzhou/h1/regulator/r", "hongkong/h1/operator/op"):
        assert look(party, by) == [agreement.id]
    assert look(party, "macao/h1/operator/op") == []
    with pytest.raises(Refused) as caught:
        look(party, "guangzhou/h1/researcher/r")
    assert caught.value.rule == "agreement-reader"


def test_what_stays_in_a_region_needs_no_agreement_and_has_none() -> None:
    party = Party()
    party.take(operators().agreement())
    inside = statistics(at_ms=NOW_MS, route_to="guangzhou", actor_region="guangzhou")
    assert party.registry.agreement_state(inside, NOW_MS).state == "absent"
