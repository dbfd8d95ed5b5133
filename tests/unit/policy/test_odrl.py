"""Exports held against the Dataspace Protocol's 2025-1 form, checked by hand.

The forms below are what its negotiation and catalogue schemas require of an Agreement, an
Offer, a Catalog and a Dataset: keys, types, and the operators that they list.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataspace.errors import Malformed
from dataspace.policy.odrl import (
    CONTEXT,
    agreement_as_odrl,
    catalogue_as_dcat,
    catalogue_of_agreement,
    statistics_offer,
)
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import DAY, operators
from tests.unit.query.samples import offer

OPERATORS = {
    "eq", "gt", "gteq", "lteq", "hasPart", "isA", "isAllOf", "isAnyOf", "isNoneOf", "isPartOf",
    "lt", "term-lteq", "neq",
}  # fmt: skip
LEFT_OPERANDS = {"purpose", "dateTime", "count", "elapsedTime"}  # of ODRL 2.2, as used here
ACTIONS = {"use", "distribute", "delete"}
ENDPOINT = "https://broker.example:4433"


def check_constraint(constraint: dict[str, Any]) -> None:
    assert constraint.keys() == {"leftOperand", "operator", "rightOperand"}
    assert constraint["operator"] in OPERATORS
    assert isinstance(constraint["rightOperand"], (str, dict, list))
    left = constraint["leftOperand"]
    assert left in LEFT_OPERANDS or left.startswith("urn:gba:dataspace:odrl:")


def check_rules(policy: dict[str, Any]) -> None:
    assert policy.get("permission") or policy.get("prohibition")
    for name in ("permission", "prohibition"):
        assert isinstance(policy.get(name, []), list)
        for rule in policy.get(name, []):
            assert rule["action"] in ACTIONS
            for each in rule.get("constraint", []):
                check_constraint(each)
            for duty in rule.get("duty", []):
                assert duty["action"] in ACTIONS
                for each in duty["constraint"]:
                    check_constraint(each)


def check_catalogue(catalogue: dict[str, Any]) -> None:
    assert catalogue["@context"] == [CONTEXT]
    assert catalogue["@type"] == "Catalog"
    assert isinstance(catalogue["@id"], str)
    assert isinstance(catalogue["participantId"], str)
    assert "hasPolicy" not in catalogue
    services = {each["@id"] for each in catalogue["service"]}
    assert all(each["@type"] == "DataService" for each in catalogue["service"])
    assert all(each["endpointURL"] == ENDPOINT for each in catalogue["service"])
    assert catalogue.get("dataset") != []
    for dataset in catalogue.get("dataset", []):
        assert dataset["@type"] == "Dataset"
        assert isinstance(dataset["@id"], str)
        for policy in dataset["hasPolicy"]:
            assert policy["@type"] == "Offer"
            assert "target" not in policy
            assert isinstance(policy["@id"], str)
            check_rules(policy)
        for distribution in dataset["distribution"]:
            assert distribution["accessService"] in services
            assert isinstance(distribution["format"], str)


def test_the_export_is_the_one_checked_by_hand() -> None:
    agreement = operators().agreement(
        columns=["patients.age", "patients.sex"], budget=100, retention_days=7,
        consumer="hongkong/hospital", purposes=["TREAT"],
    )  # fmt: skip
    exported = agreement_as_odrl(agreement)
    assert json.loads(json.dumps(exported)) == {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": "Agreement",
        "@id": f"urn:gba:agreement:{agreement.id}",
        "profile": "urn:gba:dataspace:odrl",
        "target": "urn:gba:dataset:guangzhou:patients",
        "assigner": "gba://guangzhou",
        "assignee": "gba://hongkong/hospital",
        "timestamp": "2030-06-01T12:00:00.000Z",
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {
                        "leftOperand": "purpose",
                        "operator": "isAnyOf",
                        "rightOperand": [
                            "http://terminology.hl7.org/CodeSystem/v3-ActReason#TREAT"
                        ],
                    },
                    {
                        "leftOperand": "dateTime",
                        "operator": "gteq",
                        "rightOperand": {
                            "@value": "2030-05-31T12:00:00.000Z", "@type": "xsd:dateTime",
                        },
                    },
                    {
                        "leftOperand": "dateTime",
                        "operator": "lt",
                        "rightOperand": {
                            "@value": "2030-06-11T12:00:00.000Z", "@type": "xsd:dateTime",
                        },
                    },
                    {
                        "leftOperand": "urn:gba:dataspace:odrl:legal-basis",
                        "operator": "eq",
                        "rightOperand": "GBA-SC",
                    },
                    {
                        "leftOperand": "urn:gba:dataspace:odrl:agreement-sha256",
                        "operator": "eq",
                        "rightOperand": agreement.finalised_sha256,
                    },
                    {
                        "leftOperand": "urn:gba:dataspace:odrl:column",
                        "operator": "isAnyOf",
                        "rightOperand": ["patients.age", "patients.sex"],
                    },
                    {
                        "leftOperand": "count",
                        "operator": "lteq",
                        "rightOperand": {"@value": "100", "@type": "xsd:integer"},
                    },
                    {
                        "leftOperand": "urn:gba:dataspace:odrl:filing",
                        "operator": "eq",
                        "rightOperand": "F-1",
                    },
                    {
                        "leftOperand": "urn:gba:dataspace:odrl:impact-assessment",
                        "operator": "eq",
                        "rightOperand": "PIA-1",
                    },
                ],
                "duty": [
                    {
                        "action": "delete",
                        "constraint": [
                            {
                                "leftOperand": "elapsedTime",
                                "operator": "lteq",
                                "rightOperand": {"@value": "P7D", "@type": "xsd:duration"},
                            }
                        ],
                    }
                ],
            }
        ],
        "prohibition": [{"action": "distribute"}],
    }  # fmt: skip
    check_rules(exported)


def test_an_agreement_over_several_products_has_a_rule_for_each() -> None:
    exported = agreement_as_odrl(operators().agreement(products=["labs", "patients"]))
    check_rules(exported)
    assert exported["target"] == "urn:gba:catalog:guangzhou"
    targets = [each["target"] for each in exported["permission"]]
    assert targets == ["urn:gba:dataset:guangzhou:labs", "urn:gba:dataset:guangzhou:patients"]
    everything = agreement_as_odrl(operators().agreement(products=["*"]))
    assert everything["target"] == "urn:gba:catalog:guangzhou"
    assert "target" not in everything["permission"][0]


def test_onward_transfer_that_is_agreed_on_is_not_prohibited() -> None:
    exported = agreement_as_odrl(
        operators().agreement(basis="HK-PDPO+MO-PDPA", onward_transfer=True, filing="")
    )
    assert "prohibition" not in exported


@pytest.mark.parametrize("until", ["requested", "agreed", "verified", "terminated"])
def test_what_is_not_in_force_is_not_exported(until: str) -> None:
    agreement = operators().agreement(until)
    with pytest.raises(Malformed, match=until):
        agreement_as_odrl(agreement)
    with pytest.raises(Malformed, match=until):
        catalogue_of_agreement(agreement, {}, ENDPOINT)


def test_a_catalogue_lists_each_product_with_its_offer() -> None:
    offers = {"trial": offer()}
    policies = {"trial": statistics_offer("macao", "trial", ["HRESCH", "HRESCH"])}
    catalogue = catalogue_as_dcat("macao", offers, ENDPOINT, policies)
    check_catalogue(catalogue)
    (dataset,) = catalogue["dataset"]
    assert dataset["@id"] == "urn:gba:dataset:macao:trial"
    assert {"@value": offer().title.en, "@language": "en"} in dataset["dct:title"]
    (policy,) = dataset["hasPolicy"]
    assert policy["permission"][0]["constraint"][0]["rightOperand"] == [
        "http://terminology.hl7.org/CodeSystem/v3-ActReason#HRESCH"
    ]


def test_who_may_ask_nothing_is_offered_nothing() -> None:
    policies = {"trial": statistics_offer("macao", "trial", [])}
    catalogue = catalogue_as_dcat("macao", {"trial": offer()}, ENDPOINT, policies)
    check_catalogue(catalogue)
    assert catalogue["dataset"][0]["hasPolicy"][0]["prohibition"] == [{"action": "use"}]


def test_the_catalogue_of_an_agreement_shows_what_it_covers_alone() -> None:
    agreement = operators().agreement(products=["labs", "trial"], columns=["labs.x", "trial.age"])
    catalogue = catalogue_of_agreement(agreement, {"trial": offer(), "other": offer()}, ENDPOINT)
    check_catalogue(catalogue)
    (dataset,) = catalogue["dataset"]
    (policy,) = dataset["hasPolicy"]
    named = [
        each["rightOperand"]
        for each in policy["permission"][0]["constraint"]
        if each["leftOperand"].endswith(":column")
    ]
    assert named == [["trial.age"]]
    nothing = catalogue_of_agreement(agreement, {}, ENDPOINT)
    check_catalogue(nothing)
    assert NOW_MS < agreement.terms.not_after_ms < NOW_MS + 11 * DAY
