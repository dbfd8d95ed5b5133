"""`gba audit reconcile`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli.auditing import LookOption, moment
from dataspace.cli.entries_shown import instant
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.auditing import LOGS, search_logs
from dataspace.client.homes import actor_home, space_home
from dataspace.client.local_logs import read_lines
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.auditing import MOST_ENTRIES
from dataspace.evidence.bundle import is_evidence, parse_evidence
from dataspace.evidence.reconciling import Difference, Line, Reconciliation, reconcile
from dataspace.home import CONFIG, PartyHome, brokers_of
from dataspace.identity.names import REGIONS
from dataspace.identity.replicas import is_broker, replica_of
from dataspace.identity.trusted import BROKER
from dataspace.processes import now_ms
from dataspace.v1 import audit_pb2

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@told
def reconcile_logs(
    client: Annotated[
        list[Path] | None, typer.Option("--client", help="JSON that `gba query` printed")
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="from this time on, UTC")] = "",
    look_for: LookOption = "HOPERAT",
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Hold the accounts of the broker, the nodes and a client together. Exit 6 on a difference.

    With --as REGION/regulator, or in a regulator's own home, it asks every log through the
    broker; in a space's home without --as it reads the logs there.
    """
    releases = [digest for file in client or () for digest in _releases_of(file)]
    start = moment(from_)
    lines, logs = _lines(home, actor, look_for, start)
    found = reconcile(lines, logs, now_ms=now_ms(), from_ms=start, releases=releases)
    _print(found, format_)
    if found.differences:
        first = found.differences[0]
        raise Unverified(
            f"the logs disagree in {len(found.differences)} places: {first.message}; keep copies "
            "of all logs and ask both owners",
            code="log-disagreement",
        )


def _lines(
    home: Path | None, actor: str | None, purpose: str, start: int
) -> tuple[list[Line], set[str]]:
    """What every log says, and the logs' names. Raises `Unavailable` where a broker's is missing:
    what went through that broker would look as if nobody had asked."""
    root = space_home(home)
    if actor is None and not (root / CONFIG).is_file():
        here = brokers_of(root)
        trust = PartyHome(root / BROKER).trust(now_ms())
        lines, logs = read_lines(root, (*here, *REGIONS), now_ms()), {*here, *REGIONS}
    else:
        with Session(actor_home(home, actor)) as session:
            trust = session.trust
            first, *others = map(session.only, session.brokers)
            lines, logs = _looked(first, LOGS, purpose, start)
            for each in others:
                more, names = _looked(each, (BROKER,), purpose, start)
                lines, logs = lines + more, logs | names
    missing = {replica_of(log.origin) for log in trust.logs_of(BROKER)} - logs
    if missing:
        raise Unavailable(
            f"the log of {min(missing)} is not among those read; name every broker in party.toml "
            "or GBA_BROKER_ADDRESS, or bring its directory here",
            code="log-missing",
        )
    return lines, logs


def _looked(
    session: Session, logs: Sequence[str], purpose: str, start: int
) -> tuple[list[Line], set[str]]:
    """Every entry of the logs, as their owners tell of them; a broker's log by its own name."""
    search = audit_pb2.AuditSearch(from_ms=start, limit=MOST_ENTRIES)
    lines: list[Line] = []
    names: dict[str, str] = {}
    cursor, more = "", True
    while more:
        page = search_logs(session, search, logs, purpose, cursor)
        for answer in page.answers:
            answer.require()
            origin = "" if answer.receipt is None else answer.receipt.origin
            names[answer.log] = replica_of(origin) if is_broker(answer.log) else answer.log
        lines += [Line(names[seen.log], seen.entry) for seen in page.entries]
        cursor, more = page.cursor, page.more
    return lines, set(names.values())


def _releases_of(file: Path) -> list[str]:
    """Digests of the releases in a file: an evidence file, a JSON object, or one on each line."""
    try:
        data = file.read_bytes()
    except OSError:
        raise Unavailable(f"{file} cannot be read", code="client-file") from None
    if is_evidence(data):
        release = parse_evidence(data).release.release
        return [hashlib.sha256(release.payload).hexdigest()]
    text = data.decode(errors="replace")
    try:
        objects = [json.loads(text)]
    except ValueError:
        try:
            objects = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            objects = [None]
    found = [str(each.get("release")) if isinstance(each, dict) else "" for each in objects]
    if not found or not all(_DIGEST.fullmatch(digest) for digest in found):
        raise Malformed(
            f"{file} holds no releases; give what `gba query --format json` printed, or evidence",
            code="client-file",
        )
    return found


def _print(found: Reconciliation, format_: Format) -> None:
    if format_ is Format.JSON:
        print_json(
            {
                "requests": found.requests,
                "agree": not found.differences,
                "differences": [_as_json(each) for each in found.differences],
                "remarks": [_as_json(each) for each in found.remarks],
                "in_flight": list(found.in_flight),
            }
        )
        return
    listed = [*found.differences, *found.remarks]
    if listed:
        print_rows(
            ["time", "log", "what", "request"],
            [(instant(e.at_ms), e.log, e.message, e.request_sha256[:16]) for e in listed],
        )
    state = f"{len(found.differences)} differences" if found.differences else "the logs agree"
    young = f", {len(found.in_flight)} still under way" if found.in_flight else ""
    out.print(f"{found.requests} requests{young}: {state}")


def _as_json(each: Difference) -> dict[str, object]:
    return {
        "code": each.code,
        "log": each.log,
        "request_sha256": each.request_sha256,
        "at": instant(each.at_ms),
        "message": each.message,
    }
