"""The agreements of a space made by `gba space init`: finalised, between all pairs. Rim.

Both operators sign, each with its own key, as they would over weeks. The brokers' directories
get the chains; the nodes take them, verify them and record them when they first attach.
"""

from __future__ import annotations

import secrets
from itertools import permutations
from pathlib import Path

from dataspace.agreement_files import FOLDER, FileShelf
from dataspace.home import PartyHome, brokers_of
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.names import REGIONS
from dataspace.identity.trusted import BROKER
from dataspace.policy.agreements import (
    AGREED,
    FINALISED,
    REQUESTED,
    VERIFIED,
    Agreement,
    read_step,
)
from dataspace.policy.bases import basis_of
from dataspace.policy.terms import ALL, Terms
from dataspace.processes import now_ms
from dataspace.v1.agreement_pb2 import AgreementStep

_DAYS = 365
_DAY_MS = 86_400_000
_PURPOSES = ("ETREAT", "HRESCH", "PUBHLTH", "TREAT")


def make_demo_agreements(home: Path) -> None:
    """An agreement for each ordered pair of regions, over all products."""
    shelves = [FileShelf(PartyHome(home / name).folder(FOLDER)) for name in brokers_of(home)]
    operators = {region: PartyHome(home / region / "operator") for region in REGIONS}
    for provider, consumer in permutations(REGIONS, 2):
        agreement = _finalised(operators[provider], operators[consumer], now_ms())
        for shelf in shelves:
            shelf.put(agreement, now_ms())


def demo_terms(provider: str, consumer: str, at_ms: int) -> Terms:
    """The terms of one pair: examples, which an operator's counsel would change."""
    return Terms(
        provider=provider,
        consumer=consumer,
        products=(ALL,),
        columns=(ALL,),
        purposes=_PURPOSES,
        basis=basis_of(provider, consumer, "record"),
        filing=f"DEMO-FILING-{provider}-{consumer}",
        impact_assessment=f"DEMO-PIA-{provider}-{consumer}",
        retention_days=30,
        not_before_ms=at_ms,
        not_after_ms=at_ms + _DAYS * _DAY_MS,
    )


def _finalised(provider: PartyHome, consumer: PartyHome, at_ms: int) -> Agreement:
    terms = demo_terms(provider.uri.region, consumer.uri.region, at_ms)
    trust = provider.trust(at_ms).for_kept()  # there is no list before the space runs
    agreement: Agreement | None = None
    makers = {REQUESTED: consumer, AGREED: provider, VERIFIED: consumer, FINALISED: provider}
    for state, maker in makers.items():
        step = AgreementStep(
            freshness=make_freshness(
                now_ms=at_ms, nonce=secrets.token_bytes(16), audience=[BROKER, *terms.regions]
            ),
            state=state,
            terms=terms.to_json() if state == REQUESTED else "",
            terms_sha256=terms.sha256,
        )
        if agreement is not None:
            step.agreement = agreement.steps[0].sha256
            step.previous = agreement.steps[-1].sha256
        read = read_step(seal(step, maker.identity), trust, at_ms)
        agreement = Agreement((read,)) if agreement is None else agreement.extended(read)
    assert agreement is not None
    return agreement
