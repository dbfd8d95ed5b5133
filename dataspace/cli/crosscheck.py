"""`gba crosscheck`: one patient, several regions. `exists` says where a patient is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli import records
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.cli.patient_files import check_file
from dataspace.client.existence import Presence
from dataspace.client.homes import actor_home, region_home
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unavailable
from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from dataspace.linkage.documents import Document
from dataspace.local_socket import ask_locally

app = typer.Typer(help="cross-check a patient between regions", no_args_is_help=True)
app.command("record")(records.record)

STANDARD_INPUT = "-"


@app.command()
@told
def exists(
    document: Annotated[
        str,
        typer.Option("--document", help="KIND:NUMBER, such as hkid:…; - reads it from input"),
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", help="one KIND:NUMBER a line, or CSV with columns kind, number"),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="CSV of answers by line; goes on where it ended")
    ] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="TREAT")] = "TREAT",
    region: Annotated[
        list[str] | None, typer.Option("--region", help="again for another; all unless given")
    ] = None,
    require: Annotated[str, typer.Option("--require", help="all or any")] = "all",
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Is this patient known there: yes, no, not permitted, or unavailable, for each region.

    No region learns who it is about. An argument is seen by who lists this machine's processes:
    give `--document -` and the document on standard input where others work on it.
    """
    if bool(document) == (file is not None) or require not in {"all", "any"}:
        raise Malformed(
            "give either --document or --file, and --require all or any", code="arguments"
        )
    if to is not None and file is None:
        raise Malformed("--to goes with --file", code="arguments")
    party, regions = actor_home(home, actor), tuple(region or REGIONS)
    if file is not None:
        check_file(party, file, to, purpose, regions, require, format_)
        return
    _check_one(party, _read(document), purpose, regions, require, format_)


@app.command()
@told
def settle(
    region: Annotated[str, typer.Argument(help="whose node counted")],
    member: Annotated[str, typer.Argument(help="REGION/MEMBER; see the alarm's body")],
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """After an alarm `unresolved-checks` was looked into: count a member's checks from nothing.

    By the region's operator, over the local socket of the node; on record as existence.settled.
    """
    del actor  # whoever may open the socket
    party = region_home(home, region)
    reply = ask_locally(party.path / "run", {"do": "settle", "member": member})
    if reply is None:
        raise Unavailable("the node does not run; see `gba space status`", code="node-absent")
    if format_ is Format.JSON:
        print_json({"region": region, "member": member, "settled": reply["settled"]})
    else:
        out.print(f"{region}: {reply['settled']} unresolved checks of {member} settled")


def _read(document: str) -> Document:
    text = sys.stdin.readline() if document == STANDARD_INPUT else document
    return Document.parse(text.strip())


def _check_one(
    party: PartyHome,
    document: Document,
    purpose: str,
    regions: tuple[str, ...],
    require: str,
    format_: Format,
) -> None:
    with Session(party) as session:
        found = session.exists(document, purpose=purpose, regions=regions)
    if format_ is Format.JSON:
        print_json({"regions": as_json(found), "known_at": list(found.known_at)})
    else:
        print_rows(
            ["region", "known", "rule", "message"],
            [(each.region, each.answer, each.rule, each.message) for each in found.regions],
        )
    found.require(require)


def as_json(found: Presence) -> dict[str, dict[str, str]]:
    """By region: `answer`, and what explains it."""
    return {
        each.region: {
            "answer": each.answer,
            "rule": each.rule,
            "basis": each.basis,
            "message": each.message,
        }
        for each in found.regions
    }
