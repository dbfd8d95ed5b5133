"""What every gate does with a question across regions before it decides anything. Pure.

As `requests` does for the plain ones: the broker and each node open the same envelope with this
code. What is published of each side comes with it: nodes know of others what their owners signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.evidence.offers import RegionOffer
from dataspace.evidence.overlaps import read_reply_key
from dataspace.identity.chains import VerifiedSigner
from dataspace.identity.envelopes import Opened
from dataspace.identity.freshness import check_freshness
from dataspace.linkage.match_lists import MatchList
from dataspace.linkage.planning import Planned, derive_plan, recognised_by
from dataspace.linkage.rounds import BLIND, TIERS
from dataspace.linkage.sealing import PublicSealingKey
from dataspace.query.overlap import OverlapQuery
from dataspace.query.product import Offer
from dataspace.query.questions import parse_question, union_question
from dataspace.v1 import query_pb2


@dataclass(frozen=True)
class AskedOverlap:
    """A verified, fresh request with its parsed, still unbound question across regions."""

    opened: Opened[query_pb2.QueryRequest]
    query: OverlapQuery
    reply_key: PublicSealingKey

    @property
    def request(self) -> query_pb2.QueryRequest:
        """The message, as signed."""
        return self.opened.message

    @property
    def signer(self) -> VerifiedSigner:
        """Who asks."""
        return self.opened.signer

    @property
    def digest(self) -> bytes:
        """SHA-256 of the request's exact payload."""
        return self.opened.payload_sha256

    @property
    def audience(self) -> tuple[str, ...]:
        """The regions asked, sorted: those of the question."""
        return self.query.regions

    @property
    def tier(self) -> str:
        """How people are recognised."""
        return self.request.tier or BLIND


def asks_across(request: query_pb2.QueryRequest) -> bool:
    """Whether a request is one for a round. Raises `Malformed` where its SQL is none."""
    return request.distinct_union or isinstance(parse_question(request.sql), OverlapQuery)


def read_overlap(
    opened: Opened[query_pb2.QueryRequest], now_ms: int, audience: str
) -> AskedOverlap:
    """Check freshness for `audience` ("broker" or a region), parse, and hold both together.

    Raises `Malformed`, for one `audience` where the request names other regions than its SQL.
    """
    request = opened.message
    check_freshness(request.freshness, now_ms=now_ms, audience=audience)
    if request.pooled or request.explain:
        raise Malformed(
            "a question across regions is neither pooled nor explained yet; ask it as it is",
            code="not-yet",
        )
    if request.tier and request.tier not in TIERS:
        raise Malformed(f"a tier is {' or '.join(TIERS)}", code="linkage-tier")
    regions = [name for name in request.freshness.audience if name != "broker"]
    query = overlap_of(request.sql, regions, union=request.distinct_union)
    if list(query.regions) != regions:
        raise Malformed("the request names other regions than its question", code="audience")
    return AskedOverlap(opened, query, read_reply_key(request.reply_key))


def overlap_of(sql: str, regions: Iterable[str], *, union: bool) -> OverlapQuery:
    """The question across regions in a text, or the union of people over `regions`."""
    question = parse_question(sql)
    if isinstance(question, OverlapQuery):
        if union:
            raise Malformed(
                "a union is over one product of all regions, and this joins; leave it out",
                code="overlap-union",
            )
        return question
    if not union:
        raise Malformed("this is no question across regions", code="linkage")
    return union_question(question, sorted(regions))


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
    def envelopes(self) -> list[RegionOffer]:
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


def offers_of(sides: Mapping[str, SideOffers]) -> list[Offer]:
    """One offer of each product: a name has one schema in all regions."""
    return list({each.product.offer.product: each.product.offer for each in sides.values()}.values())


def plan_of(asked: AskedOverlap, attempt: int, sides: Mapping[str, SideOffers]) -> Planned:
    """The round for a question: the same wherever the same offers are known."""
    lists = {region: each.lists for region, each in sides.items()}
    return derive_plan(asked.digest, attempt, asked.tier, lists)


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
