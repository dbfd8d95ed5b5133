"""`gba audit reviews` and `gba audit review`: emergency access, and a regulator's word on it."""

from __future__ import annotations

from typing import Annotated

import typer

from dataspace.cli.entries_shown import instant
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.homes import actor_home
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unverified
from dataspace.home import PartyHome
from dataspace.policy.emergencies import OBJECTED, OPEN, SIGNED_OFF
from dataspace.processes import now_ms
from dataspace.v1 import emergency_pb2


@told
def reviews(
    all_: Annotated[bool, typer.Option("--all", help="also those signed off")] = False,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Uses of emergency access to your region's records that wait for a regulator."""
    request = emergency_pb2.ReviewRequest(list=emergency_pb2.ReviewList(all=all_))
    _do(request, actor_home(home, actor), format_)


@told
def review(
    use: Annotated[str, typer.Argument(help="the use's id; see `gba audit reviews`")],
    sign_off: Annotated[bool, typer.Option("--sign-off", help="it was in order")] = False,
    object_: Annotated[bool, typer.Option("--object", help="it was not; say why")] = False,
    note: Annotated[str, typer.Option("--note", help="in a few words")] = "",
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Sign a use off, or object: its member then breaks no glass until it is signed off."""
    if sign_off == object_:
        raise Malformed("say either --sign-off or --object", code="verdict")
    verdict = SIGNED_OFF if sign_off else OBJECTED
    act = emergency_pb2.Review(use=use, verdict=verdict, note=note)
    _do(emergency_pb2.ReviewRequest(review=act), actor_home(home, actor), format_)


def _do(request: emergency_pb2.ReviewRequest, party: PartyHome, format_: Format) -> None:
    region = party.uri.region
    with Session(party) as session:
        (answer,) = session.audit(request, [region])
    answer.require()
    body = answer.answer.body if answer.answer is not None else None
    if not isinstance(body, emergency_pb2.ReviewAnswer):
        raise Unverified(f"{region} answers with another kind", code="review-answer")
    at = now_ms()
    rows = [_row(each, at) for each in body.uses]
    if format_ is Format.JSON:
        print_json({"uses": rows})
        return
    print_rows(
        ["use", "actor", "purpose", "reason", "at", "due", "verdict"],
        [[row[name] for name in ("use", "actor", "purpose", "reason", "at", "due", "verdict")]
         for row in rows],
    )  # fmt: skip
    if not rows:
        out.print("nothing waits for review")


def _row(use: emergency_pb2.EmergencyUse, at: int) -> dict[str, object]:
    late = use.verdict == OPEN and at >= use.due_ms
    return {
        "use": use.use,
        "actor": use.actor,
        "purpose": use.purpose,
        "reason": use.reason,
        "products": list(use.products),
        "at": instant(use.at_ms),
        "due": instant(use.due_ms),
        "verdict": "overdue" if late else use.verdict,
        "reviewed_by": use.reviewed_by,
        "note": use.note,
    }
