"""The sides of a question across regions as their owners publish them, and the round for it. Pure.

Nodes know of each other what the regions' operators signed: an invitation brings those offers,
and each node derives the same plan from them as the broker and the requester do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.evidence.offers import RegionOffer
from dataspace.evidence.requests import AskedOverlap, Under, overlap_requests
from dataspace.linkage.match_lists import MatchList
from dataspace.linkage.planning import Planned, derive_plan, recognised_by
from dataspace.linkage.rounds import BLIND, TIERS
from dataspace.policy.requests import AccessRequest
from dataspace.query.overlap import OverlapQuery
from dataspace.query.product import Offer


@dataclass(frozen=True)
class SideOffers:
    """What is published of one side: its product, and the product that recognises its subjects."""

    product: RegionOffer
    recognising: RegionOffer

    @property
    def lists(self) -> tuple[MatchList, ...]:
        """By what its subjects may be recognised."""
        recognition = self.recognising.offer.recognition
        if recognition is None:
            return ()
        return recognised_by(recognition.kinds, recognition.match)

    @property
    def published(self) -> list[RegionOffer]:
        """Both as their owner signed them, each once."""
        alike = self.product.envelope == self.recognising.envelope
        return [self.product] if alike else [self.product, self.recognising]


def sides_offered(query: OverlapQuery, offers: Iterable[RegionOffer]) -> dict[str, SideOffers]:
    """Each side's offers by region, sorted. Raises `Malformed` (`product`, `no-linkage`)."""
    by_region: dict[str, dict[str, RegionOffer]] = {}
    for each in offers:
        by_region.setdefault(each.region, {})[each.offer.product] = each
    found = {}
    for region in query.regions:
        side, own = query.side(region), by_region.get(region, {})
        if side.product not in own:
            raise Malformed(
                f"{region} does not offer {side.product}; see `gba catalog`",
                code="product",
                place=side.place,
            )
        found[region] = SideOffers(own[side.product], _recognising(own[side.product], own))
    return found


def union_regions(product: str, offers: Iterable[RegionOffer]) -> list[str]:
    """The regions that offer a product: those of a union."""
    return sorted({each.region for each in offers if each.offer.product == product})


def offers_of(sides: Mapping[str, SideOffers], *, first: str = "") -> list[Offer]:
    """One offer of each product: a name has one schema in all regions, and that of the region
    `first` counts before others."""
    ordered = sorted(sides, key=lambda region: (region != first, region))
    known: dict[str, Offer] = {}
    for region in ordered:
        offer = sides[region].product.offer
        known.setdefault(offer.product, offer)
    return list(known.values())


def plan_of(asked: AskedOverlap, attempt: int, sides: Mapping[str, SideOffers]) -> Planned:
    """The round for a question: the same wherever the same offers are known."""
    lists = {region: each.lists for region, each in sides.items()}
    return derive_plan(asked.digest, attempt, tier_of(asked), lists)


def side_questions(
    asked: AskedOverlap, query: OverlapQuery, sides: Mapping[str, SideOffers],
    regions: Iterable[str], now_ms: int, under: Under,
) -> list[AccessRequest]:  # fmt: skip
    """What the rules are asked about a bound question, for each of `regions`, by its own offer."""
    return [
        question
        for region in regions
        for question in overlap_requests(
            asked, query, {sides[region].product.offer.product: sides[region].product.offer},
            now_ms, under, regions=[region],
        )
    ]  # fmt: skip


def tier_of(asked: AskedOverlap) -> str:
    """How people are to be recognised. Raises `Malformed` (`linkage-tier`)."""
    tier = asked.request.tier or BLIND
    if tier not in TIERS:
        raise Malformed(f"a tier is {' or '.join(TIERS)}", code="linkage-tier")
    return tier


def _recognising(product: RegionOffer, own: Mapping[str, RegionOffer]) -> RegionOffer:
    """As `render_overlap.linkage_product` chooses: itself, or the first of its subject space."""
    for each in (product, *(own[name] for name in sorted(own))):
        space = each.offer.subject_space
        if each.offer.recognition is not None and space == product.offer.subject_space:
            return each
    raise Malformed(
        f"nobody in {product.offer.product} of {product.region} can be recognised elsewhere: no "
        "product of its subject space has linkage fields",
        code="no-linkage",
    )
