"""`gba audit subject`: who looked at one person's records."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from dataspace.cli.entries_shown import instant
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.client.asking import LogAnswer
from dataspace.client.auditing import accesses_of, audit_body
from dataspace.client.homes import actor_home
from dataspace.client.session import Session
from dataspace.evidence.patient_words import RegionAccesses, tell
from dataspace.identity.names import REGIONS
from dataspace.linkage.documents import Document
from dataspace.v1 import audit_pb2


class Language(StrEnum):
    """What the answer is written in."""

    EN = "en"
    ZH_HANS = "zh-Hans"
    ZH_HANT = "zh-Hant"
    PT = "pt"


@told
def subject(
    document: Annotated[str, typer.Option("--document", help="KIND:NUMBER, such as hkid:…")],
    purpose: Annotated[str, typer.Option("--purpose", help="PATRQT")] = "PATRQT",
    lang: Annotated[Language | None, typer.Option("--lang", help="by default of LANG")] = None,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Tell a patient who looked at their records, in every region, in words for them.

    For clinicians and regulators on the patient's behalf. A region that does not answer is
    named, since the list is then not whole.
    """
    person = Document.parse(document)
    with Session(actor_home(home, actor)) as session:
        answers = accesses_of(session, person.kind, person.number, REGIONS, purpose)
    for answer in answers:
        if answer.status in {"refused", "malformed"}:
            answer.require()
    found = [RegionAccesses(each.log, _accesses(each)) for each in answers]
    language = lang or language_of(os.environ)
    if format_ is Format.JSON:
        print_json(
            {
                "language": language.value,
                "told": tell(found, language.value),
                "regions": [
                    _as_json(each, answer) for each, answer in zip(found, answers, strict=True)
                ],
                "whole": all(each.accesses is not None for each in found),
            }
        )
        return
    title, *lines = tell(found, language.value)
    out.print(title, style="bold")
    for line in lines:
        out.print(f"- {line}", soft_wrap=True, markup=False)


def language_of(environment: Mapping[str, str]) -> Language:
    """The language of LC_ALL, LC_MESSAGES or LANG; English where they name none of the four."""
    names = (environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((name for name in names if name), "").replace("-", "_").lower()
    if locale.startswith("pt"):
        return Language.PT
    if locale.startswith("zh"):
        traditional = any(part in locale for part in ("hant", "_hk", "_mo", "_tw"))
        return Language.ZH_HANT if traditional else Language.ZH_HANS
    return Language.EN


def _accesses(answer: LogAnswer) -> audit_pb2.AuditAccesses | None:
    body = audit_body(answer)
    return None if body is None else body.accesses


def _as_json(found: RegionAccesses, answer: LogAnswer) -> dict[str, object]:
    accesses = found.accesses or audit_pb2.AuditAccesses()
    return {
        "region": found.region,
        "status": answer.status,
        "reason": answer.reason,
        "accesses": [
            {
                "index": each.index,
                "at": instant(each.at_ms),
                "kind": each.kind,
                "region": each.actor_region,
                "member": each.actor_member,
                "role": each.actor_role,
                "purpose": each.purpose,
                "products": list(each.products),
            }
            for each in accesses.accesses
        ],
        "statistics": {each.product: each.released for each in accesses.statistics},
    }
