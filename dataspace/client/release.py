"""A release as a member holds it: verified, combined, with every node's outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataspace.errors import Unavailable
from dataspace.evidence.overlap_releases import CheckedOverlap
from dataspace.evidence.releases import CheckedRelease
from dataspace.query.combine import Answer
from dataspace.query.tree import Query
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class NodeStatus:
    """What one region came to: `released`, `refused`, `unreachable`, `timeout`, …"""

    region: str
    status: str
    reason: str


@dataclass(frozen=True)
class Release:
    """The combined answer. `id` is the digest of what the broker signed; `types` are Arrow's,
    one for each column, None for a number."""

    id: str
    answer: Answer
    nodes: tuple[NodeStatus, ...]
    provisional: bool
    request: bytes = field(repr=False)
    bundle: bytes = field(repr=False)
    types: tuple[pa.DataType | None, ...] = field(repr=False)
    prove: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def evidence(self) -> bytes:
        """The evidence file of this release, verified. Asks every log's owner for its part.

        Waits up to 10 s while the release is not cosigned; raises `Unavailable` (code
        `not-cosigned`) where it stays so, and where the session is closed.
        """
        if self.prove is None:
            raise Unavailable("this release has no session to ask", code="evidence-session")
        return self.prove()

    @property
    def request_id(self) -> str:
        """What the request is called in the lines of broker and nodes: 16 hex digits."""
        payload = Envelope.FromString(self.request).payload
        return hashlib.sha256(payload).hexdigest()[:16]

    @property
    def hidden_cells(self) -> int | None:
        """Declared level combinations that are not shown; None where levels are not declared."""
        return self.answer.hidden_cells

    @property
    def table(self) -> pa.Table:
        """The answer as a pyarrow table, one column for each output.

        Counts are int64, other numbers double unless all are whole or decimals, dates date32,
        moments timestamps without a zone, a histogram a list of int64.
        """
        from dataspace.client.columns import arrow_table  # noqa: PLC0415 - the broker's image has none, and it is slow to load

        return arrow_table(self.answer, self.types)

    def to_json(self) -> dict[str, Any]:
        """The one object of the command line's `--format json`."""
        return {
            "release": self.id,
            "columns": list(self.answer.columns),
            "rows": [list(row) for row in self.answer.rows],
            "shown_by": [list(regions) for regions in self.answer.shown_by],
            "hidden_cells": self.answer.hidden_cells,
            "provisional": self.provisional,
            "nodes": [vars(node) for node in self.nodes],
            "evidence": None,
            "notes": list(self.answer.notes),
            "error_bounds": None
            if self.answer.error_bounds is None
            else [dict(each) for each in self.answer.error_bounds],
        }


def release_of(
    query: Query,
    checked: CheckedRelease | CheckedOverlap,
    answer: Answer,
    bundle: query_pb2.ReleaseBundle,
    envelope: Envelope,
    cosigned: query_pb2.Cosigned | None,
) -> Release:
    """A release as a session hands it out, of what was checked."""
    from dataspace.client.columns import column_types  # noqa: PLC0415 - likewise

    return Release(
        id=checked.release_sha256.hex(),
        answer=answer,
        nodes=tuple(
            NodeStatus(node.region, node.status, node.reason) for node in checked.release.nodes
        ),
        provisional=cosigned is None,
        request=envelope.SerializeToString(),
        bundle=bundle.SerializeToString(),
        types=column_types(query),
    )
