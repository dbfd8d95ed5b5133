"""A regulator's questions to the audit logs, page by page, every answer verified. Rim.

Pages of several logs are merged by time. What is shown of a page ends where every log that
has more was still heard, so that nothing is left out between two pages.
"""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataspace.audit.entries import Entry
from dataspace.audit.merkle import leaf_hash
from dataspace.client.asking import LogAnswer
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.looks import metadata
from dataspace.identity.names import REGIONS
from dataspace.identity.trusted import BROKER
from dataspace.local_socket import ask_locally
from dataspace.v1 import audit_pb2

LOGS = tuple(sorted((BROKER, *REGIONS)))


@dataclass(frozen=True)
class Seen:
    """One entry of one log, as much of it as may be seen."""

    log: str
    entry: audit_pb2.AuditEntry


@dataclass(frozen=True)
class AuditPage:
    """Entries in order of time, what each log came to, and where the next page begins."""

    entries: tuple[Seen, ...]
    answers: tuple[LogAnswer, ...]
    more: bool
    cursor: str


def search_logs(
    session: Session,
    search: audit_pb2.AuditSearch,
    logs: Sequence[str],
    purpose: str,
    cursor: str = "",
) -> AuditPage:
    """One page of all logs asked. Logs that refuse or are away are in `answers`.

    Raises `Malformed` for a cursor that is none, and `Unverified` for what does not hold.
    """
    places = read_cursor(cursor)
    asked = audit_pb2.AuditSearch()
    asked.CopyFrom(search)
    asked.cursors.extend(
        audit_pb2.AuditCursor(log=log, next=places[log]) for log in sorted(places) if log in logs
    )
    request = audit_pb2.AuditRequest(purpose=purpose, logs=sorted(logs), search=asked)
    answers = session.audit(request, logs)
    bodies = dict(_bodies(answers))
    for body in bodies.values():
        _check_in_order(body, search)
    shown = _merged(bodies, search)
    for log, body in bodies.items():
        places[log] = _place(body, shown.get(log, 0), search)
    merged = _in_time(bodies, shown, newest_first=search.newest_first)
    more = any(body.more or shown.get(log, 0) < len(body.entries) for log, body in bodies.items())
    return AuditPage(tuple(merged), answers, more, write_cursor(places))


def search_locally(
    run_folder: Path, search: audit_pb2.AuditSearch, region: str, purpose: str, cursor: str = ""
) -> AuditPage:
    """An operator's page of the own node's log, over its local socket."""
    asked = audit_pb2.AuditSearch()
    asked.CopyFrom(search)
    asked.cursors.extend(
        audit_pb2.AuditCursor(log=log, next=place) for log, place in read_cursor(cursor).items()
    )
    request = audit_pb2.AuditRequest(purpose=purpose, logs=[region], search=asked)
    answer = _ask_locally(run_folder, request)
    entries = tuple(Seen(region, entry) for entry in answer.entries)
    return AuditPage(entries, (), answer.more, write_cursor({region: answer.next}))


def show_locally(run_folder: Path, region: str, index: int, purpose: str) -> audit_pb2.AuditEntry:
    """One entry of the own node's log, over its local socket."""
    show = audit_pb2.AuditShow(index=index)
    request = audit_pb2.AuditRequest(purpose=purpose, logs=[region], show=show)
    return _ask_locally(run_folder, request).entries[0]


def _ask_locally(run_folder: Path, request: audit_pb2.AuditRequest) -> audit_pb2.AuditAnswer:
    encoded = base64.b64encode(request.SerializeToString()).decode()
    reply = ask_locally(run_folder, {"do": "audit", "request": encoded})
    if reply is None:
        raise Unavailable("the node does not run; see `gba space status`", code="node-absent")
    return audit_pb2.AuditAnswer.FromString(base64.b64decode(reply["answer"]))


def show_entry(session: Session, log: str, index: int, purpose: str) -> audit_pb2.AuditEntry:
    """One entry of one log. Raises what the log said where it did not answer."""
    request = audit_pb2.AuditRequest(
        purpose=purpose, logs=[log], show=audit_pb2.AuditShow(index=index)
    )
    (answer,) = session.audit(request, [log])
    answer.require()
    for _, body in _bodies([answer]):
        if [each.index for each in body.entries] == [index]:
            return body.entries[0]
    raise Unverified(f"{log} answered with another entry than asked", code="audit-answer")


def accesses_of(
    session: Session, kind: str, number: str, logs: Sequence[str], purpose: str
) -> tuple[LogAnswer, ...]:
    """Who looked at one person's records, log by log."""
    subject = audit_pb2.AuditSubject(document_kind=kind, document_number=number)
    request = audit_pb2.AuditRequest(purpose=purpose, logs=sorted(logs), subject=subject)
    return session.audit(request, logs)


def audit_body(answer: LogAnswer) -> audit_pb2.AuditAnswer | None:
    """The answer that a log signed, if it is one to such a question."""
    body = answer.answer.body if answer.answer is not None else None
    if answer.answer is not None and answer.answer.refusal is None:
        if not isinstance(body, audit_pb2.AuditAnswer):
            raise Unverified(f"{answer.log} answers with another kind", code="audit-answer")
        return body
    return None


def read_cursor(text: str) -> dict[str, int]:
    """Log to the next index, of a cursor that `write_cursor` made."""
    if not text:
        return {}
    try:
        places = json.loads(base64.urlsafe_b64decode(text.encode()))
        if not isinstance(places, dict) or not set(places) <= set(LOGS):
            raise ValueError
        return {log: _place_of(place) for log, place in places.items()}
    except ValueError:
        raise Malformed("this is no cursor; take it from the page before", code="cursor") from None


def write_cursor(places: Mapping[str, int]) -> str:
    """One word that says where each log's next page begins."""
    return base64.urlsafe_b64encode(json.dumps(places, sort_keys=True).encode()).decode()


def _place_of(place: object) -> int:
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < 2**62:
        raise ValueError
    return place


def _bodies(answers: Iterable[LogAnswer]) -> Iterator[tuple[str, audit_pb2.AuditAnswer]]:
    for each in answers:
        body = audit_body(each)
        if body is not None:
            for entry in body.entries:
                _check_whole(each.log, entry)
            yield each.log, body


def _check_whole(log: str, entry: audit_pb2.AuditEntry) -> None:
    """That what is said of a whole entry is what the entry says."""
    if not entry.entry:
        return
    said = audit_pb2.AuditEntry()
    said.CopyFrom(entry)
    for name in ("entry", "body_json", "body_erased"):
        said.ClearField(name)
    if metadata(entry.index, Entry.from_bytes(entry.entry)) != said:
        raise Unverified(
            f"{log} misstates its entry {entry.index}; do not use the answer", code="audit-answer"
        )


def _check_in_order(body: audit_pb2.AuditAnswer, search: audit_pb2.AuditSearch) -> None:
    indices = [entry.index for entry in body.entries]
    if indices != sorted(set(indices), reverse=search.newest_first):
        raise Unverified(f"{body.region} answered out of order", code="audit-answer")


def _merged(
    bodies: Mapping[str, audit_pb2.AuditAnswer], search: audit_pb2.AuditSearch
) -> dict[str, int]:
    """How many entries of each log the page shows."""
    sign = -1 if search.newest_first else 1
    heads = [(sign * body.entries[0].at_ms, log, 0) for log, body in bodies.items() if body.entries]
    heapq.heapify(heads)
    shown = dict.fromkeys(bodies, 0)
    while heads and sum(shown.values()) < search.limit:
        _, log, at = heapq.heappop(heads)
        shown[log] = at + 1
        entries = bodies[log].entries
        if at + 1 < len(entries):
            heapq.heappush(heads, (sign * entries[at + 1].at_ms, log, at + 1))
        elif bodies[log].more:
            break  # what comes next in this log is not known yet
    return shown


def _in_time(
    bodies: Mapping[str, audit_pb2.AuditAnswer], shown: Mapping[str, int], *, newest_first: bool
) -> list[Seen]:
    seen = [
        Seen(log, entry) for log, body in bodies.items() for entry in body.entries[: shown[log]]
    ]
    return sorted(
        seen, key=lambda each: (each.entry.at_ms, each.log, each.entry.index), reverse=newest_first
    )


def _place(body: audit_pb2.AuditAnswer, shown: int, search: audit_pb2.AuditSearch) -> int:
    if shown == len(body.entries):
        return body.next
    first_left = body.entries[shown].index
    return first_left + 1 if search.newest_first else first_left


def leaf_of(entry: audit_pb2.AuditEntry) -> str:
    """The leaf hash of a whole entry, in hexadecimal; empty for metadata."""
    return leaf_hash(entry.entry).hex() if entry.entry else ""
