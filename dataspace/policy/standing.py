"""What agreements say to one use of a product now: absent, valid or expired. Pure.

Where several agreements in force cover the same parties, product and purpose, each term is
that of the narrower: a use has to be within all of them. An agreement that is over, ended or
used up never widens what the others allow; where nothing but such ones cover a use, it is
expired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from dataspace.policy.agreements import TERMINATED, Agreement
from dataspace.policy.bases import AGGREGATE_ACTION
from dataspace.policy.requests import AccessRequest
from dataspace.policy.terms import ALL, Terms, party_covers

ABSENT, VALID, EXPIRED = "absent", "valid", "expired"


@dataclass(frozen=True)
class Held:
    """An agreement as a party holds it: when each step came, and answers given under it."""

    agreement: Agreement
    received_ms: tuple[int, ...]
    used: int = 0

    @property
    def id(self) -> str:
        """The agreement's."""
        return self.agreement.id


@dataclass(frozen=True)
class Standing:
    """How a use stands. `agreements` are digests of those that it was held against, and
    `ids` their names; `narrowed` are the terms that they come to together."""

    state: str
    agreements: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    narrowed: Narrowed | None = None


@dataclass(frozen=True)
class Narrowed:
    """The narrower of each term of several agreements. `columns` None means all."""

    basis: str
    columns: frozenset[str] | None
    not_after_ms: int
    retention_days: int
    onward_transfer: bool
    filing: bool
    impact_assessment: bool


NONE = Standing(ABSENT)
Ask: TypeAlias = Callable[[AccessRequest, int], Standing]


def no_agreements(_request: AccessRequest, _at_ms: int) -> Standing:
    """Where no agreements are kept."""
    return NONE


@dataclass
class Noted:
    """Puts each question under its agreements, and notes which they were for the record."""

    ask: Ask
    agreements: list[list[str]] = field(default_factory=list)

    def __call__(self, request: AccessRequest, at_ms: int) -> AccessRequest:
        """The question as it is put to the rules."""
        stands = self.ask(request, at_ms)
        self.agreements.append(list(stands.agreements))
        return under(request, stands)


def under(request: AccessRequest, stands: Standing) -> AccessRequest:
    """A question with what its agreements say: their state, and the terms that rules look at.

    Terms are set where agreements are in force. Their basis is the question's own, but for
    statistics, which need no agreement, and for emergencies, which stand on none.
    """
    terms = stands.narrowed
    if terms is None:
        return replace(request, agreement=stands.state)
    own_basis = request.action == AGGREGATE_ACTION or request.emergency
    return replace(
        request,
        agreement=stands.state,
        legal_basis=request.legal_basis if own_basis else terms.basis,
        filing=terms.filing,
        impact_assessment=terms.impact_assessment,
        onward=terms.onward_transfer,
    )


def standing(
    held: Iterable[Held], request: AccessRequest, provider_member: str | None, at_ms: int
) -> Standing:
    """How a request stands as of a moment. `provider_member` offers the product, if known."""
    covering = [
        each for each in held if _covers(each.agreement, request, provider_member)
    ]  # finalised, whether in force or not
    current = [
        each
        for each in covering
        if each.agreement.state != TERMINATED and each.agreement.terms.is_current(at_ms)
    ]
    if not current:
        over = [each for each in covering if _is_over(each, at_ms)]
        return _standing(EXPIRED if over else ABSENT, over, None)
    terms = [each.agreement.terms for each in current]
    if any(_is_used_up(each) for each in current):
        return _standing(EXPIRED, current, None)
    bases = {each.basis for each in terms}
    within = all(each.covers_columns(request.product, request.columns) for each in terms)
    if len(bases) > 1 or not within:
        return _standing(ABSENT, current, None)
    return _standing(VALID, current, narrowed(terms))


def narrowed(terms: Iterable[Terms]) -> Narrowed:
    """The narrower of each term, of terms on one basis."""
    several = tuple(terms)
    named = [frozenset(each.columns) for each in several if each.columns != (ALL,)]
    return Narrowed(
        basis=several[0].basis,
        columns=frozenset.intersection(*named) if named else None,
        not_after_ms=min(each.not_after_ms for each in several),
        retention_days=min(each.retention_days for each in several),
        onward_transfer=all(each.onward_transfer for each in several),
        filing=all(each.filing for each in several),
        impact_assessment=all(each.impact_assessment for each in several),
    )


def overlap(one: Terms, other: Terms) -> bool:
    """Whether some use may be covered by both."""
    return (
        _parties_meet(one.provider, other.provider)
        and _parties_meet(one.consumer, other.consumer)
        and _meet(one.products, other.products)
        and _meet(one.purposes, other.purposes)
        and one.not_before_ms < other.not_after_ms
        and other.not_before_ms < one.not_after_ms
    )


def _covers(agreement: Agreement, request: AccessRequest, provider_member: str | None) -> bool:
    terms = agreement.terms
    return (
        bool(agreement.finalised_sha256)
        and party_covers(terms.provider, request.route_from, provider_member)
        and party_covers(terms.consumer, request.route_to, request.actor_member)
        and terms.covers_product(request.product)
        and request.purpose in terms.purposes
    )


def _is_over(held: Held, at_ms: int) -> bool:
    agreement = held.agreement
    return agreement.state == TERMINATED or agreement.terms.not_after_ms <= at_ms


def _is_used_up(held: Held) -> bool:
    budget = held.agreement.terms.budget
    return bool(budget) and held.used >= budget


def _standing(state: str, held: list[Held], terms: Narrowed | None) -> Standing:
    ordered = sorted(held, key=lambda each: each.id)
    return Standing(
        state,
        tuple(each.agreement.finalised_sha256 for each in ordered),
        tuple(each.id for each in ordered),
        terms,
    )


def _parties_meet(one: str, other: str) -> bool:
    region, _, member = other.partition("/")
    return party_covers(one, region, member or None)


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return (ALL,) in {one, other} or bool(set(one) & set(other))
