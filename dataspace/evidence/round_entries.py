"""What a log says of a round of linkage, for others to see: digests and the round's name. Pure.

    overlap.committed  at a node, before its join leaves: what it brings, as a salted commitment
    overlap.matched    at the broker, before it hands counts out: the transcript it counted

SECURITY: how many people a side brought stands before every threshold and rounding. These entries
go to the requester as evidence, so that sizes are in their bodies alone, and those go to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dataspace.audit.entries import Entry
from dataspace.errors import Unavailable

COMMITTED: Final = "overlap.committed"
MATCHED: Final = "overlap.matched"

_BOTH = frozenset({"request_sha256", "round_id", "attempt", "tier", "context"})
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    COMMITTED: _BOTH | {"regions", "inputs_commitment", "join_sha256"},
    MATCHED: _BOTH | {"transcript"},
}
# Of the entry of an answer (or release): where its round's own entry stands in the same log.
PLACES: Final[Mapping[str, str]] = {
    "overlap.released": "committed",
    "overlap.refused": "committed",
    "query.released": "matched",
}


def is_of_round(entry: Entry) -> bool:
    """Whether an entry tells of a round, and not of an answer."""
    return entry.kind in _FIELDS


def place_of_round(answer: Entry) -> int | None:
    """Where the answer's own log tells of its round, or None where it took part in none."""
    place = answer.fields.get(PLACES.get(answer.kind, ""))
    return place if isinstance(place, int) and not isinstance(place, bool) else None


def check_may_leave(entry: Entry, answer: Entry) -> None:
    """Raise `Unavailable` (`round-entry`) unless an entry is of the answer's round, and tells of
    it nothing but what these entries are for."""
    same = entry.fields.get("request_sha256") == answer.fields.get("request_sha256")
    if entry.kind not in _FIELDS or not same:
        raise _withheld("the log names another entry than its round's")
    if not entry.fields.keys() <= _FIELDS[entry.kind]:
        raise _withheld("the entry of its round holds sizes, which go to nobody")


def _withheld(why: str) -> Unavailable:
    return Unavailable(f"{why}; this release cannot be proved, ask the question again",
                       code="round-entry")  # fmt: skip
