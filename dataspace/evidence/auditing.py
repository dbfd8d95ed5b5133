"""Answers questions to one audit log: finds entries, and shows of each what may be seen.

Reads the log, its bodies and its index, all handed in; no clock. Whoever is told about
entries that have a whole body is told by `looks`, and every look is recorded by the desk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import Entry, FieldValue
from dataspace.audit.following import CONTEXT, Follower, Log, read_body
from dataspace.audit.index_search import Search
from dataspace.audit.lost import CODE as LOST_CODE
from dataspace.audit.lost import KIND_OF_LOST
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.looks import ACCESS_KINDS, SUBJECT_TAGS, Sight, metadata, sight_of
from dataspace.identity.envelopes import Opened
from dataspace.linkage.documents import Document
from dataspace.v1 import audit_pb2

MOST_ENTRIES: Final = 5_000
MOST_BYTES: Final = 2 * 1024 * 1024  # of whole entries and bodies in one page
CATCH_UP_SECONDS: Final = 10.0
_STATISTICS_KINDS = ("query.released", "overlap.released")
_MOST_ACCESSES: Final = 10_000
_TERMS: Final = (
    "kind", "actor", "member", "region", "role", "purpose", "product", "rule", "outcome", "code",
)  # fmt: skip

Tag = Callable[[Document], str]
Products = Callable[[Document], Iterable[str]]


@dataclass(frozen=True)
class Auditing:
    """One log's answers. `owner` is a region or "broker".

    `tag` makes a person's tag, None where the party holds no records; `products` says which
    products here may hold a person with such a document.
    """

    owner: str
    origin: str
    log: Log
    bodies: BodyStore
    follower: Follower
    tag: Tag | None = None
    products: Products = lambda _document: ()

    def kind(self) -> RequestKind:
        """For a desk."""
        return RequestKind("audit", audit_pb2.AuditRequest, self.answer)

    def answer(self, opened: Opened[audit_pb2.AuditRequest], now_ms: int) -> Made:
        """The answer to a verified question; raises what refuses it."""
        request, asker = opened.message, opened.signer.uri
        sight = sight_of(asker, self.owner, request)
        return self.look(request, opened.payload_sha256, sight, now_ms)

    def look(
        self, request: audit_pb2.AuditRequest, request_sha256: bytes, sight: Sight, now_ms: int
    ) -> Made:
        """What is seen of a question that may be asked."""
        size = self.log.size
        answer = audit_pb2.AuditAnswer(
            request_sha256=request_sha256,
            region=self.owner,
            origin=self.origin,
            log_size=size,
            decided_at_ms=now_ms,
        )
        question = str(request.WhichOneof("question") or "")
        context: dict[str, object] = {}
        match question:
            case "search":
                self._search(request.search, size, answer, whole=sight.whole)
                context["filter"] = {**self._terms(request.search), **_times(request.search)}
            case "show":
                answer.entries.append(self._entry(_index(request.show, size), whole=sight.whole))
                context["index"] = request.show.index
            case "subject":
                context[SUBJECT_TAGS] = self._accesses(request.subject, size, answer)
            case _:
                raise Malformed("ask a search, an entry or a subject", code="question")
        fields: dict[str, FieldValue] = {
            "purpose": request.purpose,
            "question": question,
            "rules": [sight.rule],
            "whole": sight.whole,
            "entries": len(answer.entries) + len(answer.accesses.accesses),
            "log_size": size,
        }
        return Made(answer, fields, context)

    def _search(
        self,
        search: audit_pb2.AuditSearch,
        size: int,
        answer: audit_pb2.AuditAnswer,
        *,
        whole: bool,
    ) -> None:
        if not 1 <= search.limit <= MOST_ENTRIES:
            raise Malformed(f"a page has 1 to {MOST_ENTRIES} entries of a log", code="limit")
        cursors = {each.log: each.next for each in search.cursors}
        self.follower.wait_for(size, CATCH_UP_SECONDS)
        found = self.follower.index.search(
            Search(
                size=size,
                limit=search.limit,
                terms=self._terms(search),
                without={"family": "audit"} if search.without_looks else {},
                from_ms=search.from_ms,
                until_ms=search.until_ms or 2**62,
                newest_first=search.newest_first,
                next=cursors.get(self.owner),
            )
        )
        answer.more, answer.next = found.more, found.next
        room = MOST_BYTES
        for at, index in enumerate(found.indices):
            entry = self._entry(index, whole=whole)
            room -= entry.ByteSize()
            if room < 0 and at > 0:
                answer.more = True
                answer.next = found.indices[at - 1] + (0 if search.newest_first else 1)
                return
            answer.entries.append(entry)

    def _entry(self, index: int, *, whole: bool) -> audit_pb2.AuditEntry:
        try:
            recorded = self.log.read_entry(index)
        except Unavailable as error:
            if error.code != LOST_CODE:
                raise
            return audit_pb2.AuditEntry(index=index, kind=KIND_OF_LOST)
        entry = Entry.from_bytes(recorded)
        shown = metadata(index, entry)
        if whole:
            shown.entry = recorded
            key = entry.fields.get(CONTEXT)
            if isinstance(key, str):
                body = self.bodies.get(key)
                shown.body_erased = body is None
                shown.body_json = "" if body is None else body.decode()
        return shown

    def _terms(self, search: audit_pb2.AuditSearch) -> dict[str, str]:
        terms = {name: str(getattr(search, name)) for name in _TERMS if getattr(search, name)}
        if search.request_sha256:
            terms["request_sha256"] = search.request_sha256.hex()
        if search.document_number:
            terms[SUBJECT_TAGS] = self._tag(search.document_kind, search.document_number)
        return terms

    def _tag(self, kind: str, number: str) -> str:
        # INVARIANT: a document is read here and turned into its tag; nothing keeps it.
        if self.tag is None:
            raise Malformed(f"{self.owner} holds no records of people", code="no-subjects")
        return self.tag(Document(kind, number))

    def _accesses(
        self, asked: audit_pb2.AuditSubject, size: int, answer: audit_pb2.AuditAnswer
    ) -> list[str]:
        """Fills in who looked at a person's records; the person's tag, for the look's body."""
        document = Document(asked.document_kind, asked.document_number)
        tag = self._tag(asked.document_kind, asked.document_number)
        self.follower.wait_for(size, CATCH_UP_SECONDS)
        answer.accesses.SetInParent()
        told: set[str] = set()
        accesses: list[audit_pb2.AuditAccess] = []
        for kind in ACCESS_KINDS:
            terms = {SUBJECT_TAGS: tag, "kind": kind}
            found = self.follower.index.search(Search(size, _MOST_ACCESSES, terms))
            for index in found.indices:
                access, request = self._access(index)
                # An emergency's use and its release are one access, told as the emergency.
                if not request or request not in told:
                    accesses.append(access)
                told.add(request)
        accesses.sort(key=lambda access: access.index)
        answer.accesses.accesses.extend(accesses)
        for product in sorted(self.products(document)):
            released = sum(
                self.follower.index.count(Search(size, 1, {"kind": kind, "product": product}))
                for kind in _STATISTICS_KINDS
            )
            answer.accesses.statistics.add(product=product, released=released)
        return [tag]

    def _access(self, index: int) -> tuple[audit_pb2.AuditAccess, str]:
        """An access, and the digest of its request."""
        entry = Entry.from_bytes(self.log.read_entry(index))
        shown = metadata(index, entry)
        key = entry.fields.get(CONTEXT)
        body = read_body(self.bodies, key) if isinstance(key, str) else None
        actor = str((body or {}).get("actor", "")).removeprefix("gba://").split("/")
        access = audit_pb2.AuditAccess(
            index=index,
            at_ms=entry.at_ms,
            kind=entry.kind,
            actor_region=shown.actor_region,
            actor_member=actor[1] if len(actor) == 4 else "",
            actor_role=shown.actor_role,
            purpose=shown.purpose,
            products=shown.products,
        )
        return access, shown.request_sha256.hex()


def _index(show: audit_pb2.AuditShow, size: int) -> int:
    if show.index >= size:
        raise Malformed(f"the log has {size} entries; the last is {size - 1}", code="entry-index")
    return show.index


def _times(search: audit_pb2.AuditSearch) -> dict[str, object]:
    return {
        name: getattr(search, name) for name in ("from_ms", "until_ms") if getattr(search, name)
    }


def body_of(entry: audit_pb2.AuditEntry) -> dict[str, object] | None:
    """A whole entry's body as an object; None where there is none."""
    try:
        body = json.loads(entry.body_json) if entry.body_json else None
    except (ValueError, DataspaceError):
        return None
    return body if isinstance(body, dict) else None
