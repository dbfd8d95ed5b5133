"""FHIR R4 resources as flat rows: the columns that products are usually made of.

Takes a Bundle (`.json`) or one resource a line (`.ndjson`). One file holds resources of one
kind. A row has `id`, `patient` (the id behind subject or patient), `code`, `code_system`,
`display`, `status`, `date`, `value`, `unit`, and for Patient `family`, `given`, `gender`,
`birth_date`, and a column per identifier system's last part.
Source: https://hl7.org/fhir/R4/
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataspace.errors import Malformed

_DATES = (
    "onsetDateTime", "recordedDate", "effectiveDateTime", "occurrenceDateTime", "authoredOn",
    "performedDateTime", "issued",
)  # fmt: skip


_TYPES = {"date": pa.date32(), "birth_date": pa.date32(), "value": pa.float64()}


def is_fhir(file: Path) -> bool:
    """Whether the file's first object is a FHIR resource."""
    with file.open("rb") as opened:
        start = opened.read(4096)
    return b'"resourceType"' in start


def table_of(file: Path) -> pa.Table:
    """All resources of a file as one table. Raises `Malformed` naming the resource's place."""
    rows = []
    kinds = set()
    for number, resource in enumerate(_resources(file), start=1):
        if not isinstance(resource, dict) or "resourceType" not in resource:
            raise _malformed(file, number, "is not a FHIR resource")
        kinds.add(resource["resourceType"])
        try:
            rows.append(_row(resource))
        except (KeyError, TypeError, AttributeError, ValueError, IndexError):
            raise _malformed(file, number, "does not have the form of FHIR R4") from None
    if len(kinds) != 1:
        raise Malformed(
            f"{file.name} holds {len(kinds)} kinds of resources; load one kind a product",
            code="data-file",
        )
    columns = sorted({name for row in rows for name in row})
    # Typed by name: a column that is empty throughout would have no type of its own.
    schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in columns])
    return pa.Table.from_pylist(rows, schema=schema)


def _resources(file: Path) -> Iterator[Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{file.name} is not UTF-8; nothing was loaded", code="data-file") from None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict) and whole.get("resourceType") == "Bundle":
        entries = whole.get("entry") or []
        yield from (entry.get("resource") if isinstance(entry, dict) else None for entry in entries)
        return
    if whole is not None:
        yield whole
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise _malformed(file, number, "is not JSON") from None


def _row(resource: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": str(resource["id"])}
    if resource["resourceType"] == "Patient":
        return row | _patient(resource)
    subject = resource.get("subject") or resource.get("patient")
    if subject is not None:
        row["patient"] = str(subject["reference"]).rpartition("/")[2]
    coded = (
        resource.get("code")
        or resource.get("vaccineCode")
        or resource.get("medicationCodeableConcept")
    )
    if coded:
        coding = coded["coding"][0]
        row |= {
            "code": str(coding["code"]),
            "code_system": _text(coding.get("system")),
            "display": _text(coding.get("display") or coded.get("text")),
        }
    quantity = resource.get("valueQuantity")
    if quantity:
        row |= {"value": float(quantity["value"]), "unit": _text(quantity.get("unit"))}
    row["status"] = _status(resource)
    row["date"] = _date(next((resource[name] for name in _DATES if name in resource), None))
    return row


def _patient(resource: dict[str, Any]) -> dict[str, Any]:
    name = (resource.get("name") or [{}])[0]
    row = {
        "family": _text(name.get("family")),
        "given": " ".join(name.get("given", [])) or None,
        "gender": _text(resource.get("gender")),
        "birth_date": _date(resource.get("birthDate")),
    }
    for identifier in resource.get("identifier", []):
        system = str(identifier.get("system", "identifier")).rstrip("/:")
        row[system.replace(":", "/").rpartition("/")[2].lower()] = str(identifier["value"])
    return row


def _status(resource: dict[str, Any]) -> str | None:
    clinical = resource.get("clinicalStatus")
    if isinstance(clinical, dict):
        return str(clinical["coding"][0]["code"])
    return _text(resource.get("status"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _date(text: str | None) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text[:10])


def _malformed(file: Path, number: int, what: str) -> Malformed:
    return Malformed(
        f"{file.name}: resource {number} {what}; nothing was loaded", code="data-value"
    )
