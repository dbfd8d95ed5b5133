"""A question across regions as gates read it, and what they ask the rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.errors import Malformed
from dataspace.evidence.requests import (
    Asked,
    AskedOverlap,
    overlap_requests,
    read_question,
    read_request,
)
from dataspace.identity.chains import VerifiedSigner
from dataspace.identity.envelopes import Opened
from dataspace.identity.names import ActorUri
from dataspace.policy.decisions import decide
from dataspace.policy.requests import AccessRequest
from dataspace.policy.store import read_folder
from dataspace.query.overlap_bind import bind_overlap
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope, Freshness
from tests.unit.policy.samples import POLICIES
from tests.unit.query.samples import offer, visits

NOW = 1_790_000_000_000
ACROSS = (
    "SELECT g.sex, count(distinct g.person) FROM macao.visits m JOIN guangzhou.trial g "
    "ON g.person = m.person WHERE m.stay > 3 AND g.age > 40 GROUP BY g.sex"
)
UNION = "SELECT count(distinct person) FROM trial WHERE arm = 1"
TWO = ("broker", "guangzhou", "macao")
OFFERS = {"trial": offer(), "visits": visits()}


def _opened(
    sql: str, audience: tuple[str, ...] = TWO, **fields: Any
) -> Opened[query_pb2.QueryRequest]:
    request = query_pb2.QueryRequest(
        freshness=Freshness(
            issued_at_ms=NOW, expires_at_ms=NOW + 60_000, nonce=bytes(16), audience=audience
        ),
        sql=sql,
        purpose="HRESCH",
        **fields,
    )
    signer = VerifiedSigner(
        ActorUri("hongkong", "h1", "researcher", "mei"),
        bytes(32),
        Ed25519PrivateKey.generate().public_key(),
        (),
        assurance=2,
    )
    return Opened(request, signer, bytes(32), Envelope())


def _read(*arguments: Any, **fields: Any) -> AskedOverlap:
    asked = read_question(_opened(*arguments, **fields), NOW, "broker")
    assert isinstance(asked, AskedOverlap)
    return asked


def _questions(asked: AskedOverlap, **more: Any) -> tuple[AccessRequest, ...]:
    query = bind_overlap(asked.query, *OFFERS.values())
    return overlap_requests(asked, query, OFFERS, NOW, **more)


def test_the_rules_are_asked_about_each_side_on_its_own_route() -> None:
    here, there = _questions(_read(ACROSS))
    assert (here.product, there.product) == ("trial", "visits")
    assert here.columns == {"age", "sex"}
    assert there.columns == {"stay"}
    assert here.legal_basis == "GBA-SC"
    assert (here.route_from, here.route_to) == ("guangzhou", "hongkong")
    assert (there.route_from, there.route_to) == ("macao", "hongkong")
    assert there.legal_basis == "HK-PDPO+MO-PDPA"
    assert {each.action for each in (here, there)} == {"overlap"}
    assert _questions(_read(ACROSS), regions=["macao"]) == (there,)


def test_an_overlap_leaves_under_an_agreement_alone() -> None:
    rules = read_folder(POLICIES)
    for question in _questions(_read(ACROSS)):
        denied = decide(rules, question)
        assert not denied.allowed
        assert "agreement-needed" in {rule.id for rule in denied.rules}
    permitted = _questions(
        _read(ACROSS),
        under=lambda each, _: replace(each, agreement="valid", filing=True, impact_assessment=True),
    )
    assert all(decide(rules, each).allowed for each in permitted)


def test_a_union_is_of_the_regions_that_the_requester_signed() -> None:
    asked = _read(UNION, distinct_union=True)
    assert asked.query.union
    assert asked.query.regions == ("guangzhou", "macao")
    assert [each.columns for each in _questions(asked)] == [{"arm"}, {"arm"}]
    assert isinstance(read_question(_opened(UNION), NOW, "broker"), Asked)


@pytest.mark.parametrize(
    ("opened", "code"),
    [
        (_opened(ACROSS, ("broker", "guangzhou", "hongkong", "macao")), "linkage"),
        (_opened(ACROSS, ("broker", "guangzhou")), "linkage"),
        (_opened(ACROSS, distinct_union=True), "overlap-union"),
        (_opened(UNION, ("broker", "macao"), distinct_union=True), "overlap-union"),
        (_opened("SELECT count(*) FROM trial", distinct_union=True), "overlap-union"),
        (_opened(ACROSS, pooled=True), "pooled"),
    ],
)
def test_what_is_not_for_exactly_its_regions_is_malformed(
    opened: Opened[query_pb2.QueryRequest], code: str
) -> None:
    with pytest.raises(Malformed) as refused:
        read_question(opened, NOW, "broker")
    assert refused.value.code == code


def test_a_gate_that_reads_plain_questions_alone_refuses_others() -> None:
    with pytest.raises(Malformed) as refused:
        read_request(_opened(ACROSS), NOW, "broker")
    assert refused.value.code == "linkage"
