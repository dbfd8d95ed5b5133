"""One patient's record as an International Patient Summary: a FHIR R4 document. Pure.

    Bundle (document)
      Composition   sections: problems, allergies, medications, and immunizations if asked for
      Patient       what the asker knows; what the nodes keep back is said to be masked
      Device        that put it together     Organization   that asked
      Condition, AllergyIntolerance, MedicationStatement, Immunization, each with its region

Source: HL7 FHIR R4 (4.0.1) documents; the IPS guide's Bundle and Composition profiles. A
section without entries says why (ips-comp-1): not asked for, withheld, or unavailable; where a
region answered and has nothing, an entry says that nothing is known, which is not that there is
nothing. Tables of other products are not part of the summary.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final

from dataspace.client.records import PatientRecord, RegionRecord
from dataspace.client.summary import resources
from dataspace.client.summary.labels import LANGUAGES, check_language, column_label, word
from dataspace.client.summary.narrative import narrative, paragraph, table
from dataspace.client.summary.resources import PROFILES, Maker, NothingKnown, Resource, Stage
from dataspace.errors import Refused
from dataspace.evidence.record_replies import RecordTable
from dataspace.linkage.documents import Document

DOCUMENT_SYSTEM: Final = "urn:gba-dataspace:document:"
_LOINC: Final = "http://loinc.org"
_EMPTY: Final = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
_REASONS: Final = {
    "notasked": "Not Asked", "withheld": "Information Withheld", "unavailable": "Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class SectionKind:
    """One section: its product and code, what makes its entries, and its code for nothing."""

    product: str
    loinc: str
    display: str
    make: Maker
    nothing: NothingKnown
    nothing_code: str
    required: bool = True


SECTIONS: Final = (
    SectionKind("conditions", "11450-4", "Problem list - Reported", resources.condition,
                resources.condition_of, "no-problem-info"),
    SectionKind("allergies", "48765-2", "Allergies and adverse reactions Document",
                resources.allergy, resources.allergy_of, "no-allergy-info"),
    SectionKind("medications", "10160-0", "History of Medication use Narrative",
                resources.medication, resources.medication_of, "no-medication-info"),
    SectionKind("immunizations", "11369-6", "History of Immunization Narrative",
                resources.immunization, resources.immunization_of, "no-immunization-info",
                required=False),
)  # fmt: skip


@dataclass(frozen=True)
class Knows:
    """What the asker knows of the own patient and puts into the document; None is masked."""

    documents: tuple[Document, ...] = field(repr=False)
    member: str = ""
    name: str | None = field(default=None, repr=False)
    birth_date: datetime.date | None = field(default=None, repr=False)


def summary(
    record: PatientRecord, knows: Knows, language: str, new_id: Callable[[], str]
) -> Resource:
    """The document, as JSON values. `new_id` gives random UUIDs. Raises `Malformed` (`language`).

    SECURITY: holds the patient's record; whoever writes it to a file keeps it as one.
    """
    check_language(language)
    at = datetime.datetime.fromtimestamp(record.at_ms / 1000, UTC)
    ids = {name: f"urn:uuid:{new_id()}" for name in ("composition", "patient", "device", "member")}
    stage = Stage(ids["patient"], language, at.date())
    entries: list[tuple[str, Resource]] = []

    def add(resource: Resource) -> str:
        name = f"urn:uuid:{new_id()}"
        entries.append((name, resource))
        return name

    sections = [
        _section(kind, record, stage, add)
        for kind in SECTIONS
        if kind.required or kind.product in record.products
    ]
    composition = _composition(ids, sections, language, at, new_id())
    everything = [
        (ids["composition"], composition),
        (ids["patient"], _patient(record, knows)),
        (ids["device"], _device()),
        (ids["member"], {"resourceType": "Organization", "name": knows.member or "–"}),
        *entries,
    ]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{PROFILES}Bundle-uv-ips"]},
        "language": language,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{new_id()}"},
        "type": "document",
        "timestamp": _instant(at),
        "entry": [
            {"fullUrl": name, "resource": {**resource, "id": name.rpartition(":")[2]}}
            for name, resource in everything
        ],
    }


def _composition(
    ids: dict[str, str],
    sections: Sequence[Resource],
    language: str,
    at: datetime.datetime,
    identifier: str,
) -> Resource:
    return {
        "resourceType": "Composition",
        "meta": {"profile": [f"{PROFILES}Composition-uv-ips"]},
        "language": language,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{identifier}"},
        "status": "final",
        "type": {
            "coding": [{"system": _LOINC, "code": "60591-5", "display": "Patient summary Document"}]
        },
        "subject": {"reference": ids["patient"]},
        "date": _instant(at),
        "author": [{"reference": ids["device"]}],
        "title": word("title", language),
        "custodian": {"reference": ids["member"]},
        "section": list(sections),
    }


def _section(
    kind: SectionKind, record: PatientRecord, stage: Stage, add: Callable[[Resource], str]
) -> Resource:
    found = [(each, _table(each, kind.product)) for each in record.regions]
    made = [
        resource | {"meta": resource["meta"] | {"source": f"gba://{region.region}"}}
        for region, rows in found
        if rows is not None
        for row in rows.rows
        if (resource := kind.make(dict(zip(rows.columns, row, strict=True)), stage)) is not None
    ]
    reason = _why_empty(kind, record, found)
    if not made and reason is None:
        names = {language: word(kind.nothing_code, language) for language in LANGUAGES}
        code = resources.absent_code(kind.nothing_code, names, stage.language)
        made = [kind.nothing(code, stage)]
        text = paragraph(names[stage.language])
    elif not made:
        text = paragraph(word(str(reason), stage.language))
    else:
        text = _rows_shown(kind.product, found, stage.language)
    section: Resource = {
        "title": word(kind.product, stage.language),
        "code": {"coding": [{"system": _LOINC, "code": kind.loinc, "display": kind.display}]},
        "text": narrative(text + _what_is_missing(kind, record, found, stage.language),
                          stage.language),
    }  # fmt: skip
    if made:
        section["entry"] = [{"reference": add(resource)} for resource in made]
    else:
        section["emptyReason"] = {
            "coding": [{"system": _EMPTY, "code": reason, "display": _REASONS[str(reason)]}]
        }
    return section


_Found = Sequence[tuple[RegionRecord, RecordTable | None]]


def _table(region: RegionRecord, product: str) -> RecordTable | None:
    """A region's rows of a product; None where they are kept back or the region is away."""
    found = next((each for each in region.tables if each.product == product), None)
    return None if found is None or found.refused is not None else found


def _why_empty(kind: SectionKind, record: PatientRecord, found: _Found) -> str | None:
    """Why a section without rows has none; None where a region answered that it has none."""
    if kind.product not in record.products:
        return "notasked"
    # A table whose telling columns were kept back says nothing of the patient.
    if any(
        not each.known or (rows is not None and not (rows.rows and rows.left_out))
        for each, rows in found
    ):
        return None
    refused = any(
        rows is not None or each.error is None or isinstance(each.error, Refused)
        for each, rows in found
    )
    return "withheld" if refused else "unavailable"


def _what_is_missing(kind: SectionKind, record: PatientRecord, found: _Found, language: str) -> str:
    if kind.product not in record.products:
        return ""
    missing = [
        each.region
        for each, rows in found
        if each.known and (rows is None or rows.truncated or rows.left_out)
    ]
    if not missing:
        return ""
    regions = ", ".join(word(region, language) for region in missing)
    return paragraph(word("incomplete", language).format(regions=regions))


def _rows_shown(product: str, found: _Found, language: str) -> str:
    columns = sorted({name for _, rows in found if rows is not None for name in rows.columns},
                     key=lambda name: _place(found, name))  # fmt: skip
    head = [word("region", language), *(column_label(product, name, language) for name in columns)]
    body = [
        [word(each.region, language)]
        + [(name, dict(zip(rows.columns, row, strict=True)).get(name)) for name in columns]
        for each, rows in found
        if rows is not None
        for row in rows.rows
    ]
    return table(head, body, product, language)


def _place(found: _Found, name: str) -> int:
    return min(rows.columns.index(name) for _, rows in found if rows and name in rows.columns)


def _patient(record: PatientRecord, knows: Knows) -> Resource:
    made: Resource = {
        "resourceType": "Patient",
        "meta": {"profile": [f"{PROFILES}Patient-uv-ips"]},
        "identifier": [
            {"system": f"{DOCUMENT_SYSTEM}{each.kind}", "value": each.number}
            for each in knows.documents
        ],
        "name": [{"text": knows.name} if knows.name else {"_text": resources.absent("masked")}],
    }
    if knows.birth_date is not None:
        made["birthDate"] = knows.birth_date.isoformat()
    else:
        made["_birthDate"] = resources.absent("masked")
    gender = _gender(record)
    return made | ({"gender": gender} if gender else {})


def _gender(record: PatientRecord) -> str:
    """What the regions say of the sex, where they agree."""
    said: set[Any] = set()
    for each in record.regions:
        rows = _table(each, "patients")
        if rows is not None and "sex" in rows.columns:
            said |= {row[rows.columns.index("sex")] for row in rows.rows}
    return {"F": "female", "M": "male"}.get(str(said.pop()), "") if len(said) == 1 else ""


def _device() -> Resource:
    return {
        "resourceType": "Device",
        "deviceName": [{"name": "GBA data space", "type": "user-friendly-name"}],
    }


def _instant(at: datetime.datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
