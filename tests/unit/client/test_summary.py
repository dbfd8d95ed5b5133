"""A record as an International Patient Summary: FHIR R4, and the summary's own cardinalities."""

from __future__ import annotations

import copy
import datetime
import itertools
import json
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirabstractbase import FHIRValidationError

from dataspace.client.records import PatientRecord, RegionRecord
from dataspace.client.summary.bundle import Knows, summary
from dataspace.client.summary.checks import problems
from dataspace.client.summary.labels import (
    LANGUAGES,
    column_label,
    value_labels,
)
from dataspace.errors import Malformed, Refused, Unavailable
from dataspace.evidence.record_replies import LeftOut, RecordTable
from dataspace.linkage.documents import Document
from dataspace.query.product import Role
from dataspace.query.product_file import parse_product
from dataspace.synthetic.product_files import product_text

AT = int(datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC).timestamp() * 1000)
PRODUCTS = ("allergies", "conditions", "immunizations", "medications", "patients")
NO = Refused("not permitted", code="policy", rule="default-deny", basis="b")
AWAY = Unavailable("hongkong: not attached", code="node-unavailable")


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


TABLES: dict[str, RecordTable] = {
    "allergies": RecordTable(
        "allergies", ("substance", "severity", "noted_on"),
        (("penicillin", "severe", day("2019-02-03")), ("a <b>new</b> one", None, None)),
    ),
    "conditions": RecordTable(
        "conditions", ("icd10", "category", "onset_date"),
        (("E11.9", "diabetes", day("2015-01-02")), ("Z99.9", None, None)),
        left_out=(LeftOut("brca", NO),),
    ),
    "immunizations": RecordTable(
        "immunizations", ("vaccine", "name", "dose", "given_on"),
        (("J07BN01", "covid-19, RNA-based", 2, day("2022-05-01")), ("J07BM03", None, None, None)),
    ),
    "medications": RecordTable(
        "medications", ("atc", "name", "start_date", "days_supplied"),
        (("A10BA02", "metformin", day("2026-04-20"), 30),
         ("C10AA05", "atorvastatin", day("2020-04-20"), 30), ("N02BE01", None, None, None)),
    ),
    "patients": RecordTable("patients", ("sex", "blood_type"), (("F", "A+"),)),
}  # fmt: skip


def region(name: str = "hongkong", **changed: RecordTable) -> RegionRecord:
    return RegionRecord(name, tuple((TABLES | changed)[each] for each in PRODUCTS))


def empty(name: str) -> RegionRecord:
    return RegionRecord(
        name, tuple(RecordTable(each.product, each.columns) for each in TABLES.values())
    )


def record(*regions: RegionRecord, products: tuple[str, ...] = PRODUCTS) -> PatientRecord:
    return PatientRecord("TREAT", products, AT, regions)


KNOWS = Knows(
    (Document.parse("hkid:A123456(3)"),), "macao/hospital", "陳 & 大文", day("1960-02-03")
)
RECORDS = {
    "all there": record(region()),
    "two regions": record(region(), region("macao")),
    "nothing known": record(empty("hongkong")),
    "away": record(RegionRecord("hongkong", error=AWAY)),
    "refused": record(RegionRecord("hongkong", error=NO), RegionRecord("macao", error=AWAY)),
    "one product kept back": record(
        region(conditions=RecordTable("conditions", refused=NO)), empty("macao")
    ),
    "codes kept back": record(
        region(conditions=RecordTable("conditions", ("onset_date",), ((day("2015-01-02"),),),
                                      left_out=(LeftOut("icd10", NO),)))
    ),
    "allergies alone": record(
        RegionRecord("hongkong", (TABLES["allergies"],)), products=("allergies",)
    ),
}  # fmt: skip


def made(name: str, language: str = "en", knows: Knows = KNOWS) -> dict[str, Any]:
    numbers = itertools.count(1)
    return summary(
        RECORDS[name], knows, language, lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"
    )


def sections(bundle: Mapping[str, Any]) -> dict[str, Any]:
    composition = bundle["entry"][0]["resource"]
    return {each["code"]["coding"][0]["code"]: each for each in composition["section"]}


def resources(bundle: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [each["resource"] for each in bundle["entry"]]
    return [each for each in found if each["resourceType"] == kind]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("knows", [KNOWS, Knows(())], ids=["known", "masked"])
def test_every_summary_is_fhir_r4_and_keeps_the_summarys_cardinalities(
    name: str, language: str, knows: Knows
) -> None:
    bundle = json.loads(json.dumps(made(name, language, knows)))
    Bundle(bundle, strict=True)
    assert problems(bundle) == []


def test_the_models_of_fhir_refuse_what_is_none() -> None:
    broken = made("all there")
    broken["entry"][0]["resource"]["invented"] = 1
    with pytest.raises(FHIRValidationError):
        Bundle(broken, strict=True)


def test_rows_become_resources_with_their_region() -> None:
    bundle = made("two regions")
    assert len(resources(bundle, "Condition")) == 4
    assert {each["meta"]["source"] for each in resources(bundle, "Condition")} == {
        "gba://hongkong", "gba://macao",
    }  # fmt: skip
    first = resources(bundle, "Condition")[0]
    assert first["code"]["coding"][0]["code"] == "E11.9"
    assert first["onsetDateTime"] == "2015-01-02"
    assert [each["status"] for each in resources(made("all there"), "MedicationStatement")] == [
        "active", "completed", "unknown",
    ]  # fmt: skip
    doses = resources(made("all there"), "Immunization")
    assert doses[0]["protocolApplied"] == [{"doseNumberPositiveInt": 2}]
    assert doses[1]["occurrenceString"] == "not recorded"
    assert resources(bundle, "Patient")[0]["gender"] == "female"


def test_displays_and_texts_are_in_the_language_asked_for() -> None:
    for language, name in value_labels("conditions", "icd10", "E11.9").items():
        bundle = made("all there", language)
        code = resources(bundle, "Condition")[0]["code"]
        assert code["text"] == name
        assert code["coding"][0]["display"].startswith("Type 2 diabetes")
        assert name in sections(bundle)["11450-4"]["text"]["div"]
        told = {
            each["extension"][0]["valueCode"]: each["extension"][1]["valueString"]
            for each in code["coding"][0]["_display"]["extension"]
        }
        assert {"en": code["coding"][0]["display"], **told} == dict(
            value_labels("conditions", "icd10", "E11.9")
        )
    assert made("all there", "pt")["entry"][0]["resource"]["title"].startswith("Resumo")


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("away", "11450-4", "unavailable"),
        ("refused", "48765-2", "withheld"),
        ("codes kept back", "11450-4", "withheld"),
        ("allergies alone", "10160-0", "notasked"),
    ],
)
def test_an_empty_section_says_why(name: str, code: str, reason: str) -> None:
    section = sections(made(name))[code]
    assert section["emptyReason"]["coding"][0]["code"] == reason
    assert "entry" not in section


def test_nothing_known_is_said_as_no_information_and_never_as_none() -> None:
    bundle = made("nothing known")
    codes = {
        kind: resources(bundle, kind)[0][element]["coding"][0]["code"]
        for kind, element in (
            ("Condition", "code"), ("AllergyIntolerance", "code"),
            ("MedicationStatement", "medicationCodeableConcept"), ("Immunization", "vaccineCode"),
        )
    }  # fmt: skip
    assert codes == {
        "Condition": "no-problem-info",
        "AllergyIntolerance": "no-allergy-info",
        "MedicationStatement": "no-medication-info",
        "Immunization": "no-immunization-info",
    }


def test_a_region_that_gave_less_is_named_in_the_text() -> None:
    assert "Hong Kong" in sections(made("one product kept back"))["11450-4"]["text"]["div"]
    # a column that was left out: the text says that not everything is here
    assert "Not everything is here" in sections(made("all there"))["11450-4"]["text"]["div"]
    assert "Not everything" not in sections(made("all there"))["10160-0"]["text"]["div"]


def test_what_the_nodes_keep_back_of_the_patient_is_masked() -> None:
    (patient,) = resources(made("all there", knows=Knows(())), "Patient")
    assert patient["_birthDate"]["extension"][0]["valueCode"] == "masked"
    assert patient["name"][0]["_text"]["extension"][0]["valueCode"] == "masked"


def test_values_never_become_markup() -> None:
    class Tags(HTMLParser):
        seen: set[str] = set()  # noqa: RUF012 - one parser alone

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.seen.add(tag)

    for section in sections(made("all there")).values():
        Tags().feed(section["text"]["div"])
    assert Tags.seen <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}


def _drop(path: str) -> Callable[[dict[str, Any]], None]:
    def change(bundle: dict[str, Any]) -> None:
        kind, _, name = path.partition(".")
        found = bundle if kind == "Bundle" else resources(bundle, kind)[0]
        del found[name]

    return change


def _first_section(bundle: dict[str, Any]) -> Any:
    return bundle["entry"][0]["resource"]["section"][0]


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no identifier": _drop("Bundle.identifier"),
    "no timestamp": _drop("Bundle.timestamp"),
    "a collection": lambda b: b.update(type="collection"),
    "no composition first": lambda b: b["entry"].reverse(),
    "two compositions": lambda b: b["entry"].append(b["entry"][0] | {"fullUrl": "urn:uuid:other"}),
    "no patient": lambda b: b["entry"].pop(1),
    "an entry without its name": lambda b: b["entry"][3].pop("fullUrl"),
    "a reference to nothing": lambda b: b["entry"].pop(),
    "no title": _drop("Composition.title"),
    "no author": _drop("Composition.author"),
    "no date": _drop("Composition.date"),
    "another type": lambda b: b["entry"][0]["resource"]["type"]["coding"][0].update(code="1"),
    "no problems": lambda b: b["entry"][0]["resource"]["section"].pop(0),
    "problems twice": lambda b: b["entry"][0]["resource"]["section"].append(_first_section(b)),
    "a section without text": lambda b: _first_section(b).pop("text"),
    "a section with neither": lambda b: _first_section(b).pop("entry"),
    "a section with both": lambda b: _first_section(b).update(emptyReason={"text": "x"}),
    "a section within a section": lambda b: _first_section(b).update(section=[{}]),
    "allergies among problems": lambda b: _first_section(b).update(
        entry=b["entry"][0]["resource"]["section"][1]["entry"]
    ),
    "a problem without code": _drop("Condition.code"),
    "a medication of no time": _drop("MedicationStatement.effectivePeriod"),
    "a dose of no time": _drop("Immunization.occurrenceDateTime"),
    "an allergy of nobody": _drop("AllergyIntolerance.patient"),
    "no birth date": _drop("Patient.birthDate"),
    "no name": _drop("Patient.name"),
    "a name of nothing": lambda b: resources(b, "Patient")[0].update(name=[{"use": "usual"}]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_document_that_breaks_a_rule_of_the_summary_is_none(name: str) -> None:
    bundle = copy.deepcopy(made("all there"))
    BROKEN[name](bundle)
    assert problems(bundle) != []


def test_another_language_is_malformed() -> None:
    with pytest.raises(Malformed):
        made("all there", "fr")


@pytest.mark.parametrize("product", [*PRODUCTS, "encounters", "observations"])
def test_every_column_and_code_of_the_standard_products_has_its_labels(product: str) -> None:
    offer = parse_product(product_text("hongkong", product)).offer()
    for name, column in offer.columns.items():
        if column.role is Role.WITHHELD:
            continue
        labels = {column_label(product, name, language) for language in LANGUAGES}
        assert name not in labels or len(labels) > 1 or name == "dose", name
        if name in {"icd10", "atc", "vaccine", "loinc", "substance", "severity", "category"}:
            for level in column.levels or ():
                assert set(value_labels(product, name, level)) == set(LANGUAGES), level
