"""Agreements made by hand: three regions' operators, their keys, and the steps they sign."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

from dataspace.identity.envelopes import SigningIdentity, seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.trustlist import TrustList
from dataspace.policy.agreements import (
    AGREED,
    FINALISED,
    REQUESTED,
    TERMINATED,
    VERIFIED,
    Agreement,
    Step,
    read_step,
)
from dataspace.policy.standing import Held
from dataspace.policy.terms import Terms
from dataspace.v1.agreement_pb2 import AgreementStep
from dataspace.v1.envelope_pb2 import Envelope
from tests.unit.identity.world import NOW_MS, Space, make_space

DAY = 86_400_000
_TERMS: dict[str, Any] = {
    "provider": "guangzhou",
    "consumer": "hongkong",
    "products": ["patients"],
    "columns": ["*"],
    "purposes": ["HRESCH", "TREAT"],
    "basis": "GBA-SC",
    "filing": "F-1",
    "impact_assessment": "PIA-1",
    "retention_days": 30,
    "not_before_ms": NOW_MS - DAY,
    "not_after_ms": NOW_MS + 10 * DAY,
}


def terms(**changed: Any) -> Terms:
    """Terms between Guangzhou, which provides, and Hong Kong, with some of them changed."""
    return Terms.of(_TERMS | changed)


@dataclass(frozen=True)
class Operators:
    """A space, its trust list and one operator of each region."""

    space: Space
    trust: TrustList
    of: dict[str, SigningIdentity]

    def envelope(
        self, state: str, region: str, before: Agreement | None = None,
        new: Terms | None = None, at_ms: int = NOW_MS, signer: SigningIdentity | None = None,
        **changed: Any,
    ) -> Envelope:  # fmt: skip
        """A signed step after `before`, as this region's operator would sign it."""
        agreed = new or (before.terms if before else terms())
        step = AgreementStep(
            freshness=make_freshness(
                now_ms=at_ms, nonce=secrets.token_bytes(16), audience=["broker", *agreed.regions]
            ),
            state=state,
            agreement=before.steps[0].sha256 if before else b"",
            previous=before.steps[-1].sha256 if before else b"",
            terms=agreed.to_json() if state in {"requested", "offered"} else "",
            terms_sha256=agreed.sha256,
            reason="enough" if state == TERMINATED else "",
        )
        for name, value in changed.items():
            setattr(step, name, value)
        return seal(step, signer or self.of[region])

    def step(self, *args: Any, **more: Any) -> Step:
        """The same step, verified."""
        return read_step(self.envelope(*args, **more), self.trust, more.get("at_ms", NOW_MS))

    def agreement(self, until: str = FINALISED, **changed: Any) -> Agreement:
        """An agreement requested by the consumer, up to a state."""
        wanted = terms(**changed)
        consumer, provider = wanted.consumer_region, wanted.provider_region
        agreement = Agreement((self.step(REQUESTED, consumer, new=wanted),))
        for state, region in (
            (AGREED, provider), (VERIFIED, consumer), (FINALISED, provider), (TERMINATED, consumer),
        ):  # fmt: skip
            if agreement.state == until:
                break
            agreement = agreement.extended(self.step(state, region, agreement))
        return agreement

    def held(self, until: str = FINALISED, used: int = 0, **changed: Any) -> Held:
        """The same, as a party holds it."""
        agreement = self.agreement(until, **changed)
        return Held(agreement, (NOW_MS,) * len(agreement.steps), used)


@cache
def operators() -> Operators:
    """Made once: keys are slow to make."""
    space = make_space()
    of = {
        region: space.actor(f"gba://{region}/h1/operator/op") for region in space.members
    }  # fmt: skip
    return Operators(space, space.trust(), of)
