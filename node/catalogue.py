"""The products that a node has in force: definitions, signed offers, one open snapshot. Rim.

A product counts only with its owner's signature: the region's operator over the published
part and over the digest of the whole file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog

from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.identity.envelopes import check_signer, open_envelope, parse_envelope
from dataspace.identity.revoked import REVOKED_RULE
from dataspace.identity.trustlist import TrustList
from dataspace.in_force import lost_standing
from dataspace.linkage.documents import DOCUMENT_KINDS
from dataspace.query.product import Product, catalogue_digest
from dataspace.query.product_file import parse_product
from dataspace.v1.catalogue_pb2 import ProductOffer
from dataspace.v1.envelope_pb2 import Envelope
from node.warehouse.engine import Engine, Limits
from node.warehouse.generations import Generation

_LOG = structlog.get_logger("node.catalogue")


@dataclass(frozen=True)
class Published:
    """A product with what its owner signed."""

    product: Product
    offer: Envelope


@dataclass(frozen=True)
class Catalogue:
    """What a node offers, as of one generation. `engine` is None before the first load."""

    generation: str
    products: Mapping[str, Published]
    engine: Engine | None
    sha256: bytes

    def find(self, name: str) -> Product:
        """The product of that name. Raises `Malformed`."""
        if name not in self.products:
            raise Malformed(f"there is no product {name} here; see `gba catalog`", code="product")
        return self.products[name].product

    def may_hold(self, document_kind: str) -> tuple[str, ...]:
        """Products whose subjects are known by documents of a kind (a linkage field's name)."""
        known = {
            each.product.subject_space
            for each in self.products.values()
            if each.product.linkage is not None and document_kind in each.product.linkage.fields
        }
        return tuple(
            sorted(n for n, each in self.products.items() if each.product.subject_space in known)
        )

    def by_documents(self) -> list[tuple[Product, dict[str, str]]]:
        """The products by whose own columns people are known: document kind to column."""
        found = []
        for _, each in sorted(self.products.items()):
            linkage = each.product.linkage
            fields = linkage.fields if linkage is not None else {}
            columns = {kind: fields[kind] for kind in DOCUMENT_KINDS if kind in fields}
            if columns:
                found.append((each.product, columns))
        return found

    def without_revoked(self, trust: TrustList, now_ms: int) -> Catalogue:
        """The same without products whose operator has lost its standing since it signed."""
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        lost = {
            name
            for name, each in self.products.items()
            if lost_standing(partial(check_signer, each.offer, trust, at))
        }
        return self.without(lost) if lost else self

    def without(self, names: set[str]) -> Catalogue:
        """The same without products that the space does not take."""
        kept = {name: each for name, each in self.products.items() if name not in names}
        return Catalogue(self.generation, kept, self.engine, _digest(kept))


def open_catalogue(
    generation: Generation | None, region: str, trust: TrustList, now_ms: int, limits: Limits
) -> Catalogue:
    """Verify and open a generation. Raises `Unverified` where an owner did not sign."""
    if generation is None:
        return Catalogue("", {}, None, _digest({}))
    products = {}
    for name, (file, offer) in generation.products().items():
        try:
            products[name] = _verified(name, file, offer, region, trust.for_kept(), now_ms)
        except Unverified as error:
            if error.code != REVOKED_RULE:
                raise
            _LOG.error("product.operator_revoked", product=name)
    return Catalogue(
        generation.name, products, Engine(generation.database, limits), _digest(products)
    )


def _verified(
    name: str, file: bytes, offer: bytes, region: str, trust: TrustList, now_ms: int
) -> Published:
    envelope = parse_envelope(offer)
    product = parse_product(file)
    try:
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        opened = open_envelope(envelope, ProductOffer, trust, at)
    except DataspaceError as error:
        raise Unverified(f"the offer of {name} does not verify: {error}", code=error.code) from None
    uri, signed = opened.signer.uri, opened.message
    same = (
        hmac.compare_digest(hashlib.sha256(file).digest(), signed.file_sha256)
        and signed.definition_json.encode() == product.offer().canonical_json()
        and signed.product == product.product == name
    )
    if uri.role != "operator" or uri.region != region or signed.region != region or not same:
        raise Unverified(
            f"product {name} is not what {region}'s operator signed; load it again",
            code="product-signature",
        )
    return Published(product, envelope)


def _digest(products: Mapping[str, Published]) -> bytes:
    return catalogue_digest({name: each.offer.payload for name, each in products.items()})
