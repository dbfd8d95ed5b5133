"""What a log's owner hands over of a release, and to whom. Pure: what it reads is handed in.

    rule `evidence-own`        who asked the question gets the evidence of its answer
    rule `evidence-regulator`  so does a regulator of the log's region, or of the asker's

Everything else is refused, and says nothing of what the entry holds. Whoever calls this
records the look before handing anything over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from dataspace.audit.cosigned_store import CosignedStore
from dataspace.audit.entries import Entry, FieldValue
from dataspace.errors import Malformed, Refused, Unavailable
from dataspace.evidence.archive import Archive
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.logged import place_of, write_proof
from dataspace.evidence.recording import Recorder
from dataspace.evidence.round_entries import check_may_leave, place_of_round
from dataspace.identity.envelopes import Opened
from dataspace.identity.names import ActorUri
from dataspace.identity.trusted import BROKER
from dataspace.v1 import evidence_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists

_ANSWERS = frozenset({"query.released", "query.refused", "overlap.released", "overlap.refused"})
# Decisions that a regulator of the log's own region replays as well, and nobody proves.
_REPLAYED = frozenset({"existence.read", "existence.refused"})
_BASIS = "space rule: evidence"


class EntryLog(Protocol):
    """The log of whoever hands over."""

    def read_entry(self, index: int) -> bytes: ...
    def prove_inclusion(self, index: int, size: int) -> tuple[bytes, ...]: ...


@dataclass(frozen=True)
class Keeper:
    """One party's part of evidence. `owner` is its region, or "broker".

    `covering` gives the cosigned checkpoint to prove an entry under (see `CosignedStore`) with
    its size, `opening` salt and body of a commitment, or None once they are erased.
    """

    owner: str
    log: EntryLog
    covering: Callable[[int], tuple[str, int] | None]
    opening: Callable[[str], tuple[bytes, bytes] | None]
    archive: Archive
    # The revocation lists in force when a kept checkpoint of that size was cosigned.
    beside: Callable[[int], bytes] = lambda _: b""

    def kind(self) -> RequestKind:
        """What the desk answers with this."""
        return RequestKind("evidence", evidence_pb2.EvidenceRequest, self.answer)

    def answer(self, opened: Opened[evidence_pb2.EvidenceRequest], now_ms: int) -> Made:
        """The part, for the desk to sign and record."""
        del now_ms
        part = self.part(opened.message, opened.signer.uri)
        part.request_sha256 = opened.payload_sha256
        part.revocation_lists.extend(self.lists_beside(part))
        fields: dict[str, FieldValue] = {
            "release_sha256": opened.message.release_sha256.hex(),
            "entries": [place_of(each.proof) for each in part.records],
        }
        return Made(part, fields)

    def part(
        self, request: evidence_pb2.EvidenceRequest, asker: ActorUri
    ) -> evidence_pb2.EvidencePart:
        """The part asked for. Raises `Refused`, `Unavailable` or `Malformed`."""
        if self.owner == BROKER:
            return self._of_broker(request, asker)
        places = [each.index for each in request.places if each.owner == self.owner]
        if len(places) != 1:
            raise Malformed(f"say which one entry of {self.owner} is asked for", code="places")
        entry = Entry.from_bytes(self.log.read_entry(places[0]))
        opened = self._opened(entry)
        region = str(entry.fields.get("actor_region", ""))
        check_may_see(asker, _actor_in(opened), {self.owner, region})
        own = asker.role == "regulator" and asker.region == self.owner
        if entry.kind not in (_ANSWERS | _REPLAYED if own else _ANSWERS):
            raise Malformed("this entry is no answer to a question", code="places")
        part = evidence_pb2.EvidencePart(region=self.owner, records=self._of_round(entry))
        part.records.append(self._record(places[0], entry, opened))
        policy, catalogue = (
            str(entry.fields.get(name, "")) for name in ("policy_sha256", "catalogue_sha256")
        )
        if policy:
            part.policies.CopyFrom(self.archive.policies(policy))
        if catalogue:
            part.catalogues.append(self.archive.catalogue(catalogue))
        return part

    def _of_broker(
        self, request: evidence_pb2.EvidenceRequest, asker: ActorUri
    ) -> evidence_pb2.EvidencePart:
        kept = self.archive.release(request.release_sha256.hex())
        question = query_pb2.QueryRequest.FromString(kept.request.payload)  # verified when asked
        actor = question.signer.uri
        asked = {name for name in question.freshness.audience if name != BROKER}
        check_may_see(asker, actor, {*asked, ActorUri.parse(actor).region})
        part = evidence_pb2.EvidencePart(region=BROKER, question=kept.request, release=kept.release)
        for index in (kept.forwarded_index, kept.release.receipt.index):
            entry = Entry.from_bytes(self.log.read_entry(index))
            part.records.extend(self._of_round(entry))
            part.records.append(self._record(index, entry, self._opened(entry)))
            if policy := str(entry.fields.get("policy_sha256", "")):
                part.policies.CopyFrom(self.archive.policies(policy))
        part.catalogues.extend(
            self.archive.catalogue(each.hex()) for each in kept.catalogues_sha256
        )
        return part

    def lists_beside(self, part: evidence_pb2.EvidencePart) -> list[Envelope]:
        """The revocation lists that were in force when the part's entries were cosigned."""
        found = {}
        for record in part.records:
            covered = self.covering(place_of(record.proof))
            if covered is None:
                continue
            for each in RevocationLists.FromString(self.beside(covered[1])).lists:
                found[each.payload] = each
        return [each for _, each in sorted(found.items())]

    def _of_round(self, answer: Entry) -> list[evidence_pb2.Recorded]:
        """The entry of the round that an answer stands on, if it does; its body stays here."""
        place = place_of_round(answer)
        if place is None:
            return []
        entry = Entry.from_bytes(self.log.read_entry(place))
        check_may_leave(entry, answer)
        return [self._record(place, entry, (b"", b""))]

    def _opened(self, entry: Entry) -> tuple[bytes, bytes] | None:
        """Salt and context of an entry, or None where it has none (any more)."""
        committed = entry.fields.get("context")
        return None if committed is None else self.opening(str(committed))

    def _record(
        self, index: int, entry: Entry, opened: tuple[bytes, bytes] | None
    ) -> evidence_pb2.Recorded:
        found = self.covering(index)
        if found is None:
            raise Unavailable(
                "the entry is not cosigned yet, and what is not cosigned is no evidence; "
                "ask again in some seconds, and see `gba space status` where it stays so",
                code="not-cosigned",
            )
        if opened is None and "context" in entry.fields:
            raise Unavailable(
                f"{self.owner} has erased what it recorded beside this entry; its retention "
                "period is over, and the release can no longer be proved whole",
                code="body-erased",
            )
        note, size = found
        salt, context = opened or (b"", b"")
        return evidence_pb2.Recorded(
            owner=self.owner,
            entry=entry.to_bytes(),
            proof=write_proof(index, self.log.prove_inclusion(index, size), note),
            salt=salt,
            context=context,
        )


def keeper_of(owner: str, recorder: Recorder, cosigned: CosignedStore, archive: Archive) -> Keeper:
    """The keeper over what a party has."""
    opening = recorder.bodies.opening
    return Keeper(owner, recorder.log, cosigned.covering, opening, archive, cosigned.beside)


def check_may_see(asker: ActorUri, actor: str, regions: Iterable[str]) -> None:
    """Refuse, by rule `evidence-regulator`, whoever is neither the actor nor such a regulator."""
    if str(asker) == actor:
        return
    if asker.role == "regulator" and asker.region in set(regions):
        return
    raise Refused(
        "evidence goes to who asked the question, and to a regulator of the region that "
        "answered or of the asker's; ask one of them",
        code="evidence-regulator",
        rule="evidence-regulator",
        basis=_BASIS,
    )


def _actor_in(opened: tuple[bytes, bytes] | None) -> str:
    values = json.loads(opened[1]) if opened is not None else {}
    return str(values.get("actor", "")) if isinstance(values, dict) else ""
