"""A party's registry of agreements: takes steps, records them, answers who asks.

A step is checked against what is kept, recorded as `agreement.<state>`, and only then kept:
what is in force here is in the log. Steps come from their signers through the desk, or from
the broker at attach, where each is verified by its own signature all the same. Reads no
clock: times are handed in.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dataspace.audit.entries import FieldValue
from dataspace.errors import DataspaceError, Malformed, Refused
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.recording import Recorder
from dataspace.identity.envelopes import Opened
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import TrustList
from dataspace.policy.agreements import TERMINATED, Agreement, Step, read_step, step_of
from dataspace.policy.requests import AccessRequest
from dataspace.policy.shelves import Shelf
from dataspace.policy.standing import Held, Standing, standing
from dataspace.v1 import agreement_pb2
from dataspace.v1.envelope_pb2 import Envelope

Record = Callable[[str, int, Mapping[str, FieldValue], Mapping[str, object] | None], object]


def record_in_order(recorder: Recorder, clock: Callable[[], int]) -> Record:
    """Records under the time of recording: a log is in order of time, and what was decided
    together, or waited for its turn, would otherwise stand in it out of order."""

    def record(
        kind: str,
        _decided_ms: int,
        fields: Mapping[str, FieldValue],
        body: Mapping[str, object] | None,
    ) -> object:
        return recorder.record(kind, clock(), fields, body)

    return record


_BASIS = "space rule: agreements"


@dataclass(frozen=True)
class Registry:
    """One party's. `owner` is a region, or "broker"; `member` offers the products here."""

    owner: str
    shelf: Shelf
    trust: Callable[[], TrustList]
    record: Record
    member: str | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def kinds(self) -> tuple[RequestKind, ...]:
        """What the desk answers with this."""
        return (
            RequestKind("agreement_step", agreement_pb2.AgreementStep, self.answer_step),
            RequestKind("agreement", agreement_pb2.AgreementRequest, self.answer_look),
        )

    def agreement_state(self, request: AccessRequest, at_ms: int) -> Standing:
        """How a request stands, of what is kept as of now."""
        if request.route_from == request.route_to:
            return standing((), request, self.member, at_ms)
        held = self.shelf.of_pair(request.route_from, request.route_to)
        return standing(held, request, self.member, at_ms)

    def answer_step(self, opened: Opened[agreement_pb2.AgreementStep], now_ms: int) -> Made:
        """Take a signed step; the answer is the agreement as it is kept then."""
        held = self.take(step_of(opened), now_ms, set(opened.message.freshness.audience))
        fields: dict[str, FieldValue] = {"agreement": held.id, "state": held.agreement.state}
        return Made(self._answer(opened.payload_sha256, [held], now_ms), fields)

    def answer_look(self, opened: Opened[agreement_pb2.AgreementRequest], now_ms: int) -> Made:
        """Agreements that the asker's region is a party of, for its operators and regulators."""
        asker = opened.signer.uri
        if asker.role not in {"operator", "regulator"}:
            raise _refused("agreement-reader", "agreements are shown to operators and regulators "
                           "of their parties")  # fmt: skip
        wanted = opened.message.agreement.hex()
        found = self.shelf.all() if not wanted else [self._kept(wanted)]
        seen = [each for each in found if asker.region in each.agreement.terms.regions]
        if wanted and not seen:
            raise _unknown()
        fields: dict[str, FieldValue] = {"agreements": [each.id for each in seen]}
        return Made(self._answer(opened.payload_sha256, seen, now_ms), fields)

    def take(self, step: Step, now_ms: int, audience: set[str] | None = None) -> Held:
        """Check a verified step, record it, keep it. A step that is kept already is no change.

        Raises `Refused`, `Unverified` or `Malformed` for what does not follow; where
        `audience` is given, it has to be both parties.
        """
        with self._turn:
            agreement, is_new = self._grown(step)
            if audience is not None and audience - {BROKER} != set(agreement.terms.regions):
                raise Malformed("a step is for the nodes of both parties", code="audience")
            if is_new:
                self._keep(agreement, step, now_ms)
            return self._kept(agreement.id)

    def take_chain(self, steps: Sequence[Envelope], now_ms: int) -> int:
        """Take what is new of a chain that somebody else delivers; how many steps it was.

        SECURITY: the broker brings it, and is trusted with delivery alone.
        """
        taken = 0
        for envelope in steps:
            digest = hashlib.sha256(envelope.payload).digest()
            if not taken and self._has(steps[0], digest):
                continue
            self.take(read_step(envelope, self.trust(), now_ms), now_ms)
            taken += 1
        return taken

    def carry(self, opened: Opened[agreement_pb2.AgreementStep], now_ms: int) -> None:
        """What the broker does with a step before it forwards it: keep it for who is away.

        An end of an agreement that is not kept here passes: nothing may hold it up.
        """
        step = step_of(opened)
        unknown = step.agreement and self.shelf.find(step.agreement.hex()) is None
        if not (unknown and step.state == TERMINATED):
            self.take(step, now_ms, set(opened.message.freshness.audience))

    def of_region(self, region: str) -> list[agreement_pb2.AgreementChain]:
        """The chains that a region's node has to know."""
        return [
            _chain(each.agreement)
            for each in self.shelf.all()
            if region in each.agreement.terms.regions
        ]

    def _grown(self, step: Step) -> tuple[Agreement, bool]:
        """The agreement with this step in it, and whether that is new."""
        agreement_id = step.agreement.hex() or step.sha256.hex()
        held = self.shelf.find(agreement_id)
        if held is None:
            if step.agreement:
                raise _unknown()
            agreement = Agreement((step,))
        elif step.sha256 in {each.sha256 for each in held.agreement.steps}:
            return held.agreement, False
        elif held.agreement.state == step.state == TERMINATED:
            return held.agreement, False  # both ended it at once: it is ended
        else:
            agreement = held.agreement.extended(step)
        if self.owner not in {BROKER, *agreement.terms.regions}:
            raise _refused("agreement-party", f"{self.owner} is no party of this agreement")
        return agreement, True

    def _keep(self, agreement: Agreement, step: Step, now_ms: int) -> None:
        terms = agreement.terms
        fields: dict[str, FieldValue] = {
            "agreement": agreement.id,
            "step_sha256": step.sha256.hex(),
            "previous_sha256": step.previous.hex(),
            "terms_sha256": terms.sha256.hex(),
            "state": step.state,
            "provider": terms.provider,
            "consumer": terms.consumer,
            "actor_region": step.signer.region,
            "actor_role": step.signer.role,
        }
        context: dict[str, object] = {
            "actor": str(step.signer),
            "terms": terms.to_json(),
            "reason": step.reason,
        }
        # INVARIANT: recorded before it is in force.
        self.record(f"agreement.{step.state}", now_ms, fields, context)
        self.shelf.put(agreement, now_ms)

    def _has(self, first: Envelope, digest: bytes) -> bool:
        held = self.shelf.find(hashlib.sha256(first.payload).hexdigest())
        return held is not None and digest in {each.sha256 for each in held.agreement.steps}

    def _kept(self, agreement_id: str) -> Held:
        held = self.shelf.find(agreement_id)
        if held is None:
            raise _unknown()
        return held

    def _answer(
        self, request_sha256: bytes, held: Sequence[Held], now_ms: int
    ) -> agreement_pb2.AgreementAnswer:
        return agreement_pb2.AgreementAnswer(
            request_sha256=request_sha256,
            region=self.owner,
            held=[
                agreement_pb2.AgreementHeld(
                    chain=_chain(each.agreement),
                    budget_used=each.used,
                    received_ms=each.received_ms,
                )
                for each in held
            ],
            decided_at_ms=now_ms,
        )


def delivered(
    registry: Registry, chains: Sequence[agreement_pb2.AgreementChain], now_ms: int
) -> list[DataspaceError]:
    """Take every chain; what does not verify stops no other, and is told."""
    wrong = []
    for chain in chains:
        try:
            registry.take_chain(chain.steps, now_ms)
        except DataspaceError as error:
            wrong.append(error)
    return wrong


def _chain(agreement: Agreement) -> agreement_pb2.AgreementChain:
    return agreement_pb2.AgreementChain(
        steps=[Envelope.FromString(each.envelope) for each in agreement.steps]
    )


def _unknown() -> Malformed:
    return Malformed(
        "there is no such agreement here; see `gba agreement list`", code="agreement-unknown"
    )


def _refused(rule: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis=_BASIS)
