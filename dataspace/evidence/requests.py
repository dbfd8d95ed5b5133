"""What every gate does with a request before it decides anything. Pure.

The broker and each node open the same envelope with this code, each for itself: verify,
then freshness, then parse, then bind, then the question to put to the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dataspace.errors import Malformed, Refused
from dataspace.identity.chains import VerifiedSigner
from dataspace.identity.envelopes import Opened, open_envelope
from dataspace.identity.freshness import check_freshness
from dataspace.identity.names import PEOPLE_ROLES
from dataspace.identity.trustlist import TrustList
from dataspace.policy.bases import AGGREGATE_ACTION, OVERLAP_ACTION, basis_of
from dataspace.policy.requests import AccessRequest
from dataspace.query.overlap import OverlapQuery
from dataspace.query.parse import parse_query
from dataspace.query.product import Offer
from dataspace.query.questions import parse_question, union_question
from dataspace.query.tree import Query, columns_touched
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope

MAX_REQUEST_BYTES = 64 * 1024

# Puts a question under the agreements of a moment.
Under = Callable[[AccessRequest, int], AccessRequest]


@dataclass(frozen=True)
class _Opened:
    """A verified, fresh request."""

    opened: Opened[query_pb2.QueryRequest]

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
        """The regions asked, sorted."""
        return tuple(name for name in self.request.freshness.audience if name != "broker")


@dataclass(frozen=True)
class Asked(_Opened):
    """A verified, fresh request with its parsed, still unbound query."""

    query: Query


@dataclass(frozen=True)
class AskedOverlap(_Opened):
    """The same with a question across regions."""

    query: OverlapQuery


def open_request(
    envelope: Envelope, trust: TrustList, now_ms: int
) -> Opened[query_pb2.QueryRequest]:
    """Verify a request's envelope and its signer's role. Freshness comes next."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    opened = open_envelope(
        envelope, query_pb2.QueryRequest, trust, at, max_payload_bytes=MAX_REQUEST_BYTES
    )
    if opened.signer.uri.role not in PEOPLE_ROLES:
        raise Refused(
            f"a {opened.signer.uri.role} does not ask; sign as a person or service of a member",
            code="identity-role",
            rule="identity-role",
            basis="space rule: roles",
        )
    return opened


def read_request(opened: Opened[query_pb2.QueryRequest], now_ms: int, audience: str) -> Asked:
    """Check freshness for `audience` ("broker" or a region) and parse the SQL."""
    _check(opened, now_ms, audience)
    return Asked(opened, parse_query(opened.message.sql))


def read_question(
    opened: Opened[query_pb2.QueryRequest], now_ms: int, audience: str
) -> Asked | AskedOverlap:
    """As `read_request`, where a question across regions is read as well.

    Raises `Malformed` (`linkage`) where a question across regions is not for exactly its own
    ones, and (`overlap-union`) where a union is asked of what cannot be one.
    """
    _check(opened, now_ms, audience)
    query = parse_question(opened.message.sql)
    regions = tuple(each for each in opened.message.freshness.audience if each != "broker")
    if isinstance(query, Query):
        if not opened.message.distinct_union:
            return Asked(opened, query)
        query = union_question(query, regions)
    elif opened.message.distinct_union:
        raise Malformed("a union names no region; leave --distinct out", code="overlap-union")
    # INVARIANT: who takes part is what the requester signed, twice.
    if query.regions != tuple(sorted(regions)):
        raise Malformed("a question across regions is for exactly these regions", code="linkage")
    return AskedOverlap(opened, query)


def _check(opened: Opened[query_pb2.QueryRequest], now_ms: int, audience: str) -> None:
    check_freshness(opened.message.freshness, now_ms=now_ms, audience=audience)
    if opened.message.pooled:
        raise Malformed("pooled answers are not there yet; ask without --pooled", code="pooled")


def access_requests(
    asked: Asked,
    query: Query,
    offers: Mapping[str, Offer],
    region: str,
    now_ms: int,
    under: Under = lambda request, _at_ms: request,
) -> tuple[AccessRequest, ...]:
    """The questions that the rules of `region`'s share are asked: one for each product."""
    touched = columns_touched(query)
    questions = (
        _access(asked, AGGREGATE_ACTION, offers[product], region, touched[product], now_ms)
        for product in query.products
    )
    return tuple(under(each, now_ms) for each in questions)


def overlap_requests(
    asked: AskedOverlap,
    query: OverlapQuery,
    offers: Mapping[str, Offer],
    now_ms: int,
    under: Under = lambda request, _at_ms: request,
    *,
    regions: Sequence[str] | None = None,
) -> tuple[AccessRequest, ...]:
    """The questions that the rules are asked about a bound question across regions: one for
    each side, in the order of its regions; of `regions` alone where they are given.

    Counts leave the side's region for the requester's, who is told what its groups stand for.
    """
    questions = (
        _access(
            asked, OVERLAP_ACTION, offers[side.product], side.region, side.columns_touched(), now_ms
        )
        for side in sorted(query.sides, key=lambda side: side.region)
        if regions is None or side.region in regions
    )
    return tuple(under(each, now_ms) for each in questions)


def _access(
    asked: _Opened, action: str, offer: Offer, region: str, columns: frozenset[str], now_ms: int
) -> AccessRequest:
    uri = asked.signer.uri
    return AccessRequest(
        actor_uri=str(uri),
        actor_region=uri.region,
        actor_member=uri.member,
        actor_role=uri.role,
        action=action,
        product=offer.product,
        product_region=region,
        purpose=asked.request.purpose,
        project=asked.request.project,
        columns=columns,
        categories=frozenset(
            category for name in columns for category in offer.columns[name].categories
        ),
        route_from=region,
        route_to=uri.region,
        legal_basis=basis_of(region, uri.region, action),
        agreement="absent",
        consent="absent",
        emergency=False,
        at_ms=now_ms,
        assurance=asked.signer.assurance,
    )
