"""Recorded decisions to be decided again, and the sets that decided them. Rim.

From a party's own directory, its log held against the signed checkpoint and each body against
its entry; or through the broker, for a regulator of the region.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import Entry
from dataspace.audit.following import CONTEXT
from dataspace.audit.lost import LOST, gone
from dataspace.client.auditing import search_logs, show_entry
from dataspace.client.local_logs import read_entries
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.archive import Archive
from dataspace.evidence.auditing import body_of
from dataspace.evidence.redeciding import RecordedDecision, read_recorded
from dataspace.home import PartyHome
from dataspace.identity.trusted import BROKER
from dataspace.policy.rules import PolicySet, load
from dataspace.v1 import audit_pb2, evidence_pb2

_PAGE = 500
_KINDS = (
    "query.released",
    "query.refused",
    "existence.read",
    "existence.refused",
    "overlap.released",
    "overlap.refused",
)


@dataclass(frozen=True)
class Found:
    """Recorded decisions, the newest first; `erased` counts entries whose body is gone."""

    decisions: tuple[RecordedDecision, ...]
    erased: int


class Records(Protocol):
    """Recorded decisions, and the sets that made them."""

    def last(self, most: int) -> Found:
        """The last decisions recorded, at most so many."""
        ...

    def at(self, index: int) -> RecordedDecision | None:
        """The decision of one entry, or None where it records none."""
        ...

    def of(self, recorded: RecordedDecision) -> PolicySet:
        """Raises `Unavailable` where it is not kept, `Unverified` where it is another."""
        ...


@dataclass(frozen=True)
class LocalRecords:
    """What the party keeps in its own directory."""

    home: PartyHome
    now_ms: int

    def last(self, most: int) -> Found:
        """The last decisions recorded, at most so many."""
        found: list[RecordedDecision] = []
        erased = 0
        entries = self._entries()
        for index in range(len(entries) - 1, -1, -1):
            if len(found) == most:
                break
            if entries[index] == LOST:
                continue
            entry = Entry.from_bytes(entries[index])
            if isinstance(entry.fields.get(CONTEXT), str) and "policy_sha256" in entry.fields:
                recorded = self._read(index, entry)
                erased += recorded is None
                found += [recorded] if recorded is not None else []
        return Found(tuple(found), erased)

    def at(self, index: int) -> RecordedDecision | None:
        """The decision of one entry, or None where it records none (any more)."""
        entries = self._entries()
        if index >= len(entries):
            raise Malformed(f"the log has {len(entries)} entries", code="entry-index")
        if entries[index] == LOST:
            raise gone(index)
        return self._read(index, Entry.from_bytes(entries[index]))

    def of(self, recorded: RecordedDecision) -> PolicySet:
        """The set, out of the archive."""
        return _set_of(Archive(self.home.folder("archive")).policies(recorded.policy_sha256))

    @property
    def _owner(self) -> str:
        return BROKER if self.home.config.kind == "broker" else self.home.uri.region

    def _entries(self) -> list[bytes]:
        return read_entries(self.home.path, self._owner, self.now_ms)

    def _read(self, index: int, entry: Entry) -> RecordedDecision | None:
        key = entry.fields.get(CONTEXT)
        if not isinstance(key, str):
            return None
        # Raises where the body is not what the entry commits to.
        body = BodyStore(self.home.folder("bodies")).get(key)
        return read_recorded(self._owner, index, entry, None if body is None else json.loads(body))


@dataclass(frozen=True)
class RegionRecords:
    """What the node of a regulator's own region keeps, asked through the broker."""

    session: Session
    region: str
    purpose: str

    def last(self, most: int) -> Found:
        """The last decisions recorded, at most so many; every page is itself recorded there."""
        found: list[RecordedDecision] = []
        erased = 0
        for kind in _KINDS:
            decided = 0
            for entry in self._entries(kind):
                if decided == most:
                    break
                erased += entry.body_erased
                recorded = self._read(entry)
                if recorded is not None:
                    decided += 1
                    found.append(recorded)
        newest = sorted(found, key=lambda each: each.index, reverse=True)
        return Found(tuple(newest[:most]), erased)

    def at(self, index: int) -> RecordedDecision | None:
        """The decision of one entry, or None where it records none (any more)."""
        entry = show_entry(self.session, self.region, index, self.purpose)
        return self._read(entry)

    def of(self, recorded: RecordedDecision) -> PolicySet:
        """The set, as the node hands it over for evidence."""
        place = evidence_pb2.EntryPlace(owner=self.region, index=recorded.index)
        request = evidence_pb2.EvidenceRequest(
            release_sha256=bytes(32), places=[place], logs=[self.region]
        )
        (answer,) = self.session.audit(request, [self.region])
        answer.require()
        part = answer.answer.body if answer.answer is not None else None
        if not isinstance(part, evidence_pb2.EvidencePart):
            raise Unverified(f"{self.region} answers with another kind", code="audit-answer")
        policies = _set_of(part.policies)
        if policies.sha256 != recorded.policy_sha256:
            raise Unverified(f"{self.region} hands over another policy set", code="audit-answer")
        return policies

    def _entries(self, kind: str) -> Iterator[audit_pb2.AuditEntry]:
        search = audit_pb2.AuditSearch(kind=kind, limit=_PAGE, newest_first=True)
        cursor = ""
        while True:
            page = search_logs(self.session, search, [self.region], self.purpose, cursor)
            for answer in page.answers:
                answer.require()
            for seen in page.entries:
                yield seen.entry
            if not page.more:
                return
            cursor = page.cursor

    def _read(self, entry: audit_pb2.AuditEntry) -> RecordedDecision | None:
        if not entry.entry:
            raise Unavailable(
                f"{self.region} shows codes alone; a regulator replays the own region",
                code="not-whole",
            )
        whole = Entry.from_bytes(entry.entry)
        return read_recorded(self.region, entry.index, whole, body_of(entry))


def _set_of(files: evidence_pb2.PolicyFiles) -> PolicySet:
    return load({each.name: each.content for each in files.files})
