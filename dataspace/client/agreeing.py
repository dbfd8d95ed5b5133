"""Agreements from a member's side: signs steps, and verifies what nodes hold. Rim.

A chain that a node shows is verified here again, step by step, with this party's own trust
list; that the node keeps it is the node's signed word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from dataspace.client.asking import LogAnswer
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.identity.names import ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.policy.agreements import (
    OFFERED,
    REQUESTED,
    TERMINATED,
    Agreement,
    read_agreement,
)
from dataspace.policy.standing import Held
from dataspace.policy.terms import Terms
from dataspace.processes import now_ms
from dataspace.v1 import agreement_pb2


class Asks(Protocol):
    """A `Session`, or the own node alone (`LocalNode`)."""

    @property
    def trust(self) -> TrustList: ...
    def audit(self, request: Message, logs: Sequence[str]) -> tuple[LogAnswer, ...]: ...


@dataclass(frozen=True)
class Signed:
    """A step that was sent: the agreement as it is then, and what each node came to."""

    held: Held
    answers: tuple[LogAnswer, ...]

    @property
    def waiting(self) -> list[str]:
        """Nodes that were away, and get the step when they attach."""
        return [each.log for each in self.answers if each.answer is None]


def agreements_at(session: Asks, region: str) -> list[Held]:
    """What a region's node holds for the asker's region, verified, by id."""
    return _look(session, region, b"")


def agreement_at(session: Asks, region: str, name: str) -> Held:
    """One agreement by its id, or by the beginning of it that no other has."""
    found = [each for each in agreements_at(session, region) if each.id.startswith(name)]
    if len(found) != 1 or len(name) < 4:
        raise Malformed(
            "name an agreement by its id, or the first letters that no other has (four at least); "
            "see `gba agreement list`",
            code="agreement-unknown",
        )
    return found[0]


def propose(session: Asks, actor: ActorUri, terms: Terms) -> Signed:
    """Begin an agreement: a request where the actor's region consumes, otherwise an offer."""
    if actor.region not in terms.regions:
        raise Malformed(
            f"propose for your own region: {actor.region} is neither provider nor consumer",
            code="terms",
        )
    return _send(session, _with_terms(actor, terms), terms.regions)


def counter(session: Asks, actor: ActorUri, agreement: Agreement, terms: Terms) -> Signed:
    """Answer with other terms."""
    step = _with_terms(actor, terms)
    step.MergeFrom(_following(agreement))
    return _send(session, step, terms.regions)


def accept(session: Asks, actor: ActorUri, agreement: Agreement) -> Signed:
    """The next step towards a finalised agreement, where it is the actor's turn."""
    state = agreement.next_state(actor)
    step = _following(agreement)
    step.state, step.terms_sha256 = state, agreement.terms.sha256
    if state == REQUESTED:
        step.terms = agreement.terms.to_json()
    return _send(session, step, agreement.terms.regions)


def revoke(session: Asks, actor: ActorUri, agreement: Agreement, reason: str) -> Signed:
    """End an agreement, for good; again where the other party has not heard of the end."""
    agreement.party_of(actor)
    last = [each for each in agreement.steps if each.state != TERMINATED]
    step = _following(Agreement(tuple(last)))
    step.state, step.reason = TERMINATED, reason
    step.terms_sha256 = agreement.terms.sha256
    return _send(session, step, agreement.terms.regions)


def _with_terms(actor: ActorUri, terms: Terms) -> agreement_pb2.AgreementStep:
    state = REQUESTED if actor.region == terms.consumer_region else OFFERED
    return agreement_pb2.AgreementStep(
        state=state, terms=terms.to_json(), terms_sha256=terms.sha256
    )


def _following(agreement: Agreement) -> agreement_pb2.AgreementStep:
    return agreement_pb2.AgreementStep(
        agreement=agreement.steps[0].sha256, previous=agreement.steps[-1].sha256
    )


def _send(session: Asks, step: agreement_pb2.AgreementStep, regions: Sequence[str]) -> Signed:
    answers = session.audit(step, regions)
    for answer in answers:
        if answer.answer is not None or answer.status == "unverified":
            answer.require()
    found = [held for each in answers for held in _held(session, each)]
    if not found:
        raise Unavailable(
            "neither node is there; the broker keeps the step and gives it to them",
            code="node-absent",
        )
    return Signed(found[0], answers)


def _look(session: Asks, region: str, agreement: bytes) -> list[Held]:
    request = agreement_pb2.AgreementRequest(agreement=agreement)
    (answer,) = session.audit(request, [region])
    answer.require()
    return _held(session, answer)


def _held(session: Asks, answer: LogAnswer) -> list[Held]:
    """What a node's signed answer shows, every chain verified."""
    if answer.answer is None:
        return []
    body = answer.answer.body
    if not isinstance(body, agreement_pb2.AgreementAnswer):
        raise Unverified(f"{answer.log} answers with another kind", code="agreement-answer")
    return [_read(session, answer.log, each) for each in body.held]


def _read(session: Asks, region: str, shown: agreement_pb2.AgreementHeld) -> Held:
    times = list(shown.received_ms)
    if any(at > now_ms() + 60_000 for at in times):
        raise Unverified(f"{region} shows steps from the future; check its clock",
                         code="agreement-answer")  # fmt: skip
    agreement = read_agreement(list(shown.chain.steps), session.trust, times)
    if region not in agreement.terms.regions:
        raise Unverified(f"{region} shows an agreement of others", code="agreement-answer")
    return Held(agreement, tuple(times), shown.budget_used)
