"""A node's list of emergency accesses, and their review by the region's regulators.

Every use is recorded as `record.break_glass`, which raises an alarm, before anything is
released under it; each stays on the list until a regulator signs it off.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dataspace.audit.entries import FieldValue
from dataspace.errors import Malformed, Refused
from dataspace.evidence.agreeing import Record
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.looks import SUBJECT_TAGS
from dataspace.identity.envelopes import Opened
from dataspace.identity.names import ActorUri
from dataspace.policy.emergencies import (
    OBJECTED,
    OPEN,
    SIGNED_OFF,
    VERDICTS,
    EmergencyUse,
    check_may_break_glass,
)
from dataspace.v1 import emergency_pb2

BROKEN = "record.break_glass"
_BASIS = "space rule: a regulator of the region that gave the records reviews their emergency use"


class EmergencyStore(Protocol):
    """Durable, and safe for any number of threads. Raises `Unavailable` where it cannot tell."""

    def put(self, use: EmergencyUse) -> None: ...
    def find(self, use_id: str) -> EmergencyUse | None: ...
    def of_member(self, region: str, member: str) -> Sequence[EmergencyUse]: ...
    def all(self) -> Sequence[EmergencyUse]: ...


@dataclass(frozen=True)
class Emergencies:
    """One region's. A use is overdue for review after `review_days`."""

    owner: str
    store: EmergencyStore
    record: Record
    review_days: int
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def kind(self) -> RequestKind:
        """What the desk answers with this."""
        return RequestKind("review", emergency_pb2.ReviewRequest, self.answer)

    def may_break_glass(self, region: str, member: str, at_ms: int) -> bool:
        """Whether no use of a member waits for review too long, or was objected to."""
        try:
            check_may_break_glass(self.store.of_member(region, member), self.review_days, at_ms)
        except Refused:
            return False
        return True

    def use(self, use: EmergencyUse, request_sha256: bytes, tags: Iterable[str] = ()) -> None:
        """Record a use, put it on the list, and return: only then may anything be released.

        Raises `Refused` (`emergency-review-overdue`) where the member has overdue reviews.
        """
        actor = use.actor
        with self._turn:
            uses = self.store.of_member(actor.region, actor.member)
            check_may_break_glass(uses, self.review_days, use.at_ms)
            fields: dict[str, FieldValue] = {
                "use": use.id,
                "purpose": use.purpose,
                "products": list(use.products),
                "actor_region": actor.region,
                "actor_role": actor.role,
                "request_sha256": request_sha256.hex(),
                "review_due_ms": use.due_ms(self.review_days),
            }
            context: dict[str, object] = {
                "actor": str(actor),
                "reason": use.reason,
                SUBJECT_TAGS: sorted(set(tags)),
            }
            # INVARIANT: recorded, and so alarmed, before it counts as done.
            self.record(BROKEN, use.at_ms, fields, context)
            self.store.put(replace(use, verdict=OPEN))

    def answer(self, opened: Opened[emergency_pb2.ReviewRequest], now_ms: int) -> Made:
        """The list, or one review, of a regulator of this region."""
        request, actor = opened.message, opened.signer.uri
        if actor.role != "regulator" or actor.region != self.owner:
            raise Refused(
                f"emergency access to records of {self.owner} is reviewed by its own regulator",
                code="emergency-reviewer", rule="emergency-reviewer", basis=_BASIS,
            )  # fmt: skip
        match request.WhichOneof("act"):
            case "list":
                found = [
                    each for each in self.store.all()
                    if request.list.all or each.verdict != SIGNED_OFF
                ]  # fmt: skip
            case "review":
                found = [self._review(request.review, actor, opened.payload_sha256, now_ms)]
            case _:
                raise Malformed("list the uses, or review one", code="review")
        fields: dict[str, FieldValue] = {"uses": [each.id for each in found]}
        return Made(self._answer(opened.payload_sha256, found, now_ms), fields)

    def _review(
        self, review: emergency_pb2.Review, actor: ActorUri, request_sha256: bytes, now_ms: int
    ) -> EmergencyUse:
        if review.verdict not in VERDICTS or len(review.note) > 500:
            raise Malformed(f"a verdict is one of {', '.join(VERDICTS)}", code="verdict")
        if review.verdict == OBJECTED and not review.note.strip():
            raise Malformed("say in a note what you object to", code="verdict")
        with self._turn:
            use = self.store.find(review.use)
            if use is None:
                raise Malformed("there is no such use; see `gba audit reviews`", code="review")
            if use.verdict == SIGNED_OFF:
                raise Refused(
                    "this use was signed off already",
                    code="emergency-reviewed", rule="emergency-reviewed", basis=_BASIS,
                )  # fmt: skip
            reviewed = replace(
                use, verdict=review.verdict, reviewed_by=str(actor), reviewed_ms=now_ms,
                note=review.note,
            )  # fmt: skip
            fields: dict[str, FieldValue] = {
                "use": use.id,
                "verdict": review.verdict,
                "actor_region": actor.region,
                "actor_role": actor.role,
                "request_sha256": request_sha256.hex(),
            }
            context: dict[str, object] = {"actor": str(actor), "note": review.note}
            self.record(f"emergency.{review.verdict}", now_ms, fields, context)
            self.store.put(reviewed)
            return reviewed

    def _answer(
        self, request_sha256: bytes, found: Iterable[EmergencyUse], now_ms: int
    ) -> emergency_pb2.ReviewAnswer:
        return emergency_pb2.ReviewAnswer(
            request_sha256=request_sha256,
            region=self.owner,
            uses=[
                emergency_pb2.EmergencyUse(
                    use=each.id,
                    actor=str(each.actor),
                    purpose=each.purpose,
                    reason=each.reason,
                    products=each.products,
                    at_ms=each.at_ms,
                    due_ms=each.due_ms(self.review_days),
                    verdict=each.verdict,
                    reviewed_by=each.reviewed_by,
                    reviewed_ms=each.reviewed_ms,
                    note=each.note,
                )
                for each in found
            ],
            decided_at_ms=now_ms,
        )
