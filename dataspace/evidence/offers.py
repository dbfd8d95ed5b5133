"""Checking an offer: a region's operator signed what the region publishes of a product. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from dataspace.errors import Malformed, Unverified
from dataspace.identity.envelopes import open_envelope
from dataspace.identity.trustlist import TrustList
from dataspace.query.product import Offer
from dataspace.query.product_file import parse_offer
from dataspace.query.tree import Query
from dataspace.v1.catalogue_pb2 import ProductOffer
from dataspace.v1.envelope_pb2 import Envelope


@dataclass(frozen=True)
class RegionOffer:
    """One product at one region, with what its owner signed."""

    region: str
    offer: Offer
    envelope: Envelope


def open_offer(envelope: Envelope, region: str, trust: TrustList, now_ms: int) -> RegionOffer:
    """Verify that a region's operator signed an offer. Raises `Unverified` or `Malformed`."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    opened = open_envelope(envelope, ProductOffer, trust, at)
    uri = opened.signer.uri
    if uri.role != "operator" or not uri.region == region == opened.message.region:
        raise Unverified(
            f"an offer for {region} that its operator did not sign", code="product-signature"
        )
    offer = parse_offer(opened.message.definition_json.encode())
    if offer.product != opened.message.product:
        raise Unverified("an offer that names another product", code="product-signature")
    return RegionOffer(region, offer, envelope)


def regions_asked(query: Query, offers: Iterable[RegionOffer]) -> dict[str, dict[str, RegionOffer]]:
    """Region to product to offer, for the regions that a query is for: those that offer all
    of its products, or the one that it names. Raises `Malformed` where there is none."""
    by_region: dict[str, dict[str, RegionOffer]] = {}
    for each in offers:
        by_region.setdefault(each.region, {})[each.offer.product] = each
    for product in query.products:
        if not any(product in own for own in by_region.values()):
            raise Malformed(
                f"no region offers a product {product}; see `gba catalog`",
                code="product",
                place=query.sources[0].place,
            )
    found = {
        region: {product: own[product] for product in query.products}
        for region, own in sorted(by_region.items())
        if all(product in own for product in query.products) and query.region in {None, region}
    }
    if not found:
        names = " and ".join(query.products)
        who = f"{query.region} does not offer" if query.region else "no one region offers"
        raise Malformed(
            f"{who} {names}; see `gba catalog`",
            code="product",
            place=query.sources[0].place,
        )
    return found
