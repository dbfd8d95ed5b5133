"""The plan of a round, derived alike by everybody from what was signed. Pure.

slots   the match lists that two regions or more have, in the order of trust
chunk   as many tuples as have 2,048 points: a tenth of a second of one core's time, and
        64 KiB on a stream that others use as well
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.linkage.match_lists import DEFAULT, MatchList, match_lists, served, shared_lists
from dataspace.linkage.rounds import CHUNK_TUPLES, MAX_SLOTS, RoundPlan

CHUNK_POINTS = 2048


@dataclass(frozen=True)
class Planned:
    """A plan with the lists that its slots stand for, one each."""

    plan: RoundPlan
    lists: tuple[MatchList, ...]


def recognised_by(
    kinds: Iterable[str], match: Iterable[tuple[str, ...]] | None
) -> tuple[MatchList, ...]:
    """The lists by which a product with fields of these `kinds` is recognised."""
    return served(DEFAULT if match is None else match_lists(match), kinds)


def derive_plan(
    request_sha256: bytes,
    attempt: int,
    tier: str,
    lists: Mapping[str, tuple[MatchList, ...]],
) -> Planned:
    """The plan for `lists` by region. Raises `Malformed` (`match-list`, `round-plan`)."""
    shared = shared_lists(*lists.values())[:MAX_SLOTS]
    if not shared:
        raise Malformed(
            f"{' and '.join(sorted(lists))} have no fields in common to recognise people by; "
            "see `gba catalog`",
            code="match-list",
        )
    plan = RoundPlan(
        request_sha256,
        attempt,
        tier,
        tuple(sorted(lists)),
        tuple(map(str, shared)),
        min(CHUNK_TUPLES, max(1, CHUNK_POINTS // len(shared))),
    )
    return Planned(plan, shared)
