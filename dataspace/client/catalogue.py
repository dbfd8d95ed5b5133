"""The space's catalogue as a member believes it: each offer by its owner's signature. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dataspace.errors import Unverified
from dataspace.evidence.offers import RegionOffer, open_offer
from dataspace.identity.envelopes import open_envelope
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import catalogue_pb2
from dataspace.v1.envelope_pb2 import Envelope


@dataclass(frozen=True)
class Catalogue:
    """What the space offers: signed offers, what the rules say, which nodes are there."""

    offers: tuple[RegionOffer, ...]
    rules: tuple[catalogue_pb2.RuleNote, ...]
    attached: frozenset[str]
    content_sha256: bytes = b""  # of offers and rules, as the broker names it


def read_catalogue(
    reply: Envelope, request_sha256: bytes, known: Catalogue | None, trust: TrustList, now_ms: int
) -> Catalogue:
    """The catalogue in a broker's reply, with what is `known` where it sends none.

    Raises `Unverified` for a reply of nobody's, or to another request.
    """
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    opened = open_envelope(reply, catalogue_pb2.CatalogueReply, trust, at)
    if opened.signer.uri not in {broker.uri for broker in trust.brokers}:
        raise Unverified("the catalogue is not signed by a broker", code="catalogue-signer")
    if opened.message.request_sha256 != request_sha256:
        raise Unverified("the catalogue is for another request", code="catalogue-request")
    return _renewed(known, opened.message, trust, now_ms)


def _renewed(
    known: Catalogue | None, reply: catalogue_pb2.CatalogueReply, trust: TrustList, now_ms: int
) -> Catalogue:
    """The catalogue that a verified reply gives, with what is known where it sends none."""
    attached = frozenset(reply.attached)
    if known is not None and reply.content_sha256 == known.content_sha256:
        return replace(known, attached=attached)
    earlier = {each.envelope.SerializeToString(): each for each in known.offers} if known else {}
    offers = tuple(
        earlier.get(each.SerializeToString())
        or open_offer(each, _region_named(each), trust, now_ms)
        for each in reply.offers
    )
    return Catalogue(offers, tuple(reply.rules), attached, reply.content_sha256)


def _region_named(envelope: Envelope) -> str:
    """The region that an offer names, before it is verified for that region."""
    return str(catalogue_pb2.ProductOffer.FromString(envelope.payload).region)
