"""Which columns of a product the rules let go of one patient's record. Pure.

Asked first of all columns that are not withheld. Where that is refused, each column is asked
by itself, and those that pass are asked once more together: what one column is refused for
(a category on a negative list, a consent or an agreement that does not reach it) keeps that
column back and not the others. Every decision that counted is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dataspace.errors import DataspaceError, Refused
from dataspace.evidence.record_replies import LeftOut
from dataspace.identity.chains import VerifiedSigner
from dataspace.policy.bases import basis_of
from dataspace.policy.decisions import Decision, decide
from dataspace.policy.requests import AccessRequest
from dataspace.policy.rules import PolicySet
from dataspace.policy.standing import Ask, Standing, under
from dataspace.query.product import Offer, Role

ACTION = "record"

ConsentState: TypeAlias = Callable[[Iterable[str]], str]  # of the categories that are touched


@dataclass(frozen=True)
class Decided:
    """One question as it was put to the rules, what they said, and its agreements."""

    question: AccessRequest
    decision: Decision
    stands: Standing


@dataclass(frozen=True)
class Judged:
    """What of one product may go: `columns` in the product's order, empty where nothing may."""

    product: str
    columns: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    decided: tuple[Decided, ...]  # the one that counts for the product first

    @property
    def refused(self) -> DataspaceError | None:
        """Why nothing may go; None where something may."""
        if self.columns:
            return None
        decision = self.decided[0].decision
        return _withheld(self.product) if decision.allowed else refusal_of(decision)


@dataclass(frozen=True)
class Question:
    """One product's question, but for its columns."""

    asker: VerifiedSigner
    region: str
    purpose: str
    emergency: bool
    records_this_year: int
    at_ms: int
    policies: PolicySet
    agreements: Ask
    consent: ConsentState


def judge(asked: Question, offer: Offer) -> Judged:
    """Decide one product, column by column where all together may not go."""
    names = tuple(name for name, each in offer.columns.items() if each.role is not Role.WITHHELD)
    whole = _decide(asked, offer, names)
    if whole.decision.allowed or not names:
        return Judged(offer.product, names if whole.decision.allowed else (), (), (whole,))
    each = {name: _decide(asked, offer, (name,)) for name in names}
    kept = tuple(name for name in names if each[name].decision.allowed)
    if not kept:
        # One column's own rule, not that of another on a negative list, which forbids them all.
        return Judged(offer.product, (), (), tuple(each.values()))
    together = _decide(asked, offer, kept)
    if not together.decision.allowed:
        return Judged(offer.product, (), (), (together,))
    out = {name: decided for name, decided in each.items() if name not in kept}
    left_out = tuple(LeftOut(name, refusal_of(found.decision)) for name, found in out.items())
    return Judged(offer.product, kept, left_out, (together, *out.values()))


def refusal_of(decision: Decision) -> Refused:
    """The error that a denial stands for."""
    first = decision.rules[0]
    return Refused(first.message_en, code="policy", rule=first.id, basis=first.basis)


def _withheld(product: str) -> Refused:
    return Refused(
        f"every column of {product} is withheld by its owner", code="withheld",
        rule="column-withheld", basis="product definition of the data owner",
    )  # fmt: skip


def _decide(asked: Question, offer: Offer, columns: Sequence[str]) -> Decided:
    categories = frozenset(
        category for name in columns for category in offer.columns[name].categories
    )
    uri = asked.asker.uri
    question = AccessRequest(
        actor_uri=str(uri),
        actor_region=uri.region,
        actor_member=uri.member,
        actor_role=uri.role,
        action=ACTION,
        product=offer.product,
        product_region=asked.region,
        purpose=asked.purpose,
        project="",
        columns=frozenset(columns),
        categories=categories,
        route_from=asked.region,
        route_to=uri.region,
        legal_basis=basis_of(asked.region, uri.region, ACTION, emergency=asked.emergency),
        agreement="absent",
        consent=asked.consent(categories),
        emergency=asked.emergency,
        at_ms=asked.at_ms,
        assurance=asked.asker.assurance,
        records_this_year=asked.records_this_year,
    )
    stands = asked.agreements(question, asked.at_ms)
    put = under(question, stands)
    return Decided(put, decide(asked.policies, put), stands)
