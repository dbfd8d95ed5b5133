"""`gba consent give | withdraw | show | list`."""

from __future__ import annotations

from typing import Annotated

import typer

from dataspace.cli.auditing import moment
from dataspace.cli.entries_shown import instant
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.consenting import Shown, ask_consents, consent_request
from dataspace.client.homes import actor_home
from dataspace.client.session import Session
from dataspace.home import PartyHome
from dataspace.linkage.documents import Document
from dataspace.policy.terms import ALL
from dataspace.processes import now_ms
from dataspace.v1 import consent_pb2

app = typer.Typer(help="a patient's consent, kept where the record is", no_args_is_help=True)

_Document = Annotated[str, typer.Option("--document", help="KIND:NUMBER, such as hkid:…")]
_Name = Annotated[str, typer.Argument(help="the consent's id")]


@app.command()
@told
def give(
    document: _Document,
    recipient: Annotated[str, typer.Option("--recipient", help="REGION or REGION/MEMBER")],
    purpose: Annotated[list[str], typer.Option("--purpose", help="again for another")],
    until: Annotated[str, typer.Option("--until", help="2027-12-31, UTC; not included")],
    category: Annotated[
        list[str] | None, typer.Option("--category", help="of products; all unless given")
    ] = None,
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Give consent on a patient's behalf, as a clinician or operator of the record's region."""
    request = consent_request(document, recipient, purpose, category or [ALL], moment(until))
    _do(request, actor_home(home, actor), format_)


@app.command()
@told
def withdraw(
    consent: _Name, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Withdraw a consent. It counts no more from now on."""
    act = consent_pb2.ConsentWithdraw(consent=consent)
    _do(consent_pb2.ConsentRequest(withdraw=act), actor_home(home, actor), format_)


@app.command()
@told
def show(
    consent: _Name, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """One consent."""
    asked = consent_pb2.ConsentList(consent=consent)
    _do(consent_pb2.ConsentRequest(list=asked), actor_home(home, actor), format_)


@app.command("list")
@told
def list_(
    document: Annotated[str, typer.Option("--document", help="of one person alone")] = "",
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """The consents at your region's node. They name nobody."""
    person = Document.parse(document) if document else None
    asked = consent_pb2.ConsentList(
        document_kind=person.kind if person else "",
        document_number=person.number if person else "",
    )
    _do(consent_pb2.ConsentRequest(list=asked), actor_home(home, actor), format_)


def _do(request: consent_pb2.ConsentRequest, party: PartyHome, format_: Format) -> None:
    with Session(party) as session:
        found = ask_consents(session, party.uri.region, request)
    at = now_ms()
    if format_ is Format.JSON:
        print_json({"consents": [_as_json(each, at) for each in found]})
        return
    print_rows(
        ["consent", "recipient", "purposes", "categories", "until", "standing"],
        [
            (each.id, each.recipient, ", ".join(each.scope.purposes),
             ", ".join(each.scope.categories), instant(each.scope.expires_ms)[:10],
             each.standing(at))
            for each in found
        ],
    )  # fmt: skip
    if not found:
        out.print("none")


def _as_json(each: Shown, at: int) -> dict[str, object]:
    return {
        "id": each.id,
        "recipient": each.recipient,
        "purposes": list(each.scope.purposes),
        "categories": list(each.scope.categories),
        "given": instant(each.given_ms),
        "until": instant(each.scope.expires_ms),
        "withdrawn": instant(each.withdrawn_ms) if each.withdrawn_ms else None,
        "issued_by": each.issued_by,
        "standing": each.standing(at),
    }
