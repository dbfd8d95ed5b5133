"""Hong Kong's node in this process, and clinicians who ask it for records; only the wire is
left out, so that a test hands over what no honest broker would."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from dataspace.agreement_files import FOLDER, FileShelf
from dataspace.audit.entries import Entry
from dataspace.audit.following import read_body
from dataspace.client.asking import LogAnswer, check_answers
from dataspace.client.existence import Presence
from dataspace.client.records import PatientRecord, RecordAsking, RegionRecord
from dataspace.client.sealing_keys import KnownKeys
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.policy.emergencies import DAY_MS
from dataspace.synthetic.space import generate
from dataspace.v1 import audit_pb2, broker_pb2, consent_pb2, query_pb2
from dataspace.v1.agreement_pb2 import AgreementChain
from dataspace.v1.envelope_pb2 import Envelope, Freshness
from node.gatekeeper import now_ms
from node.service import Node
from tests.federation.copies import still_copy
from tests.revocations import fresh_lists
from tests.spaces import Space

REGION = "hongkong"
UNKNOWN = "hkid:A123456(3)"
WANT = ("allergies", "conditions", "medications", "immunizations")
YEAR_MS = 365 * 86_400_000
REASON = "unconscious after a road accident"


@cache
def tables() -> dict[str, list[dict[str, Any]]]:
    """What Hong Kong's node of `still_copy` was loaded with."""
    return {name: table.to_pylist() for name, table in generate(300, 1).tables[REGION].items()}


@cache
def patients() -> tuple[dict[str, Any], ...]:
    """People with an identity card, a travel permit, and something in every product wanted."""
    found = [
        each for each in tables()["patients"]
        if each["hkid"] and each["mtp"]
        and all(rows_of(name, each["patient_id"]) for name in ("conditions", "immunizations"))
    ]  # fmt: skip
    assert len(found) > 3
    return tuple(found)


def rows_of(product: str, patient_id: str) -> list[dict[str, Any]]:
    """The rows of a patient."""
    return [row for row in tables()[product] if row["patient_id"] == patient_id]


def hkid(patient: dict[str, Any]) -> str:
    return f"hkid:{patient['hkid']}"


def mtp(patient: dict[str, Any]) -> str:
    return f"mtp:{patient['mtp']}"


@dataclass
class Wire:
    """What went over it, and what somebody does to it on the way."""

    sent: list[Envelope] = field(default_factory=list)
    back: list[query_pb2.NodeAnswer] = field(default_factory=list)
    on_the_way: Callable[[Envelope], Envelope] = lambda envelope: envelope
    on_the_way_back: Callable[[query_pb2.NodeAnswer], query_pb2.NodeAnswer] = lambda told: told


@dataclass
class Case:
    """One node that answers."""

    space: Space
    node: Node
    wire: Wire = field(default_factory=Wire)

    def ask_node(self, envelope: Envelope) -> query_pb2.NodeAnswer:
        """Hand an envelope to the node's desk."""
        return self.node.room.handlers()[envelope.payload_type](envelope)

    def home(self, actor: str) -> PartyHome:
        region, role = actor.split("/")
        return next(
            PartyHome(each) for each in (self.space.home / "actors").iterdir()
            if (uri := PartyHome(each).uri) and (uri.region, uri.role) == (region, role)
        )  # fmt: skip

    def freshness(self, audience: Sequence[str]) -> Freshness:
        return make_freshness(
            now_ms=now_ms(), nonce=secrets.token_bytes(16), audience=audience, life_ms=120_000
        )

    def carry(self, request: Any, regions: Sequence[str], actor: str) -> tuple[LogAnswer, ...]:
        """Sign a request, carry it to the node, and check what comes back as a client does."""
        asked = type(request)()
        asked.CopyFrom(request)
        if not request.HasField("freshness"):
            asked.freshness.CopyFrom(self.freshness([*regions, "broker"]))
        sent = self.wire.on_the_way(seal(asked, self.home(actor).identity))
        self.wire.sent.append(sent)
        told = self.wire.on_the_way_back(self.ask_node(sent))
        self.wire.back.append(told)
        digest = hashlib.sha256(sent.payload).digest()
        outcome = query_pb2.NodeOutcome(
            region=REGION, status="released", body_sha256=hashlib.sha256(told.body.payload).digest()
        )
        answers = audit_pb2.AuditAnswers(answers=[told], nodes=[outcome])
        return check_answers(answers, regions, digest, self.node.in_force.trust(), now_ms())

    def asking(self, actor: str = "macao/clinician") -> RecordAsking:
        """A session's way to records, of an actor."""

        def ask(request: Any, regions: Sequence[str]) -> tuple[LogAnswer, ...]:
            return self.carry(request, regions, actor)

        return RecordAsking(
            ask, KnownKeys(ask, now_ms), self.freshness, self.home(actor).uri,
            self.node.in_force.trust, now_ms, lambda *_: Presence(()),
        )  # fmt: skip

    def record(
        self, documents: str | Sequence[str], *consents: str, purpose: str = "TREAT",
        want: Sequence[str] = WANT, reason: str = "", actor: str = "macao/clinician",
    ) -> RegionRecord:  # fmt: skip
        """What the node gives of a record."""
        found: PatientRecord = self.asking(actor).record(
            documents, want, purpose, consents, [REGION], reason
        )
        (region,) = found.regions
        return region

    def consent(
        self, document: str, *, recipient: str = "macao/hospital", purpose: str = "TREAT",
        categories: Sequence[str] = ("*",), for_ms: int = YEAR_MS,
    ) -> str:  # fmt: skip
        """Give a consent at the node; its id."""
        region, _, member = recipient.partition("/")
        kind, _, number = document.partition(":")
        scope = consent_pb2.ConsentScope(
            region=region, member=member, purposes=[purpose], categories=sorted(categories),
            expires_ms=now_ms() + for_ms,
        )  # fmt: skip
        give = consent_pb2.ConsentGive(document_kind=kind, document_number=number, scope=scope)
        request = consent_pb2.ConsentRequest(give=give)
        (answer,) = self.carry(request, [REGION], "hongkong/clinician")
        answer.require()
        assert answer.answer is not None
        body: Any = answer.answer.body
        return str(consent_pb2.ConsentReceipt.FromString(body.held[0].receipt.payload).consent)

    def withdraw(self, consent: str) -> None:
        act = consent_pb2.ConsentWithdraw(consent=consent)
        (answer,) = self.carry(
            consent_pb2.ConsentRequest(withdraw=act), [REGION], "hongkong/clinician"
        )
        answer.require()

    @property
    def log_size(self) -> int:
        return self.node.gatekeeper.recorder.log.size

    def entries(self, since: int) -> list[tuple[Entry, dict[str, Any]]]:
        """Entries with their bodies, alarms left out: they come at a time of their own."""
        recorder, found = self.node.gatekeeper.recorder, []
        for index in range(since, self.log_size):
            entry = Entry.from_bytes(recorder.log.read_entry(index))
            key = entry.fields.get("context")
            body = read_body(recorder.bodies, str(key)) if key else {}
            if entry.kind != "alarm.raised":
                found.append((entry, dict(body or {})))
        return found


@contextmanager
def record_case(folder: Path) -> Iterator[Case]:
    """A node of its own in that folder."""
    space = still_copy(folder)
    node = Node.open(PartyHome(space.home / REGION))
    node.in_force.take(fresh_lists(space.home, now_ms()))
    node.governance.take(broker_pb2.Welcome(agreements=agreements_of(space)))
    try:
        yield Case(space, node)
    finally:
        node.close()


def agreements_of(space: Space, region: str = REGION) -> list[AgreementChain]:
    """What the broker keeps for a region's node, which takes it in when it attaches."""
    held = FileShelf(space.home / "broker" / FOLDER).all()
    return [
        AgreementChain(steps=[Envelope.FromString(step.envelope) for step in each.agreement.steps])
        for each in held
        if region in each.agreement.terms.regions
    ]


def said(region: Any) -> str:
    """The rule of a refusal, or its code."""
    assert region.error is not None
    assert not region.tables
    return str(region.error.rule or region.error.code)


def by_product(region: Any) -> dict[str, Any]:
    """The tables of a region that answered."""
    assert region.error is None, region.error
    return {each.product: each for each in region.tables}


def expired(case: Case, own: str) -> str:
    """A consent that ended a moment ago."""
    name = case.consent(own)
    store = case.node.governance.consents.store
    kept = store.find(name)
    assert kept is not None
    scope = replace(kept.consent.scope, expires_ms=now_ms() - 1)
    over = replace(kept.consent, id="e" * 32, scope=scope, given_ms=now_ms() - DAY_MS)
    if store.find(over.id) is None:
        store.put(replace(kept, consent=over))
    return over.id


def withdrawn(case: Case, own: str) -> str:
    """A consent that was taken back."""
    name = case.consent(own)
    case.withdraw(name)
    return name


def only_records(change: Any) -> Any:
    """Leaves the request for sealing keys alone."""
    return lambda envelope: (
        change(envelope) if envelope.payload_type.endswith(".recordrequest.v1+protobuf")
        else envelope
    )  # fmt: skip


def gate_of(case: Case) -> Any:
    """What answers requests for records at the node."""
    kind = next(k for k in case.node.room.kinds.values() if k.name == "record")
    return kind.answer.__self__  # type: ignore[attr-defined]


def sealing_of(case: Case) -> Any:
    return gate_of(case).sealing
