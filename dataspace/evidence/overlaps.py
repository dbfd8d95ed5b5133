"""A node's signed share of an overlap on the wire, and labels that only the requester reads. Pure.

    node      partial = write_overlap(...); partial.labels_sealed = seal_labels(...); sign, record
    broker    combine_overlap(query, [read_overlap(...), ...]), which needs no labels
    client    the same again; open_labels of each partial; tabulate

HPKE draws its own randomness, as signatures do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785
from google.protobuf.message import DecodeError

from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.linkage.rounds import CODE_BYTES, Joined
from dataspace.linkage.sealing import PublicSealingKey, SealingKey, bound_to, pad, unpad
from dataspace.query.overlap_cells import ABSENT, OverlapCell, OverlapShare, OverlapTable
from dataspace.query.partials import read_value, write_value
from dataspace.query.product import Disclosure
from dataspace.query.tabulate import Labels
from dataspace.v1 import linkage_pb2, sealing_pb2

_PURPOSE = "overlap labels"


def read_counts(counts: linkage_pb2.OverlapCounts, joins: Sequence[Joined]) -> OverlapTable:
    """The broker's counts, held against what was brought. `joins` in the plan's order.

    Raises `Unverified` (`overlap-counts`).
    """
    return OverlapTable(
        tuple(map(_cell, counts.counts)),
        tuple(map(_cell, counts.margins)),
        tuple({batch.code: batch.tuples for batch in join.batches} for join in joins),
    )


def read_unused(counts: linkage_pb2.OverlapCounts, slots: Sequence[str]) -> tuple[str, ...]:
    """The slots that the broker left out, in the plan's order. Raises `Unverified`."""
    unused = tuple(slot for slot in slots if slot in counts.unused)
    if list(unused) != list(counts.unused):
        raise Unverified("the broker left out what the round does not have", code="overlap-counts")
    return unused


def write_cells(cells: Sequence[OverlapCell]) -> list[linkage_pb2.OverlapCount]:
    """Cells or margins on the wire."""
    return [linkage_pb2.OverlapCount(codes=each.codes, people=each.people) for each in cells]


def write_overlap(
    share: OverlapShare, partial: linkage_pb2.OverlapPartial, settings: Disclosure
) -> None:
    """Fill the share into a wire partial; what decided, and the labels, are the caller's."""
    partial.region = share.region
    partial.request_sha256 = share.request_sha256
    partial.transcript = share.transcript
    partial.min_subjects = settings.min_subjects
    partial.round_to = settings.round_to
    partial.cells.extend(write_cells(share.cells))
    partial.unused.extend(share.unused)


def read_overlap(partial: linkage_pb2.OverlapPartial) -> OverlapShare:
    """The share of a verified partial. Raises `Unverified` (`partial-shape`)."""
    if not partial.region or not partial.round_to or not partial.min_subjects:
        raise Unverified("an overlap without region or settings", code="partial-shape")
    return OverlapShare(
        partial.region,
        partial.request_sha256,
        partial.transcript,
        tuple(map(_cell, partial.cells)),
        partial.min_subjects,
        partial.round_to,
        tuple(partial.unused),
    )


def answer_digest(cells: Sequence[OverlapCell]) -> bytes:
    """SHA-256 over the RFC 8785 form of combined cells: what the broker signs as the answer."""
    ordered = sorted(cells, key=lambda each: each.codes)
    codes = [[code.hex() for code in each.codes] for each in ordered]
    document: dict[str, Any] = {"codes": codes, "people": [each.people for each in ordered]}
    return hashlib.sha256(rfc8785.dumps(document)).digest()


def read_reply_key(key: sealing_pb2.SealingPublicKey) -> PublicSealingKey:
    """The requester's fresh key. Raises `Malformed` (`reply-key`) where there is none."""
    try:
        return PublicSealingKey(key.kind, key.data)
    except Malformed:
        raise Malformed(
            "a question across regions brings a fresh key for its labels; update your client",
            code="reply-key",
        ) from None


def seal_labels(
    labels: Mapping[bytes, Labels], cells: Sequence[OverlapCell], share: OverlapShare,
    place: int, reply_key: PublicSealingKey,
) -> bytes:  # fmt: skip
    """What this region's codes stand for, sealed to the requester; `place` is its place in the
    plan. SECURITY: of codes in released cells alone: that a small group exists stays here.
    """
    released = sorted({cell.codes[place] for cell in cells} - {ABSENT})
    message = linkage_pb2.OverlapLabels(
        labels=[
            linkage_pb2.OverlapLabel(code=code, values=map(write_value, labels[code]))
            for code in released
        ]
    )
    return reply_key.seal(pad(message.SerializeToString()), _info(share))


def open_labels(sealed: bytes, share: OverlapShare, key: SealingKey) -> dict[bytes, Labels]:
    """By code. Raises `Unverified` (`overlap-labels`) for what is not sealed to us for this
    share, or holds a code twice."""
    try:
        message = linkage_pb2.OverlapLabels.FromString(unpad(key.open(sealed, _info(share))))
        labels = {each.code: tuple(map(read_value, each.values)) for each in message.labels}
    except (DataspaceError, DecodeError):
        raise _bad_labels(share.region) from None
    if len(labels) != len(message.labels) or any(len(code) != CODE_BYTES for code in labels):
        raise _bad_labels(share.region)
    return labels


def _info(share: OverlapShare) -> bytes:
    return bound_to(_PURPOSE, share.request_sha256, share.transcript, share.region.encode())


def _cell(count: linkage_pb2.OverlapCount) -> OverlapCell:
    return OverlapCell(tuple(count.codes), count.people)


def _bad_labels(region: str) -> Unverified:
    return Unverified(
        f"what {region} sealed does not say what its groups stand for", code="overlap-labels"
    )
