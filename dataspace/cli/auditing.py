"""`gba audit search | tail | show`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli.entries_shown import print_csv, print_entries, print_page, print_whole, row_of
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import json_text
from dataspace.client.auditing import (
    LOGS,
    AuditPage,
    search_locally,
    search_logs,
    show_entry,
    show_locally,
)
from dataspace.client.homes import actor_home
from dataspace.client.session import Session
from dataspace.errors import Malformed
from dataspace.home import PartyHome
from dataspace.linkage.documents import Document
from dataspace.v1 import audit_pb2

LogOption = Annotated[
    list[str] | None, typer.Option("--log", help="broker or a region; may be given again")
]
LookOption = Annotated[str, typer.Option("--for", help="why you look: an ActReason code")]

_FromOption = Annotated[str, typer.Option("--from", help="2026-11-23 or 2026-11-23T08:00, UTC")]
_UntilOption = Annotated[str, typer.Option("--until", help="not included")]
_KindOption = Annotated[str, typer.Option("--kind", help="such as query.released")]
_Actor = Annotated[str, typer.Option("--actor", help="gba://…; own region's log")]
_Member = Annotated[str, typer.Option("--member", help="own region's log")]
_Region = Annotated[str, typer.Option("--region", help="the actor's")]
_Role = Annotated[str, typer.Option("--role", help="the actor's")]
_Purpose = Annotated[str, typer.Option("--purpose", help="an ActReason code")]
_Product = Annotated[str, typer.Option("--product")]
_Rule = Annotated[str, typer.Option("--rule", help="a rule that decided")]
_Outcome = Annotated[str, typer.Option("--outcome", help="released, refused, malformed, …")]
_Code = Annotated[str, typer.Option("--code", help="of a refusal")]
_Document = Annotated[str, typer.Option("--document", help="KIND:NUMBER; own region's log")]
_Request = Annotated[str, typer.Option("--request", help="a request's digest, in hexadecimal")]
_OWN_FILTERS = ("actor", "member", "document_number")


@told
def search(
    from_: _FromOption = "", until: _UntilOption = "", kind: _KindOption = "",
    by: _Actor = "", member: _Member = "", region: _Region = "", role: _Role = "",
    purpose: _Purpose = "", product: _Product = "", rule: _Rule = "", outcome: _Outcome = "",
    code: _Code = "", document: _Document = "", request: _Request = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=5000)] = 100,
    newest: Annotated[bool, typer.Option("--newest", help="the newest first")] = False,
    cursor: Annotated[str, typer.Option("--cursor", help="of the page before")] = "",
    file: Annotated[Path | None, typer.Option("--out", help="write NAME.parquet")] = None,
    log: LogOption = None, look_for: LookOption = "HOPERAT",
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Find entries of which everything given holds, in every log that may be seen.

    A regulator sees the own region's entries whole, of the others codes; an operator sees the
    own node's. Every look is itself recorded where it looks.
    """
    asked = _search_of(
        from_, until, document, request, kind=kind, actor=by, member=member, region=region,
        role=role, purpose=purpose, product=product, rule=rule, outcome=outcome, code=code,
        limit=limit, newest_first=newest,
    )  # fmt: skip
    page = _Looker.of(home, actor, log, look_for, asked).page(asked, cursor)
    print_page(page, format_, file)


@told
def tail(
    kind: _KindOption = "", product: _Product = "", outcome: _Outcome = "", rule: _Rule = "",
    lines: Annotated[int, typer.Option("--lines", min=1, max=5000)] = 20,
    follow: Annotated[bool, typer.Option("--follow", help="until Ctrl-C")] = False,
    pause: Annotated[float, typer.Option("--pause", min=0.2, help="seconds between looks")] = 2.0,
    log: LogOption = None, look_for: LookOption = "HOPERAT",
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """The newest entries, and with --follow what comes. Looks into logs are left out.

    JSON is one object a line. Ctrl-C ends it (exit 130).
    """
    wanted = _search_of("", "", "", "", kind=kind, product=product, outcome=outcome, rule=rule,
                        limit=lines, newest_first=True, without_looks=True)  # fmt: skip
    looker = _Looker.of(home, actor, log, look_for, wanted)
    try:
        _follow(looker, wanted, format_, pause if follow else None)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@told
def show(
    log: Annotated[str, typer.Argument(help="broker or a region")],
    index: Annotated[int, typer.Argument(min=0)],
    look_for: LookOption = "HOPERAT",
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Show one entry: whole with its body in the own region, elsewhere its codes."""
    (checked,) = check_logs([log])
    own = actor_home(home, actor)
    if own.uri.role == "operator":
        _own_log_only(own, [checked])
        entry = show_locally(own.path.resolve().parent / "run", checked, index, look_for)
    else:
        with Session(own) as session:
            entry = show_entry(session, checked, index, look_for)
    print_whole(checked, entry, format_)


@dataclass(frozen=True)
class _Looker:
    """Who looks, where, and by which way: through the broker, or over the local socket."""

    page: Callable[[audit_pb2.AuditSearch, str], AuditPage]

    @classmethod
    def of(
        cls, home: Path | None, actor: str | None, logs: list[str] | None, purpose: str,
        search: audit_pb2.AuditSearch,
    ) -> _Looker:  # fmt: skip
        own = actor_home(home, actor)
        region = own.uri.region
        if own.uri.role == "operator":
            _own_log_only(own, logs or [region])
            run_folder = own.path.resolve().parent / "run"
            return cls(lambda asked, at: search_locally(run_folder, asked, region, purpose, at))
        personal = any(getattr(search, name) for name in _OWN_FILTERS)
        chosen = check_logs(logs) if logs else ((region,) if personal else LOGS)

        def page(asked: audit_pb2.AuditSearch, cursor: str) -> AuditPage:
            with Session(own) as session:
                found = search_logs(session, asked, chosen, purpose, cursor)
            for answer in found.answers:
                answer.require()
            return found

        return cls(page)


def check_logs(logs: list[str]) -> tuple[str, ...]:
    """Names of logs, sorted, each once."""
    strange = sorted(set(logs) - set(LOGS))
    if strange:
        raise Malformed(f"a log is one of {', '.join(LOGS)}, not {strange[0]}", code="log-name")
    return tuple(sorted(set(logs)))


def _own_log_only(operator: PartyHome, logs: list[str]) -> None:
    if logs != [operator.uri.region]:
        raise Malformed(
            f"an operator looks into the own log: --log {operator.uri.region}", code="log-name"
        )


def _follow(
    looker: _Looker, wanted: audit_pb2.AuditSearch, format_: Format, pause: float | None
) -> None:
    # The place first, so that nothing falls between the newest entries and what comes.
    onward = audit_pb2.AuditSearch()
    onward.CopyFrom(wanted)
    onward.newest_first, onward.limit = False, 1000
    began = int(time.time() * 1000)
    first = looker.page(wanted, "")
    shown = {(seen.log, seen.entry.index) for seen in first.entries}
    _print_new(AuditPage(first.entries[::-1], first.answers, False, ""), format_, header=True)
    onward.from_ms = began - 60_000
    cursor = ""
    while pause is not None:
        time.sleep(pause)
        page = looker.page(onward, cursor)
        cursor = page.cursor
        fresh = tuple(
            seen
            for seen in page.entries
            if (seen.log, seen.entry.index) not in shown and seen.entry.at_ms >= began
        )
        shown = set() if not page.more else shown
        _print_new(AuditPage(fresh, page.answers, False, ""), format_, header=False)


def _print_new(page: AuditPage, format_: Format, *, header: bool) -> None:
    rows = [row_of(seen) for seen in page.entries]
    if format_ is Format.JSON:
        for row in rows:
            typer.echo(json_text(row))
    elif format_ is Format.CSV:
        print_csv(rows, header=header)
    elif rows:
        print_entries(rows)


def _search_of(
    from_: str, until: str, document: str, request: str, **filters: object
) -> audit_pb2.AuditSearch:
    person = Document.parse(document) if document else None
    try:
        digest = bytes.fromhex(request)
    except ValueError:
        digest = b"?"
    if len(digest) not in {0, 32}:
        raise Malformed("a request's digest is 64 hexadecimal digits", code="request")
    return audit_pb2.AuditSearch(
        from_ms=moment(from_),
        until_ms=moment(until),
        request_sha256=digest,
        document_kind=person.kind if person else "",
        document_number=person.number if person else "",
        **filters,  # type: ignore[arg-type]  # the message's own fields
    )


def moment(text: str) -> int:
    """Milliseconds since 1970 of an ISO date or time; UTC where it names no zone. 0 for none."""
    if not text:
        return 0
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed("write a time as 2026-11-23 or 2026-11-23T08:00", code="time") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
