"""What a node would do with a request, in a form that a person reads. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataspace.linkage.planning import Planned
from dataspace.policy.decisions import Decision
from dataspace.query.outline import outline, outline_across
from dataspace.query.overlap import OverlapQuery
from dataspace.query.product import Disclosure, Product
from dataspace.query.tree import Query, columns_touched


@dataclass(frozen=True)
class Stands:
    """How a use of a product stands under agreements, and by which of them (digests in hex)."""

    state: str
    agreements: tuple[str, ...]


def explanation(
    query: Query, products: Mapping[str, Product], decisions: Sequence[Decision]
) -> str:
    """JSON: the tree, columns and categories touched, rules that decide, disclosure rules."""
    touched = columns_touched(query)
    return json.dumps(
        {
            "tree": outline(query),
            "products": {
                name: _product(product, touched[name], decision)
                for (name, product), decision in zip(products.items(), decisions, strict=True)
            },
        },
        ensure_ascii=False,
    )


def explanation_across(
    query: OverlapQuery, region: str, own: Product, decision: Decision, stands: Stands,
    planned: Planned, settings: Disclosure,
) -> str:  # fmt: skip
    """The same of a region's side of a question across regions, and what its round would be.

    `settings` are the strictest of all sides', by which each of them would disclose.
    """
    product = _product(own, query.side(region).columns_touched(), decision)
    product["agreements"] = {"state": stands.state, "digests": list(stands.agreements)}
    return json.dumps(
        {
            "tree": outline_across(query),
            "products": {own.product: product},
            "round": {
                "regions": list(planned.plan.regions),
                "tier": planned.plan.tier,
                "match": list(planned.plan.slots),
                "disclosure": settings.model_dump(mode="json", include={"min_subjects", "round_to",
                                                                       "secondary"}),
            },
        },
        ensure_ascii=False,
    )  # fmt: skip


def _product(product: Product, touched: Iterable[str], decision: Decision) -> dict[str, Any]:
    columns = sorted(touched)
    return {
        "columns": columns,
        "categories": sorted(
            {category for name in columns for category in product.columns[name].categories}
        ),
        "outcome": "permit" if decision.allowed else "deny",
        "rules": [
            {"rule": rule.id, "basis": rule.basis, "message": rule.message_en}
            for rule in decision.rules
        ],
        "disclosure": product.disclosure.model_dump(mode="json"),
    }
