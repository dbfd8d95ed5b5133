"""Rows of the standard products as FHIR R4 resources of the International Patient Summary. Pure.

Source: HL7 FHIR R4 (4.0.1), and the IPS guide's profiles (hl7.fhir.uv.ips 1.1.0 and 2.0.0).
What a product does not say is said to be absent, never guessed: an effective date that was
kept back becomes a data-absent-reason. Products hold no end of an illness or allergy: what is
on record counts as active.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from dataspace.client.summary.labels import value_label, value_labels, word

Resource: TypeAlias = dict[str, Any]
Row: TypeAlias = Mapping[str, Any]

PROFILES: Final = "http://hl7.org/fhir/uv/ips/StructureDefinition/"
ABSENT_CODES: Final = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
_TERMS: Final = "http://terminology.hl7.org/CodeSystem/"
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
_ATC: Final = "http://www.whocc.no/atc"
_ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"
_FHIR_TAGS: Final = {"en": "en", "zh-Hans": "zh-Hans", "zh-Hant": "zh-Hant", "pt": "pt"}


@dataclass(frozen=True)
class Stage:
    """What every resource of one summary shares: whom it is about, in which language, today."""

    patient: str
    language: str
    today: datetime.date


def absent(reason: str) -> Resource:
    """A primitive that has no value, and why (http://hl7.org/fhir/R4/valueset-data-absent-reason)."""
    return {"extension": [{"url": _ABSENT, "valueCode": reason}]}


def coding(system: str, code: str, names: Mapping[str, str]) -> Resource:
    """A coding with its English display, and the others as translations of it."""
    found: Resource = {"system": system, "code": code}
    if names:
        found["display"] = names["en"]
        found["_display"] = {
            "extension": [
                {
                    "url": _TRANSLATION,
                    "extension": [
                        {"url": "lang", "valueCode": _FHIR_TAGS[language]},
                        {"url": "content", "valueString": name},
                    ],
                }
                for language, name in names.items()
                if language != "en"
            ]
        }
    return found


def absent_code(code: str, names: Mapping[str, str], language: str) -> Resource:
    """That nothing is known of a whole section (IPS code system of absent and unknown data)."""
    return {"coding": [coding(ABSENT_CODES, code, names)], "text": names[language]}


def condition(row: Row, stage: Stage) -> Resource | None:
    """A problem; None where the columns that say which were kept back."""
    code = _coded("conditions", "icd10", row, _ICD10, stage) or _named(
        "conditions", "category", row, stage
    )
    if code is None:
        return None
    return condition_of(code, stage) | _when("onsetDateTime", row.get("onset_date"))


def condition_of(code: Resource, stage: Stage) -> Resource:
    """A problem, or that nothing is known of problems."""
    return {
        "resourceType": "Condition",
        "meta": {"profile": [f"{PROFILES}Condition-uv-ips"]},
        "clinicalStatus": {"coding": [coding(f"{_TERMS}condition-clinical", "active", {})]},
        "category": [{"coding": [coding(f"{_TERMS}condition-category", "problem-list-item", {})]}],
        "code": code,
        "subject": {"reference": stage.patient},
    }


def allergy(row: Row, stage: Stage) -> Resource | None:
    """An allergy; its severity is that of a reaction which nobody recorded."""
    code = _named("allergies", "substance", row, stage)
    if code is None:
        return None
    made = allergy_of(code, stage) | _when("recordedDate", row.get("noted_on"))
    severity = row.get("severity")
    if severity in {"mild", "moderate", "severe"}:
        unknown = {
            "system": f"{_TERMS}data-absent-reason", "code": "unknown", "display": "Unknown",
        }  # fmt: skip
        made["reaction"] = [{"manifestation": [{"coding": [unknown]}], "severity": severity}]
    return made


def allergy_of(code: Resource, stage: Stage) -> Resource:
    """An allergy, or that nothing is known of allergies."""
    return {
        "resourceType": "AllergyIntolerance",
        "meta": {"profile": [f"{PROFILES}AllergyIntolerance-uv-ips"]},
        "clinicalStatus": {
            "coding": [coding(f"{_TERMS}allergyintolerance-clinical", "active", {})]
        },
        "code": code,
        "patient": {"reference": stage.patient},
    }


def medication(row: Row, stage: Stage) -> Resource | None:
    """A medication: over when what was supplied is used up."""
    code = _coded("medications", "atc", row, _ATC, stage) or _named(
        "medications", "name", row, stage
    )
    if code is None:
        return None
    start, days = row.get("start_date"), row.get("days_supplied")
    if not isinstance(start, datetime.date):
        return medication_of(code, stage)
    made = medication_of(code, stage)
    del made["_effectiveDateTime"]
    made["effectivePeriod"] = {"start": start.isoformat()}
    if isinstance(days, int):
        end = start + datetime.timedelta(days=days)
        made["effectivePeriod"]["end"] = end.isoformat()
        made["status"] = "active" if end >= stage.today else "completed"
    return made


def medication_of(code: Resource, stage: Stage) -> Resource:
    """A medication of unknown time, or that nothing is known of medications."""
    return {
        "resourceType": "MedicationStatement",
        "meta": {"profile": [f"{PROFILES}MedicationStatement-uv-ips"]},
        "status": "unknown",
        "medicationCodeableConcept": code,
        "subject": {"reference": stage.patient},
        "_effectiveDateTime": absent("unknown"),
    }


def immunization(row: Row, stage: Stage) -> Resource | None:
    """A dose that was given."""
    code = _coded("immunizations", "vaccine", row, _ATC, stage) or _named(
        "immunizations", "name", row, stage
    )
    if code is None:
        return None
    made = immunization_of(code, stage) | {"status": "completed"}
    given, dose = row.get("given_on"), row.get("dose")
    if isinstance(given, datetime.date):
        del made["occurrenceString"], made["_occurrenceString"]
        made["occurrenceDateTime"] = given.isoformat()
    if isinstance(dose, int) and dose > 0:
        made["protocolApplied"] = [{"doseNumberPositiveInt": dose}]
    return made


def immunization_of(code: Resource, stage: Stage) -> Resource:
    """That nothing is known of immunizations."""
    return {
        "resourceType": "Immunization",
        "meta": {"profile": [f"{PROFILES}Immunization-uv-ips"]},
        "status": "not-done",
        "vaccineCode": code,
        "patient": {"reference": stage.patient},
        "occurrenceString": word("unknown", stage.language),
        "_occurrenceString": absent("unknown"),
    }


def _coded(product: str, column: str, row: Row, system: str, stage: Stage) -> Resource | None:
    code = row.get(column)
    if not isinstance(code, str) or not code:
        return None
    names = value_labels(product, column, code)
    text = names.get(stage.language) or str(row.get("name") or code)
    return {"coding": [coding(system, code, names)], "text": text}


def _named(product: str, column: str, row: Row, stage: Stage) -> Resource | None:
    name = row.get(column)
    if not isinstance(name, str) or not name:
        return None
    return {"text": value_label(product, column, name, stage.language) or name}


def _when(element: str, day: object) -> Resource:
    return {element: day.isoformat()} if isinstance(day, datetime.date) else {}


Maker: TypeAlias = Callable[[Row, Stage], Resource | None]
NothingKnown: TypeAlias = Callable[[Resource, Stage], Resource]
