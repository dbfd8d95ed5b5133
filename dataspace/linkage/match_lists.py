"""Match lists: which fields, agreeing together, count as the same human being.

A product's `linkage.match` is an ordered list of them, the most trusted first. Lists are
the same wherever they name the same kinds: neither their place nor the order within counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.linkage.documents import DOCUMENT_KINDS
from dataspace.linkage.field_forms import FUZZY, PLAIN


@dataclass(frozen=True)
class MatchList:
    """Kinds of fields, sorted; `kind~` is a fuzzy form.

    Raises `Malformed` (code `match-list`) for none, a repeated or an unknown one.
    """

    kinds: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(sorted(self.kinds)))
        if not self.kinds or len(set(self.kinds)) != len(self.kinds):
            raise Malformed(
                "a match list needs at least one field, and each only once", code="match-list"
            )
        for kind in self.kinds:
            if kind not in PLAIN and kind.removesuffix("~") not in FUZZY:
                raise Malformed(
                    f"{kind} is no kind of field, or has no fuzzy form; see docs/linkage.md",
                    code="match-list",
                )

    @property
    def identifying(self) -> bool:
        """Whether a document is among the fields: its number is nobody else's."""
        return not set(self.kinds).isdisjoint(DOCUMENT_KINDS)

    def __str__(self) -> str:
        return f"[{', '.join(self.kinds)}]"


def match_lists(match: Iterable[Sequence[str]]) -> tuple[MatchList, ...]:
    """Those of a product file, in its order, without repetitions. Raises `Malformed`."""
    return tuple(dict.fromkeys(MatchList(tuple(kinds)) for kinds in match))


DEFAULT = match_lists([
    ["ric"],
    ["hkid"],
    ["bir"],
    ["mtp"],
    ["passport", "birth_date"],
    ["full_name", "birth_date", "sex"],
])  # fmt: skip
"""The space's default, for a product whose file gives no `match`. A passport stands with the
birth date, since two countries may give the same number."""


def served(lists: Iterable[MatchList], kinds: Iterable[str]) -> tuple[MatchList, ...]:
    """Those of `lists` whose fields a product with fields of these `kinds` has.

    A `full_name` can be put together from `surname` and `given_name`.
    """
    have = set(kinds)
    if {"surname", "given_name"} <= have:
        have.add("full_name")
    return tuple(one for one in lists if {kind.removesuffix("~") for kind in one.kinds} <= have)


def common_lists(*regions: Sequence[MatchList]) -> tuple[MatchList, ...]:
    """The lists that all `regions` have, in the order of trust; the same in any order of regions.

    Where regions order them differently, a list ranks where the least trusting one puts it,
    then by the sum of its places. Empty where they have none in common.
    """
    if not regions:
        return ()
    shared = set(regions[0]).intersection(*regions[1:])

    def rank(one: MatchList) -> tuple[int, int, tuple[str, ...]]:
        places = [tuple(region).index(one) for region in regions]
        return max(places), sum(places), one.kinds

    return tuple(sorted(shared, key=rank))


def shared_lists(*regions: Sequence[MatchList]) -> tuple[MatchList, ...]:
    """The lists that at least two of `regions` have, in the order of trust; the same in any order
    of regions. Ranked as `common_lists` ranks, among those that have a list."""
    every = sorted(set().union(*regions), key=lambda one: one.kinds)

    def places(one: MatchList) -> list[int]:
        return [tuple(region).index(one) for region in regions if one in region]

    shared = [one for one in every if len(places(one)) > 1]
    return tuple(
        sorted(
            shared,
            key=lambda one: (max(places(one)), sum(places(one)) / len(places(one)), one.kinds),
        )
    )
