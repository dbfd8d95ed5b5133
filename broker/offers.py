"""The space's catalogue as the broker knows it: signed offers by region, kept on disk. Rim.

Offers outlive an attachment, so that a region whose node is away is still asked, and named
as unreachable, instead of silently left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import DataspaceError, Malformed, Refused
from dataspace.evidence.answers import status_of
from dataspace.evidence.offers import RegionOffer, open_offer
from dataspace.identity.envelopes import check_signer, parse_envelope
from dataspace.identity.revoked import REVOKED_RULE
from dataspace.identity.trustlist import TrustList
from dataspace.policy.charter import Charter
from dataspace.query.product import Column, Offer
from dataspace.v1 import query_pb2
from dataspace.v1.catalogue_pb2 import ProductOffer
from dataspace.v1.envelope_pb2 import Envelope


class Offers:
    """All offers in force. For one event loop."""

    def __init__(self, folder: Path, trust: TrustList, now_ms: int) -> None:
        self._folder = folder
        # What regions have decided on: offers of another schema are not shown until their
        # region loads them anew, since they could not be combined.
        self.charter: Callable[[], Charter | None] = lambda: None
        self._by_region: dict[str, dict[str, RegionOffer]] = {}
        for file in sorted(folder.glob("*/*.dsse")):
            region = file.parent.name
            envelope = parse_envelope(file.read_bytes())
            try:
                offer = open_offer(envelope, region, trust.for_kept(), now_ms)
            except Refused as error:
                if error.rule != REVOKED_RULE:
                    raise
                continue  # until the region's new operator signs it
            self._by_region.setdefault(region, {})[offer.offer.product] = offer

    def drop_revoked(self, trust: TrustList, now_ms: int) -> None:
        """Leave out what operators signed whose certificate has been revoked since."""
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        for offers in self._by_region.values():
            for name, offer in list(offers.items()):
                try:
                    check_signer(offer.envelope, trust.for_kept(), at)
                except Refused:
                    del offers[name]

    def all(self) -> list[RegionOffer]:
        """Every offer, by region and name."""
        charter = self.charter()
        return [
            offer
            for _, offers in sorted(self._by_region.items())
            for _, offer in sorted(offers.items())
            if charter is None or charter.has_schema_of(offer.offer)
        ]

    def replace(
        self,
        region: str,
        envelopes: Iterable[Envelope],
        trust: TrustList,
        now_ms: int,
        *,
        whole: bool = False,
    ) -> list[query_pb2.ErrorStatus]:
        """Take a region's offers; those that do not fit the space come back with a reason.

        With `whole` all are taken or none: the region's earlier offers then stay in force.
        """
        taken: dict[str, RegionOffer] = {}
        rejected = []
        for envelope in envelopes:
            try:
                offer = open_offer(envelope, region, trust, now_ms)
                self._check_schema(offer)
                if whole and (charter := self.charter()) is not None:
                    charter.check_offer(offer.offer)
                taken[offer.offer.product] = offer
            except DataspaceError as error:
                status = status_of(error)
                status.rule = _name_in(envelope)
                rejected.append(status)
        if not (whole and rejected):
            self._by_region[region] = taken
            self._store(region, taken)
        return rejected

    def _check_schema(self, fresh: RegionOffer) -> None:
        """A region that offers an existing name must match its schema, unless the regions have
        decided on another one."""
        charter = self.charter()
        if charter is not None and fresh.offer.product in charter.products:
            return
        for region, offers in sorted(self._by_region.items()):
            known = offers.get(fresh.offer.product)
            if region == fresh.region or known is None:
                continue
            if known.offer.schema_digest() != fresh.offer.schema_digest():
                column = _first_difference(known.offer, fresh.offer)
                raise Malformed(
                    f"product {fresh.offer.product} differs from {region}'s in column {column}; "
                    "match its type, role, levels and bounds, choose another name, or see "
                    "`gba govern propose --product`",
                    code="product-schema",
                )

    def _store(self, region: str, offers: dict[str, RegionOffer]) -> None:
        folder = self._folder / region
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, offer in offers.items():
            draft = folder / f"{name}.new"
            write_synced(draft, offer.envelope.SerializeToString())
            draft.rename(folder / f"{name}.dsse")
        for file in folder.glob("*.dsse"):
            if file.stem not in offers:
                file.unlink()
        sync_directory(folder)


def _name_in(envelope: Envelope) -> str:
    """The product that a rejected offer named, for the message alone."""
    try:
        return str(ProductOffer.FromString(envelope.payload).product)
    except ValueError:
        return hashlib.sha256(envelope.payload).hexdigest()[:12]


def _shape(column: Column) -> tuple[object, ...]:
    return (column.type, column.role, column.levels, column.bounds)


def _first_difference(known: Offer, fresh: Offer) -> str:
    for name in sorted({*known.columns, *fresh.columns}):
        left, right = known.columns.get(name), fresh.columns.get(name)
        if left is None or right is None:
            return name
        if _shape(left) != _shape(right):
            return name
    return "order"
