"""Agreements: signed steps, each chained to the one before, and what they come to. Pure.

    requested (consumer) --> agreed (provider) --> verified (consumer) --> finalised (provider)
        ^      |
        |      v
    offered (provider)               terminated (either), after any step, for good

The states are the Dataspace Protocol's, 2025-1. Whoever counters sends terms of its own; who
accepts an offer requests what was offered. A finalised agreement holds both parties'
signatures over the same terms: the provider's (agreed, finalised), the consumer's (verified).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from dataspace.errors import DataspaceError, Malformed, Refused, Unverified
from dataspace.identity.dsse import parse_envelope, parse_strictly
from dataspace.identity.envelopes import Opened, open_envelope
from dataspace.identity.freshness import MAX_LIFE_MS
from dataspace.identity.names import ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.policy.terms import Terms
from dataspace.v1.agreement_pb2 import AgreementStep
from dataspace.v1.envelope_pb2 import Envelope

REQUESTED, OFFERED, AGREED = "requested", "offered", "agreed"
VERIFIED, FINALISED, TERMINATED = "verified", "finalised", "terminated"
STATES: Final = (REQUESTED, OFFERED, AGREED, VERIFIED, FINALISED, TERMINATED)
MOST_STEPS: Final = 64
MAX_STEP_BYTES: Final = 64 * 1024
_BASIS: Final = "space rule: agreements"
_CONSUMER, _PROVIDER = "consumer", "provider"

# What may follow a state, and which party makes it; either party may terminate.
_NEXT: Final = {
    "": {REQUESTED: _CONSUMER, OFFERED: _PROVIDER},
    REQUESTED: {OFFERED: _PROVIDER, AGREED: _PROVIDER},
    OFFERED: {REQUESTED: _CONSUMER},
    AGREED: {VERIFIED: _CONSUMER},
    VERIFIED: {FINALISED: _PROVIDER},
    FINALISED: {},
    TERMINATED: {},
}


@dataclass(frozen=True)
class Step:
    """One verified step. `terms` stand in requested and offered alone."""

    sha256: bytes
    state: str
    signer: ActorUri
    issued_at_ms: int
    agreement: bytes
    previous: bytes
    terms: Terms | None
    terms_sha256: bytes
    reason: str
    envelope: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise _malformed(f"a step's state is one of {', '.join(STATES)}")
        if (self.terms is not None) != (self.state in {REQUESTED, OFFERED}):
            raise _malformed("terms stand in a request or an offer, and nowhere else")
        if bool(self.reason) != (self.state == TERMINATED) or not self.reason.isprintable():
            raise _malformed("a reason stands where an agreement is ended, and nowhere else")
        if len(self.reason) > 500:
            raise _malformed("a reason has at most 500 characters")
        if bool(self.previous) != bool(self.agreement):
            raise _malformed("every step but the first names its agreement and the step before")


@dataclass(frozen=True)
class Agreement:
    """A whole chain, from the first step. Raises `Malformed`, `Refused` or `Unverified` when
    made of steps that do not follow from each other."""

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= MOST_STEPS:
            raise _malformed(f"an agreement has 1 to {MOST_STEPS} steps")
        for number, step in enumerate(self.steps):
            _check_follows(self.steps[:number], step)

    @property
    def id(self) -> str:
        """The first step's digest, in hexadecimal."""
        return self.steps[0].sha256.hex()

    @property
    def state(self) -> str:
        """The last step's."""
        return self.steps[-1].state

    @property
    def terms(self) -> Terms:
        """Those last requested or offered."""
        return _terms_of(self.steps)

    @property
    def finalised_sha256(self) -> str:
        """The digest of the finalising step, in hexadecimal; empty while there is none.

        It stands for the whole agreement: every step and the terms hang on it.
        """
        return next((each.sha256.hex() for each in self.steps if each.state == FINALISED), "")

    def extended(self, step: Step) -> Agreement:
        """This agreement with one step more; raises what does not follow."""
        return Agreement((*self.steps, step))

    def party_of(self, actor: ActorUri) -> str:
        """`provider` or `consumer`; raises `Refused` (`agreement-party`) for anybody else."""
        return _party_of(self.terms, actor)

    def next_state(self, actor: ActorUri) -> str:
        """What an operator signs to accept. Raises `Refused` where it is not its turn."""
        party = self.party_of(actor)
        if self.state == OFFERED and party == _CONSUMER:
            return REQUESTED  # the very terms that were offered
        for state, maker in _NEXT[self.state].items():
            if maker == party and state in {AGREED, VERIFIED, FINALISED}:
                return state
        raise _refused(
            "agreement-turn",
            f"the agreement is {self.state}: "
            + ("nothing is left to accept" if not _NEXT[self.state] else "the other party is next"),
        )


def read_step(envelope: Envelope, trust: TrustList, at_ms: int) -> Step:
    """Verify one step's envelope as of a time, and only then read it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    opened = open_envelope(envelope, AgreementStep, trust, at, max_payload_bytes=MAX_STEP_BYTES)
    if opened.message.freshness.issued_at_ms > at_ms + MAX_LIFE_MS:
        raise _refused("agreement-clock", "a step is from the future; check both clocks")
    return step_of(opened)


def step_of(opened: Opened[AgreementStep]) -> Step:
    """The step in a verified envelope."""
    return _step(opened.message, opened.payload_sha256, opened.signer.uri, opened.envelope)


def recall_step(envelope: bytes) -> Step:
    """A step that this party verified before it stored it.

    SECURITY: verifies nothing; what comes from anybody else goes through `read_step`.
    """
    read = parse_envelope(envelope)
    message = parse_strictly(AgreementStep, read.payload, MAX_STEP_BYTES)
    digest = hashlib.sha256(read.payload).digest()
    return _step(message, digest, ActorUri.parse(message.signer.uri), read)


def read_agreement(
    steps: Sequence[Envelope], trust: TrustList, times_ms: Sequence[int]
) -> Agreement:
    """Verify a whole chain from its bytes, each step as of the time at which it was received.

    Revocation lists are of now: whom they name is refused, but none was current then.
    """
    if len(steps) != len(times_ms):
        raise _malformed("every step has a time at which it was received")
    trust = trust.for_kept()
    return Agreement(
        tuple(read_step(each, trust, at) for each, at in zip(steps, times_ms, strict=True))
    )


def _step(message: Any, sha256: bytes, signer: ActorUri, envelope: Envelope) -> Step:
    terms = Terms.parse(message.terms) if message.terms else None
    # INVARIANT: the digest is over the very bytes that were signed, which are canonical.
    if terms is not None and terms.sha256 != message.terms_sha256:
        raise _malformed("the digest is of other terms than the step holds")
    return Step(
        sha256=sha256,
        state=message.state,
        signer=signer,
        issued_at_ms=message.freshness.issued_at_ms,
        agreement=message.agreement,
        previous=message.previous,
        terms=terms,
        terms_sha256=message.terms_sha256,
        reason=message.reason,
        envelope=envelope.SerializeToString(deterministic=True),
    )


def _check_follows(before: tuple[Step, ...], step: Step) -> None:
    state = before[-1].state if before else ""
    terms = step.terms or (_terms_of(before) if before else None)
    if terms is None:
        raise _refused("agreement-order", "an agreement begins with a request or an offer")
    party = _party_of(terms, step.signer)
    if state == TERMINATED:
        raise _refused("agreement-ended", "the agreement was ended; propose another")
    if before:
        _check_chained(before, step, terms)
    if step.state == TERMINATED:
        return
    if step.state not in _NEXT[state]:
        raise _refused("agreement-order", f"an agreement that is {state or 'new'} is not "
                       f"{step.state} next; see `gba agreement show`")  # fmt: skip
    if _NEXT[state][step.state] != party:
        raise _refused("agreement-turn", f"a {party} does not sign {step.state}")
    if terms.not_after_ms <= step.issued_at_ms:
        raise _refused("agreement-period", "the period agreed on is over; counter with another")


def _check_chained(before: tuple[Step, ...], step: Step, terms: Terms) -> None:
    first, last = before[0], before[-1]
    if step.agreement != first.sha256:
        raise Unverified("a step of another agreement; do not use it", code="agreement-chain")
    # INVARIANT: an end counts after whichever step its signer had seen; nobody outruns it.
    behind = {each.sha256 for each in before} if step.state == TERMINATED else {last.sha256}
    if step.previous not in behind:
        raise Unverified(
            "a step that does not follow the last one; see `gba agreement show`, and sign anew",
            code="agreement-chain",
        )
    earlier = _terms_of(before)
    if (terms.provider, terms.consumer) != (earlier.provider, earlier.consumer):
        raise _refused("agreement-party", "a counter keeps the parties; propose another agreement")
    if step.terms is None and step.terms_sha256 != earlier.sha256:
        raise Unverified("a step over other terms than the last ones", code="agreement-terms")
    if step.issued_at_ms + MAX_LIFE_MS < last.issued_at_ms:
        raise _refused("agreement-clock", "a step is older than the one before; check both clocks")


def _terms_of(steps: Iterable[Step]) -> Terms:
    return next(each.terms for each in reversed(tuple(steps)) if each.terms is not None)


def _party_of(terms: Terms, actor: ActorUri) -> str:
    if actor.role == "operator" and actor.region == terms.provider_region:
        return _PROVIDER
    if actor.role == "operator" and actor.region == terms.consumer_region:
        return _CONSUMER
    raise _refused(
        "agreement-party", "only the operators of both parties' regions sign steps of an agreement"
    )


def _malformed(message: str) -> DataspaceError:
    return Malformed(message, code="agreement")


def _refused(rule: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis=_BASIS)
