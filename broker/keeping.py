"""Keeping what `gba audit export` needs of a release. Rim: writes the broker's archive."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from dataspace.errors import DataspaceError
from dataspace.evidence.archive import Archive
from dataspace.evidence.offers import RegionOffer
from dataspace.query.product import catalogue_digest
from dataspace.v1 import evidence_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("broker.keeping")


def keep_release(
    archive: Archive,
    request: Envelope,
    release: query_pb2.ReleaseBundle,
    forwarded_index: int,
    offers: Sequence[RegionOffer],
) -> None:
    """Keep a recorded release with its request, and all that the regions asked offered.

    The release is in the log by now and stands, whatever becomes of this.
    """
    kept = evidence_pb2.KeptRelease(
        request=request, release=release, forwarded_index=forwarded_index
    )
    try:
        for region in sorted({each.region for each in offers}):
            own = {each.offer.product: each.envelope for each in offers if each.region == region}
            digest = catalogue_digest({name: each.payload for name, each in own.items()})
            archive.keep_catalogue(digest.hex(), region, own.values())
            kept.catalogues_sha256.append(digest)
        archive.keep_release(kept)
    except DataspaceError as error:
        _LOG.error("release.unkept", code=error.code)
