"""Revocations that come while products are published."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dataspace.cli.founding import found_space
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.keystore import SIGNING_CHAIN, load_chain
from dataspace.identity.revocation import seal_revocation_list
from dataspace.identity.revoked import CertificateId, Revoked
from dataspace.processes import now_ms
from dataspace.query.product_file import parse_product
from dataspace.v1.catalogue_pb2 import ProductOffer
from dataspace.v1.envelope_pb2 import Envelope
from node import service
from node.catalogue import Catalogue, Published
from node.service import Node
from node.warehouse.generations import Generations
from tests.revocations import fresh_lists
from tests.unit.node.samples import TRIAL

REGION = "hongkong"


def published(home: Path) -> Published:
    """The sample product, as the region's operator signs it."""
    product = parse_product(TRIAL.encode())
    message = ProductOffer(
        region=REGION,
        product=product.product,
        definition_json=product.offer().canonical_json().decode(),
        file_sha256=hashlib.sha256(TRIAL.encode()).digest(),
        published_at_ms=now_ms(),
    )
    return Published(product, seal(message, PartyHome(home / REGION / "operator").identity))


def revoking(home: Path) -> Envelope:
    leaf = load_chain(home / REGION / "operator" / SIGNING_CHAIN)[0]
    revoked = Revoked(CertificateId.of(leaf), now_ms(), "key-compromise")
    signer = PartyHome(home / REGION / "revocation").identity
    return seal_revocation_list(signer, "gba", 2, now_ms(), [revoked])


@pytest.mark.parametrize("revoked", [False, True])
def test_a_product_whose_operator_is_revoked_while_it_is_published_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revoked: bool
) -> None:
    found_space(tmp_path / "space")
    home = tmp_path / "space"
    node = Node.open(PartyHome(home / REGION))
    node.in_force.take(fresh_lists(home, now_ms()))
    known = published(home)
    fresh = Catalogue("g1", {"trial": known}, None, b"")
    monkeypatch.setattr(service, "open_catalogue", lambda *_: fresh)
    monkeypatch.setattr(Generations, "publish", lambda *_: None)
    (node.generations.root / "g1").mkdir(parents=True)

    async def publish(_offers: Sequence[Envelope], _earlier: Sequence[Envelope]) -> list[Any]:
        if revoked:
            assert not node.in_force.take([revoking(home)])
        return []

    attachments: Any = SimpleNamespace(attached=True, publish=publish)
    try:
        asyncio.run(node._publish("g1", attachments))
        assert sorted(node.gatekeeper.catalogue.products) == ([] if revoked else ["trial"])
    finally:
        node.close()
