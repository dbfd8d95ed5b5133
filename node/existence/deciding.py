"""May this actor ask whether a patient is known here? By the rules, over what the table is of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dataspace.audit.entries import FieldValue
from dataspace.errors import Refused, Unavailable
from dataspace.evidence.archive import Archive
from dataspace.evidence.desk import Denied
from dataspace.identity.envelopes import Opened
from dataspace.policy.bases import basis_of
from dataspace.policy.decisions import CitedRule, Decision, decide
from dataspace.policy.requests import AccessRequest
from dataspace.policy.standing import Ask, Noted
from dataspace.policy.store import PolicyStore
from dataspace.query.product import Offer, Product
from node.catalogue import Catalogue

ACTION = "existence"


@dataclass(frozen=True)
class Decided:
    """A permit, with what the entry and its body hold of it."""

    rules: tuple[CitedRule, ...]
    policy_sha256: str
    fields: Mapping[str, FieldValue]
    context: Mapping[str, object]


@dataclass(frozen=True)
class ExistenceGate:
    """Decides at one node. `agreements` says how a question stands as of now."""

    region: str
    policies: PolicyStore
    archive: Archive
    catalogue: Callable[[], Catalogue]
    agreements: Ask
    # Raises where the charter in force does not let a product be offered as it is.
    check_offered: Callable[[Offer], None]

    def decide(self, opened: Opened[Any], now_ms: int) -> Decided:
        """Raises `Denied` where a rule says no, over any product that people are known by."""
        catalogue = self.catalogue()
        products = catalogue.by_documents()
        if not products:
            raise Unavailable(
                "this node knows nobody by a document; its products have no linkage",
                code="existence-none",
            )
        for product, _ in products:
            self.check_offered(product)
        state = Noted(self.agreements)
        questions = [
            state(self._question(opened, product, columns, now_ms), now_ms)
            for product, columns in products
        ]
        policies = self.policies.current()
        decisions = [decide(policies, question) for question in questions]
        # What the entry names by digest stays here, or nobody could replay the decision.
        self.archive.keep_policies(policies)
        offers = [each.offer for each in catalogue.products.values()]
        self.archive.keep_catalogue(catalogue.sha256.hex(), self.region, offers)
        allowed = all(each.allowed for each in decisions)
        fields: dict[str, FieldValue] = {
            "products": sorted(product.product for product, _ in products),
            "purpose": questions[0].purpose,
            "decision": "permit" if allowed else "deny",
            "rules": sorted({rule.id for each in decisions for rule in each.rules}),
            "policy_sha256": decisions[0].policy_sha256,
            "catalogue_sha256": catalogue.sha256.hex(),
        }
        context: dict[str, object] = {
            "access_requests": [json.loads(question.to_json()) for question in questions],
            "agreements": state.agreements,
            "decisions": [json.loads(each.to_json()) for each in decisions],
        }
        _require(decisions, fields, context)
        rules = {rule.id: rule for each in decisions for rule in each.rules}
        return Decided(tuple(rules.values()), decisions[0].policy_sha256, fields, context)

    def _question(
        self, opened: Opened[Any], product: Product, columns: Mapping[str, str], now_ms: int
    ) -> AccessRequest:
        uri = opened.signer.uri
        # Linkage columns may stand in the catalogue, as withheld, or stay unnamed.
        touched = {name for name in columns.values() if name in product.columns}
        return AccessRequest(
            actor_uri=str(uri),
            actor_region=uri.region,
            actor_member=uri.member,
            actor_role=uri.role,
            action=ACTION,
            product=product.product,
            product_region=self.region,
            purpose=opened.message.purpose,
            project="",
            columns=frozenset(touched),
            categories=frozenset(
                category for name in touched for category in product.columns[name].categories
            ),
            route_from=self.region,
            route_to=uri.region,
            legal_basis=basis_of(self.region, uri.region, ACTION),
            agreement="absent",
            consent="absent",
            emergency=False,
            at_ms=now_ms,
            assurance=opened.signer.assurance,
        )


def _require(
    decisions: list[Decision], fields: Mapping[str, FieldValue], context: Mapping[str, object]
) -> None:
    # INVARIANT: one table is made of all these products, so every one's rules must permit.
    for decision in decisions:
        try:
            decision.require()
        except Refused as error:
            raise Denied(error, fields, context) from None
