"""Agreements and the catalogue as other connectors read them: ODRL 2.2 and DCAT. Pure.

The JSON-LD is that of the Dataspace Protocol 2025-1 (its negotiation and catalogue schemas);
terms are of its own context, ODRL's vocabulary, or absolute names of this space. Nothing is
read back from here: what counts are the signed steps, whose digest each export names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dataspace.errors import Malformed
from dataspace.policy.agreements import FINALISED, TERMINATED, Agreement
from dataspace.policy.terms import ALL, Terms
from dataspace.query.product import Offer

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
PROFILE: Final = "urn:gba:dataspace:odrl"  # names the left operands that ODRL has no term for
ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason#"
FORMAT: Final = "gba-query"  # signed queries through the broker

Json = dict[str, Any]


def agreement_as_odrl(agreement: Agreement) -> Json:
    """A finalised agreement. Raises `Malformed` for one that is not, or is ended."""
    _require_in_force(agreement)
    terms = agreement.terms
    finalised = next(step for step in agreement.steps if step.state == FINALISED)
    return {
        "@context": [CONTEXT],
        "@type": "Agreement",
        "@id": f"urn:gba:agreement:{agreement.id}",
        "profile": PROFILE,
        "target": _target(terms),
        "assigner": _party(terms.provider),
        "assignee": _party(terms.consumer),
        "timestamp": _instant(finalised.issued_at_ms),
        **_rules(terms, agreement.finalised_sha256),
    }


def catalogue_as_dcat(
    region: str, offers: Mapping[str, Offer], endpoint: str, policies: Mapping[str, Json]
) -> Json:
    """A region's products as a DCAT catalogue. `policies` are ODRL offers by product."""
    service = f"urn:gba:broker:{region}"
    datasets = [
        {
            "@id": dataset_id(region, name),
            "@type": "Dataset",
            "dct:title": _titles(offer),
            "dcat:keyword": sorted({
                category for column in offer.columns.values() for category in column.categories
            }),
            "hasPolicy": [policies[name]],
            "distribution": [
                {"@type": "Distribution", "format": FORMAT, "accessService": service}
            ],
        }
        for name, offer in sorted(offers.items())
    ]  # fmt: skip
    catalogue: Json = {
        "@context": [CONTEXT],
        "@id": f"urn:gba:catalog:{region}",
        "@type": "Catalog",
        "participantId": _party(region),
        "service": [{"@id": service, "@type": "DataService", "endpointURL": endpoint}],
    }
    # The schema wants one dataset at least, or none of the key.
    return catalogue | ({"dataset": datasets} if datasets else {})


def catalogue_of_agreement(
    agreement: Agreement, offers: Mapping[str, Offer], endpoint: str
) -> Json:
    """The provider's products that an agreement covers, each with the agreement's terms."""
    _require_in_force(agreement)
    terms, region = agreement.terms, agreement.terms.provider_region
    covered = {name: offer for name, offer in offers.items() if terms.covers_product(name)}
    policies = {
        name: {
            "@id": f"urn:gba:offer:{region}:{name}:{agreement.id}",
            "@type": "Offer",
            "profile": PROFILE,
            **_rules(terms, agreement.finalised_sha256, name),
        }
        for name in covered
    }
    return catalogue_as_dcat(region, covered, endpoint, policies)


def statistics_offer(region: str, product: str, purposes: Iterable[str]) -> Json:
    """What is offered without any agreement: statistics, for these purposes; or nothing."""
    named = sorted(set(purposes))
    offer: Json = {"@id": f"urn:gba:offer:{region}:{product}:statistics", "@type": "Offer"}
    if not named:
        return offer | {"prohibition": [{"action": "use"}]}
    statistics = _constraint(f"{PROFILE}:answer", "eq", "statistics")
    permission = {"action": "use", "constraint": [_purposes(named), statistics]}
    return offer | {"profile": PROFILE, "permission": [permission]}


def dataset_id(region: str, product: str) -> str:
    """The name of one product at one region."""
    return f"urn:gba:dataset:{region}:{product}"


def _rules(terms: Terms, digest: str, product: str = "") -> Json:
    """Permission, prohibition and duty; where `product` is given, its columns alone."""
    constraints = [
        _purposes(terms.purposes),
        _constraint("dateTime", "gteq", _moment(terms.not_before_ms)),
        _constraint("dateTime", "lt", _moment(terms.not_after_ms)),
        _constraint(f"{PROFILE}:legal-basis", "eq", terms.basis),
        _constraint(f"{PROFILE}:agreement-sha256", "eq", digest),
    ]
    columns = [
        name
        for name in terms.columns
        if not product or name == ALL or name.partition(".")[0] == product
    ]
    if columns != [ALL]:
        constraints.append(_constraint(f"{PROFILE}:column", "isAnyOf", columns))
    if terms.budget:
        constraints.append(_constraint("count", "lteq", _integer(terms.budget)))
    for name, reference in (
        ("filing", terms.filing),
        ("impact-assessment", terms.impact_assessment),
    ):
        if reference:
            constraints.append(_constraint(f"{PROFILE}:{name}", "eq", reference))
    retention = _constraint("elapsedTime", "lteq", _period(terms.retention_days))
    permission: Json = {
        "action": "use",
        "constraint": constraints,
        "duty": [{"action": "delete", "constraint": [retention]}],
    }
    rules: Json = {"permission": _for_each(permission, terms, product)}
    if not terms.onward_transfer:
        rules["prohibition"] = _for_each({"action": "distribute"}, terms, product)
    return rules


def _for_each(rule: Json, terms: Terms, product: str) -> list[Json]:
    """One rule a product, where an agreement names several; otherwise its target is enough."""
    if product or len(terms.products) == 1:
        return [rule]
    return [{"target": dataset_id(terms.provider_region, name), **rule} for name in terms.products]


def _target(terms: Terms) -> str:
    if len(terms.products) == 1 and terms.products != (ALL,):
        return dataset_id(terms.provider_region, terms.products[0])
    return f"urn:gba:catalog:{terms.provider_region}"


def _party(party: str) -> str:
    return f"gba://{party}"


def _purposes(purposes: Iterable[str]) -> Json:
    return _constraint("purpose", "isAnyOf", [f"{ACT_REASON}{each}" for each in purposes])


def _constraint(left: str, operator: str, right: object) -> Json:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _moment(at_ms: int) -> Json:
    return {"@value": _instant(at_ms), "@type": "xsd:dateTime"}


def _period(days: int) -> Json:
    return {"@value": f"P{days}D", "@type": "xsd:duration"}


def _integer(number: int) -> Json:
    return {"@value": str(number), "@type": "xsd:integer"}


def _instant(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _titles(offer: Offer) -> list[Json]:
    titles = offer.title.model_dump(by_alias=True)
    return [{"@value": text, "@language": lang} for lang, text in titles.items() if text]


def _require_in_force(agreement: Agreement) -> None:
    if agreement.state == TERMINATED or not agreement.finalised_sha256:
        raise Malformed(
            f"the agreement is {agreement.state}; only one that is finalised and not ended is "
            "exported",
            code="agreement-state",
        )
