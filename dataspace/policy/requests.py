"""What a decision is asked about: one action of one actor on one product at one region.

An `AccessRequest` checks itself when made and goes through JSON unchanged, so that a decision
can be replayed from the log. It holds plain strings and no identity of a subject. Legal bases
are not closed here: they are data, in the policy set's schema.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from dataspace.errors import Malformed

ACTIONS: Final = ("aggregate", "overlap", "existence", "record")
PURPOSES: Final = ("TREAT", "ETREAT", "BTG", "HRESCH", "PUBHLTH", "HPAYMT", "HOPERAT", "PATRQT")
STATES: Final = ("absent", "valid", "expired")
REGIONS: Final = ("guangzhou", "hongkong", "macao")
ROLES: Final = (
    "clinician",
    "researcher",
    "public_health",
    "regulator",
    "operator",
    "node",
    "broker",
    "witness",
    "revocation",
)

_CLOSED: Final = {
    "action": ACTIONS,
    "purpose": PURPOSES,
    "actor_role": ROLES,
    "actor_region": REGIONS,
    "product_region": REGIONS,
    "route_from": REGIONS,
    "route_to": REGIONS,
    "agreement": STATES,
    "consent": STATES,
}
_NAMES: Final = ("actor_uri", "actor_member", "product", "legal_basis")
_TRUTHS: Final = ("emergency", "filing", "impact_assessment", "onward")
_MAX_TEXT: Final = 1024
_MOST: Final = 2**53 - 1  # what JSON numbers carry exactly
_WHOLE: Final = {
    "at_ms": (0, _MOST, "whole milliseconds since 1970"),
    "assurance": (1, 3, "a level of 1, 2 or 3"),
    "records_this_year": (0, _MOST, "a whole number of people"),
}


@dataclass(frozen=True)
class AccessRequest:
    """Everything that rules may look at. Raises `Malformed` (code `request`) when made wrongly.

    `route_from` and `route_to` say where the data would go; `agreement` and `consent` are one
    of `STATES`; `at_ms` is the time of the decision in milliseconds since 1970 (UTC). `project`
    may be empty. `assurance` says how surely the actor is who it claims (1 low to 3 high).
    `filing` and `impact_assessment` say whether the agreement names them, `onward` whether it
    lets the recipient pass data on; `records_this_year` counts the people whose records have
    left on this route since the first of January, this one included. Older JSON may lack
    these five.
    """

    actor_uri: str
    actor_region: str
    actor_member: str
    actor_role: str
    action: str
    product: str
    product_region: str
    purpose: str
    project: str
    columns: frozenset[str]
    categories: frozenset[str]
    route_from: str
    route_to: str
    legal_basis: str
    agreement: str
    consent: str
    emergency: bool
    at_ms: int
    # The strictest value stands where nobody vouches for another.
    assurance: int = 1
    filing: bool = False
    impact_assessment: bool = False
    onward: bool = False
    records_this_year: int = 0

    def __post_init__(self) -> None:
        for name in (*_CLOSED, *_NAMES, "project"):
            _check_text(name, getattr(self, name))
        for name, allowed in _CLOSED.items():
            if getattr(self, name) not in allowed:
                raise _malformed(
                    f"unknown {name} {getattr(self, name)!r}: use one of {', '.join(allowed)}"
                )
        for name in _NAMES:
            if not getattr(self, name):
                raise _malformed(f"{name} is empty")
        for name in ("columns", "categories"):
            _check_set(name, getattr(self, name))
        for name in _TRUTHS:
            if not isinstance(getattr(self, name), bool):
                raise _malformed(f"{name} must be true or false")
        for name, (least, most, unit) in _WHOLE.items():
            value: object = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise _malformed(f"{name} must be {unit}")

    def to_json(self) -> str:
        """One line of JSON with sorted keys and sorted sets: equal requests, equal text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("columns", "categories"):
            values[name] = sorted(values[name])
        return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> AccessRequest:
        """The request that `to_json` wrote. Missing, unknown and repeated keys are refused."""
        try:
            values = json.loads(text, object_pairs_hook=_distinct)
        except (ValueError, RecursionError) as error:
            raise _malformed("the access request is not JSON") from error
        return request_from(values)


def request_from(values: Any) -> AccessRequest:
    """An access request from decoded JSON or TOML; `columns` and `categories` are lists."""
    if not isinstance(values, dict):
        raise _malformed("an access request is an object of named fields")
    known = {field.name for field in fields(AccessRequest)}
    needed = {field.name for field in fields(AccessRequest) if field.default is MISSING}
    if not needed <= values.keys() <= known:
        wrong = ", ".join(
            sorted(str(key) for key in (needed - values.keys()) | (values.keys() - known))
        )
        raise _malformed(f"missing or unknown fields in the access request: {wrong}")
    for name in ("columns", "categories"):
        listed = values[name]
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise _malformed(f"{name} must be a list of names")
        if len(set(listed)) != len(listed):
            raise _malformed(f"{name} names something twice")
    return AccessRequest(
        **values
        | {
            "columns": frozenset(values["columns"]),
            "categories": frozenset(values["categories"]),
        }
    )


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("a field of the access request stands twice")
    return found


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise _malformed(f"{name} must be text")
    if len(value) > _MAX_TEXT:
        raise _malformed(f"{name} is longer than {_MAX_TEXT} characters")
    # SECURITY: unprintable characters and lone surrogates would make two different actors look
    # alike in a log, or break the encoding that a replay depends on.
    if not value.isprintable():
        raise _malformed(f"{name} holds unprintable characters")


def _check_set(name: str, value: object) -> None:
    if not isinstance(value, frozenset):
        raise _malformed(f"{name} must be a set of names")
    for item in value:
        _check_text(name, item)
        if not item:
            raise _malformed(f"{name} holds an empty name")


def _malformed(message: str) -> Malformed:
    return Malformed(message, code="request")
