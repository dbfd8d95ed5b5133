"""What every gate does with a request before it decides anything. Pure.

The broker and each node open the same envelope with this code, each for itself: verify,
then freshness, then parse, then bind, then the question to put to the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dataspace.errors import Malformed, Refused
from dataspace.identity.chains import VerifiedSigner
from dataspace.identity.envelopes import Opened, open_envelope
from dataspace.identity.freshness import check_freshness
from dataspace.identity.names import PEOPLE_ROLES
from dataspace.identity.trustlist import TrustList
from dataspace.policy.bases import AGGREGATE, AGGREGATE_ACTION
from dataspace.policy.requests import AccessRequest
from dataspace.query.parse import parse_query
from dataspace.query.product import Offer
from dataspace.query.tree import Query, columns_touched
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope

MAX_REQUEST_BYTES = 64 * 1024

# Puts a question under the agreements of a moment.
Under = Callable[[AccessRequest, int], AccessRequest]


@dataclass(frozen=True)
class Asked:
    """A verified, fresh request with its parsed, still unbound query."""

    opened: Opened[query_pb2.QueryRequest]
    query: Query

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
    check_freshness(opened.message.freshness, now_ms=now_ms, audience=audience)
    if opened.message.pooled:
        raise Malformed("pooled answers are not there yet; ask without --pooled", code="pooled")
    return Asked(opened, parse_query(opened.message.sql))


def access_requests(
    asked: Asked,
    query: Query,
    offers: Mapping[str, Offer],
    region: str,
    now_ms: int,
    under: Under = lambda request, _at_ms: request,
) -> tuple[AccessRequest, ...]:
    """The questions that the rules of `region`'s share are asked: one for each product."""
    uri = asked.signer.uri
    touched = columns_touched(query)
    questions = (
        AccessRequest(
            actor_uri=str(uri),
            actor_region=uri.region,
            actor_member=uri.member,
            actor_role=uri.role,
            action=AGGREGATE_ACTION,
            product=product,
            product_region=region,
            purpose=asked.request.purpose,
            project=asked.request.project,
            columns=touched[product],
            categories=frozenset(
                category
                for name in touched[product]
                for category in offers[product].columns[name].categories
            ),
            route_from=region,
            route_to=uri.region,
            legal_basis=AGGREGATE,
            agreement="absent",
            consent="absent",
            emergency=False,
            at_ms=now_ms,
            assurance=asked.signer.assurance,
        )
        for product in query.products
    )
    return tuple(under(each, now_ms) for each in questions)
