"""What a node would do with a request, in a form that a person reads. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from dataspace.policy.decisions import Decision
from dataspace.query.outline import outline
from dataspace.query.product import Product
from dataspace.query.tree import Query, columns_touched


def explanation(
    query: Query, products: Mapping[str, Product], decisions: Sequence[Decision]
) -> str:
    """JSON: the tree, columns and categories touched, rules that decide, disclosure rules."""
    touched = columns_touched(query)
    return json.dumps(
        {
            "tree": outline(query),
            "products": {
                name: {
                    "columns": sorted(touched[name]),
                    "categories": sorted(
                        {
                            category
                            for column in touched[name]
                            for category in product.columns[column].categories
                        }
                    ),
                    "outcome": "permit" if decision.allowed else "deny",
                    "rules": [
                        {"rule": rule.id, "basis": rule.basis, "message": rule.message_en}
                        for rule in decision.rules
                    ],
                    "disclosure": product.disclosure.model_dump(mode="json"),
                }
                for (name, product), decision in zip(products.items(), decisions, strict=True)
            },
        },
        ensure_ascii=False,
    )
