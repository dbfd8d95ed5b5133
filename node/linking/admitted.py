"""A round that the gate has permitted, with all that was decided. Values."""

from __future__ import annotations

from dataclasses import dataclass

from dataspace.evidence.requests import AskedOverlap
from dataspace.linkage.planning import Planned
from dataspace.policy.decisions import Decision
from dataspace.query.overlap import OverlapQuery, OverlapSide
from dataspace.query.product import Disclosure, Linkage, Product
from node.warehouse.engine import Engine


@dataclass(frozen=True)
class Admitted:
    """`query` is bound; `settings` are the strictest of all sides' products."""

    asked: AskedOverlap
    query: OverlapQuery
    planned: Planned
    decision: Decision
    settings: Disclosure
    product: Product
    recognising: Product
    catalogue_sha256: bytes
    engine: Engine
    decided_at_ms: int

    def side(self, region: str) -> OverlapSide:
        """This node's own."""
        return self.query.side(region)

    @property
    def linkage(self) -> Linkage:
        """What recognises its subjects."""
        if self.recognising.linkage is None:
            raise ValueError("a product without linkage recognises nobody")
        return self.recognising.linkage
