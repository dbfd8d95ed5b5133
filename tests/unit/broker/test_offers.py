"""The broker's catalogue: a region's offers are replaced together, and refused without a gap."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from broker.offers import Offers
from dataspace.cli.founding import found_space
from dataspace.evidence.offers import regions_asked
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.query.parse import parse_query
from dataspace.query.product_file import parse_product
from dataspace.v1.catalogue_pb2 import ProductOffer
from dataspace.v1.envelope_pb2 import Envelope
from tests.revocations import current_trust

TRIAL = """
product: trial
title: {en: Trial}
source: select * from trial
subject: pidnum
columns:
  age: {type: integer, role: measure}
"""
OTHER_TYPE = TRIAL.replace("integer", "double")
VISITS = TRIAL.replace("product: trial", "product: visits")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A founded space, for its keys."""
    home = tmp_path_factory.mktemp("offers") / "space"
    found_space(home)
    return home


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def offer(home: Path, region: str, text: str) -> Envelope:
    """What a region's operator signs of a product file."""
    product = parse_product(text.encode())
    message = ProductOffer(
        region=region,
        product=product.product,
        definition_json=product.offer().canonical_json().decode(),
        published_at_ms=now_ms(),
    )
    return seal(message, PartyHome(home / region / "operator").identity)


def regions_of(offers: Offers, product: str) -> set[str]:
    """The regions that a question about a product would go to."""
    return set(regions_asked(parse_query(f"select count(*) from {product}"), offers.all()))


def test_a_refused_load_leaves_the_regions_offers_in_force(home: Path, tmp_path: Path) -> None:
    trust = current_trust(home, now_ms())
    offers = Offers(tmp_path, trust, now_ms())
    for region in ("hongkong", "macao"):
        assert not offers.replace(region, [offer(home, region, TRIAL)], trust, now_ms())
    load = [offer(home, "macao", VISITS), offer(home, "macao", OTHER_TYPE)]
    (status,) = offers.replace("macao", load, trust, now_ms(), whole=True)
    assert status.rule == "trial"
    assert "column age" in status.message
    assert regions_of(offers, "trial") == {"hongkong", "macao"}
    again = Offers(tmp_path, trust, now_ms())
    assert regions_of(again, "trial") == {"hongkong", "macao"}
    assert {each.offer.product for each in again.all()} == {"trial"}


def test_a_node_that_attaches_brings_what_fits_the_space(home: Path, tmp_path: Path) -> None:
    trust = current_trust(home, now_ms())
    offers = Offers(tmp_path, trust, now_ms())
    assert not offers.replace("hongkong", [offer(home, "hongkong", TRIAL)], trust, now_ms())
    brought = [offer(home, "macao", VISITS), offer(home, "macao", OTHER_TYPE)]
    (status,) = offers.replace("macao", brought, trust, now_ms())
    assert status.code == "product-schema"
    assert regions_of(offers, "visits") == {"macao"}
    assert regions_of(offers, "trial") == {"hongkong"}
