"""Why a request is decided as it is, and which small change would have it permitted. Pure.

A change is one of purpose, role, agreement, consent, legal basis, what the agreement names, or
a category or column left out; where no single one does it, pairs are tried. Nothing here
proposes to declare an emergency, nor an emergency's purpose or basis: that is for who is there
to say, and every one of them is reviewed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from dataspace.policy.decisions import Decision, decide
from dataspace.policy.requests import PURPOSES, AccessRequest
from dataspace.policy.rules import PolicySet, legal_bases

_EMERGENCIES: Final = frozenset({"ETREAT", "BTG", "EMERGENCY"})
_AGREED: Final = (("filing", True), ("impact_assessment", True), ("onward", False))
_PEOPLE: Final = ("clinician", "researcher", "public_health", "regulator", "operator")


@dataclass(frozen=True)
class Change:
    """One field with another value; `left_out` is the category or column that goes.

    A whole agreement brings with it what agreements name: those fields are in `along`.
    """

    field: str
    value: Any
    left_out: str = ""
    along: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Explanation:
    """A decision, and the changes that would each by itself (or, in pairs, together) permit it.

    `permitted_with` is empty where the decision permits, and where nothing was found.
    """

    request: AccessRequest
    decision: Decision
    permitted_with: tuple[tuple[Change, ...], ...]


def explain(policies: PolicySet, request: AccessRequest) -> Explanation:
    """The decision on a request with what would change a no into a yes."""
    decision = decide(policies, request)
    if decision.allowed:
        return Explanation(request, decision, ())
    changes = tuple(_changes(policies, request))
    single = tuple(
        (change,) for change in changes if decide(policies, _changed(request, change)).allowed
    )
    return Explanation(request, decision, single or tuple(_pairs(policies, request, changes)))


def _pairs(
    policies: PolicySet, request: AccessRequest, changes: tuple[Change, ...]
) -> Iterator[tuple[Change, ...]]:
    for one, other in itertools.combinations(changes, 2):
        if one.field == other.field:
            continue
        if decide(policies, _changed(_changed(request, one), other)).allowed:
            yield one, other


def _changed(request: AccessRequest, change: Change) -> AccessRequest:
    return replace(request, **{change.field: change.value, **dict(change.along)})


def _changes(policies: PolicySet, request: AccessRequest) -> Iterator[Change]:
    """From what costs the asker least to what makes it another asker."""
    for name in ("categories", "columns"):
        touched: frozenset[str] = getattr(request, name)
        for each in sorted(touched):
            yield Change(name, touched - {each}, left_out=each)
    if request.consent != "valid":
        yield Change("consent", "valid")
    if request.agreement != "valid":
        yield Change("agreement", "valid", along=_AGREED)
    for name, wanted in _AGREED:
        if request.agreement == "valid" and getattr(request, name) != wanted:
            yield Change(name, wanted)
    for name, values in (
        ("legal_basis", legal_bases(policies)),
        ("purpose", PURPOSES),
        ("actor_role", _PEOPLE),
    ):
        for value in values:
            if value != getattr(request, name) and value not in _EMERGENCIES:
                yield Change(name, value)
