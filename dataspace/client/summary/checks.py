"""Whether a document is an International Patient Summary: its cardinalities and invariants. Pure.

What the models of FHIR R4 cannot say, read off the IPS guide (hl7.fhir.uv.ips 1.1.0 and 2.0.0,
profiles Bundle-, Composition-, Patient-, Condition-, AllergyIntolerance-, MedicationStatement-
and Immunization-uv-ips, invariants bdl-ips-1, ips-comp-1 and ips-pat-1) and FHIR's page on
documents. Code systems are not looked into, nor profiles that a summary of ours has none of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_LOINC: Final = "http://loinc.org"
_REQUIRED: Final = {"11450-4": "problems", "48765-2": "allergies", "10160-0": "medications"}
_ENTRIES: Final = {
    "11450-4": {"Condition", "DocumentReference"},
    "48765-2": {"AllergyIntolerance", "DocumentReference"},
    "10160-0": {
        "MedicationStatement", "MedicationRequest", "MedicationAdministration",
        "MedicationDispense", "DocumentReference",
    },
    "11369-6": {"Immunization", "DocumentReference"},
}  # fmt: skip
# Elements that a resource of the summary has just one of; `x[]` stands for any type of x.
_ONE: Final = {
    "Condition": ("code", "subject.reference"),
    "AllergyIntolerance": ("code", "patient.reference"),
    "MedicationStatement": ("status", "medication[]", "effective[]", "subject.reference"),
    "Immunization": ("status", "vaccineCode", "occurrence[]", "patient.reference"),
}


def problems(bundle: Mapping[str, Any]) -> list[str]:
    """What keeps a document from being a summary, in words; nothing where it is one."""
    return [*_of_bundle(bundle), *_of_composition(bundle), *_of_entries(bundle)]


def _of_bundle(bundle: Mapping[str, Any]) -> Iterator[str]:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "document":
        yield "it is no document Bundle"
    for name in ("identifier", "timestamp"):
        if not bundle.get(name):
            yield f"Bundle.{name} is missing"
    kinds = [each.get("resource", {}).get("resourceType") for each in bundle.get("entry", [])]
    if kinds[:1] != ["Composition"] or kinds.count("Composition") != 1:
        yield "the first entry is the one Composition (bdl-ips-1)"
    if kinds.count("Patient") != 1:
        yield "there is one Patient"
    names = [each.get("fullUrl") for each in bundle.get("entry", [])]
    if not all(names) or len(set(names)) != len(names):
        yield "every entry has a fullUrl of its own"
    for reference in sorted(set(_references(bundle)) - set(names)):
        yield f"{reference} is not in the document"


def _of_composition(bundle: Mapping[str, Any]) -> Iterator[str]:
    resources = _resources(bundle)
    found = next((r for r in resources.values() if r.get("resourceType") == "Composition"), {})
    for name in ("status", "date", "title", "author"):
        if not found.get(name):
            yield f"Composition.{name} is missing"
    if _code(found.get("type")) != "60591-5":
        yield "Composition.type is not LOINC 60591-5"
    subject = resources.get(found.get("subject", {}).get("reference", ""), {})
    if subject.get("resourceType") != "Patient":
        yield "Composition.subject is not the Patient"
    sections = found.get("section", [])
    codes = [_code(each.get("code")) for each in sections]
    for code, name in _REQUIRED.items():
        if codes.count(code) != 1:
            yield f"there is one section of {name} ({code})"
    for section, code in zip(sections, codes, strict=True):
        yield from _of_section(section, code, resources)


def _of_section(
    section: Mapping[str, Any], code: str, resources: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    if not section.get("title") or not section.get("text", {}).get("div"):
        yield f"section {code} has a title and a text"
    if section.get("section"):
        yield f"section {code} has sections of its own"
    entries = [each.get("reference") for each in section.get("entry", [])]
    # FHIR's cmp-2: an empty reason only where there are no entries.
    if bool(entries) == bool(section.get("emptyReason")):
        yield f"section {code} has either entries or an emptyReason (ips-comp-1, cmp-2)"
    allowed = _ENTRIES.get(code, set())
    for entry in entries:
        kind = resources.get(entry, {}).get("resourceType")
        if allowed and kind not in allowed:
            yield f"section {code} holds a {kind}"


def _of_entries(bundle: Mapping[str, Any]) -> Iterator[str]:
    for resource in _resources(bundle).values():
        kind = str(resource.get("resourceType"))
        for path in _ONE.get(kind, ()):
            if _count(resource, path) != 1:
                yield f"{kind} has one {path}"
        if kind == "Patient":
            yield from _of_patient(resource)


def _of_patient(patient: Mapping[str, Any]) -> Iterator[str]:
    names = patient.get("name", [])
    if not names:
        yield "Patient.name is missing"
    parts = ("family", "given", "text", "_family", "_given", "_text")
    if not all(any(each.get(part) for part in parts) for each in names):
        yield "a name has a family, given or text (ips-pat-1)"
    if not (patient.get("birthDate") or patient.get("_birthDate")):
        yield "Patient.birthDate is missing"


def _count(resource: Mapping[str, Any], path: str) -> int:
    name, _, inner = path.partition(".")
    if inner:
        return _count(resource.get(name, {}), inner)
    if name.endswith("[]"):
        stem = name.removesuffix("[]")
        found = {each.removeprefix("_") for each in resource if each.lstrip("_").startswith(stem)}
        return len(found)
    return int(bool(resource.get(name) or resource.get(f"_{name}")))


def _resources(bundle: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {each.get("fullUrl", ""): each.get("resource", {}) for each in bundle.get("entry", [])}


def _code(concept: Mapping[str, Any] | None) -> str:
    codings = (concept or {}).get("coding", [])
    return next((str(c.get("code")) for c in codings if c.get("system") == _LOINC), "")


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("reference"), str):
            yield str(value["reference"])
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
