"""`gba crosscheck record`: one patient's record, from the nodes that hold it."""

from __future__ import annotations

import datetime
import json
import os
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.catalogue import Catalogue
from dataspace.client.homes import actor_home
from dataspace.client.records import PatientRecord, RegionRecord
from dataspace.client.session import Session
from dataspace.client.summary.bundle import Knows, summary
from dataspace.client.summary.checks import problems
from dataspace.client.summary.labels import check_language, column_label, word
from dataspace.client.summary.narrative import shown
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.record_replies import RecordTable
from dataspace.linkage.documents import Document

DEFAULT_WANT = "allergies,medications,conditions,immunizations"


@told
def record(
    document: Annotated[
        list[str],
        typer.Option("--document", help="KIND:NUMBER, again for another of the same patient; "
                     "- reads them from standard input, one a line"),
    ],
    purpose: Annotated[str, typer.Option("--purpose", help="TREAT; ETREAT or BTG in an emergency")],
    want: Annotated[str, typer.Option("--want", help="products, with commas")] = DEFAULT_WANT,
    consent: Annotated[
        list[str] | None, typer.Option("--consent", help="the consent's id; again for another")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="those that know the patient")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="in an emergency, in words")] = "",
    fhir: Annotated[
        Path | None, typer.Option("--fhir", help="write an International Patient Summary here")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="of the patient, for --fhir")] = "",
    birth_date: Annotated[
        str, typer.Option("--birth-date", help="of the patient, for --fhir: 1970-01-31")
    ] = "",
    lang: Annotated[str, typer.Option("--lang", help="en, zh-Hans, zh-Hant or pt")] = "en",
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """The permitted fields of one patient's record, readable by you alone.

    Needs the patient's consent at the region that holds the record (`gba consent give`), or in an
    emergency a reason, which a regulator reviews. Regions that refuse or are away are shown; where
    none gives anything, the first one's refusal is the command's. A number on the command line
    is seen by others on this machine: prefer `--document -`.
    """
    check_language(lang)
    if format_ not in {Format.TABLE, Format.JSON}:
        raise Malformed("a record is printed as table or json", code="usage")
    documents = _documents(document)
    born = _date(birth_date)
    party = actor_home(home, actor)
    with Session(party) as session:
        found = session.record(
            documents,
            want=[each.strip() for each in want.split(",") if each.strip()],
            purpose=purpose, consents=consent or [], regions=region or None, reason=reason,
        )  # fmt: skip
        catalogue = session.catalogue()
    if fhir is not None:
        member = f"{party.uri.region}/{party.uri.member}"
        knows = Knows(tuple(map(Document.parse, documents)), member, name or None, born)
        _write_summary(fhir, found, knows, lang)
    if format_ is Format.JSON:
        print_json(_as_json(found, lang, fhir))
    else:
        print_record(found, catalogue, lang)
        if fhir is not None:
            out.print(f"summary {fhir}", style="dim", markup=False)
    found.require_any()


def _documents(written: list[str]) -> list[str]:
    if written != ["-"]:
        return written
    return [line.strip() for line in sys.stdin if line.strip()]


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        raise Malformed("a date is written 1970-01-31", code="usage") from None


def _write_summary(file: Path, found: PatientRecord, knows: Knows, lang: str) -> None:
    found.require_any()
    made = summary(found, knows, lang, lambda: str(uuid.uuid4()))
    wrong = problems(made)
    if wrong:
        raise Unverified(f"the summary does not hold together: {wrong[0]}", code="summary")
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    try:
        # SECURITY: a patient's record is for the eyes of who asked, from its first byte on.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            os.fchmod(descriptor, 0o600)
            opened.write(text)
    except OSError:
        raise Unavailable(f"{file} cannot be written", code="disk") from None


def print_record(found: PatientRecord, catalogue: Catalogue, lang: str) -> None:
    """The tables of each region, and what stands for those that gave none."""
    titles = {
        each.offer.product: each.offer.title.model_dump(by_alias=True).get(lang)
        or each.offer.title.en
        for each in catalogue.offers
    }
    for region in found.regions:
        for table in region.tables:
            title = f"{titles.get(table.product, table.product)} · {word(region.region, lang)}"
            _print_table(table, title, lang)
    for region in found.regions:
        if region.error is not None:
            out.print(_line(region), style="yellow", markup=False)
        elif not region.known:
            out.print(f"{region.region}: the patient is not known there", style="dim")
        if region.consents:
            out.print(f"{region.region}: under consent {', '.join(region.consents)}", style="dim")
        if region.emergency_use:
            out.print(
                f"{region.region}: emergency access {region.emergency_use}, to be reviewed",
                style="yellow",
            )
    if any(region.status == "released" for region in found.regions):
        out.print("verified; readable by you alone", style="dim")


def _print_table(table: RecordTable, title: str, lang: str) -> None:
    if table.refused is not None:
        out.print(f"{title}: {table.refused.message} ({table.refused.rule})", style="yellow",
                  markup=False)  # fmt: skip
        return
    columns = [column_label(table.product, each, lang) for each in table.columns]
    rows = [
        [shown(table.product, name, value, lang)
         for name, value in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]  # fmt: skip
    print_rows(columns, rows, title)
    for each in table.left_out:
        label = column_label(table.product, each.column, lang)
        out.print(f"{label}: {each.error.message} ({each.error.rule})", style="dim", markup=False)
    if table.truncated:
        out.print("there are more rows than are shown", style="yellow")


def _line(region: RegionRecord) -> str:
    error = region.error
    assert error is not None
    hint = "; a record needs the patient's consent, see `gba consent`"
    return f"{error.message}{hint if error.rule == 'default-deny' else ''}"


def _as_json(found: PatientRecord, lang: str, fhir: Path | None) -> dict[str, Any]:
    return {
        "purpose": found.purpose,
        "products": list(found.products),
        "nodes": [
            {
                "region": each.region,
                "status": each.status,
                "reason": each.error.message if each.error else "",
                "rule": each.error.rule if each.error else "",
                "consents": list(each.consents),
                "emergency_use": each.emergency_use,
                "tables": [_table_json(table, lang) for table in each.tables],
            }
            for each in found.regions
        ],
        "fhir": str(fhir) if fhir is not None else None,
    }


def _table_json(table: RecordTable, lang: str) -> dict[str, Any]:
    return {
        "product": table.product,
        "columns": list(table.columns),
        "labels": [column_label(table.product, each, lang) for each in table.columns],
        "rows": [[_plain(value) for value in row] for row in table.rows],
        "truncated": table.truncated,
        "left_out": [
            {"column": each.column, "rule": each.error.rule, "message": each.error.message}
            for each in table.left_out
        ],
        "refused": None
        if table.refused is None
        else {"rule": table.refused.rule, "message": table.refused.message},
        "rules": list(table.rules),
        "bases": list(table.bases),
    }


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime.date) else value
