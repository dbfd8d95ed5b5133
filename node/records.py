"""The gate for one patient's record: open, find, decide, record, read, sign, seal. Rim.

In this order, for a patient who is known here and for one who is not:

    open the ask  ->  what this node's consents and documents say  ->  decide each product
    ->  emergency use on record  ->  counted  ->  rows  ->  reply signed, on record, sealed

A no is sealed as a yes is. The broker sees neither, nor does the entry whose receipt goes with
the sealed answer: what was decided stands in an entry of its own, whose receipt is inside.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.message import Message

from dataspace.audit.entries import FieldValue
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.evidence.answers import status_of
from dataspace.evidence.desk import Made, RequestKind
from dataspace.evidence.looks import SUBJECT_TAGS
from dataspace.evidence.record_asks import RecordAsk, ask_info, ask_of, read_sealed, reply_key_of
from dataspace.evidence.record_replies import MOST_ROWS, RecordTable, seal_reply, write_tables
from dataspace.evidence.record_rules import Judged, Question, judge
from dataspace.identity.envelopes import Opened, check_signer, seal
from dataspace.identity.names import ActorUri
from dataspace.linkage.sealing import PublicSealingKey
from dataspace.policy.emergencies import PURPOSES as EMERGENCIES
from dataspace.policy.emergencies import EmergencyUse
from dataspace.processes import now_ms
from dataspace.query.product import Product
from dataspace.v1 import query_pb2, record_pb2
from node.catalogue import Catalogue
from node.gatekeeper import Gatekeeper
from node.governance import Governance
from node.patients import Patient, Patients, uncancelled
from node.record_volumes import RecordVolumes
from node.sealing import NodeSealing
from node.warehouse.people import Person, read_rows

RELEASED, DENIED = "record.released", "record.denied"


@dataclass
class _Facts:
    """What goes into the entry of what was decided, yes or no."""

    fields: dict[str, FieldValue]
    context: dict[str, object]


@dataclass(frozen=True)
class RecordGate:
    """One region's."""

    gatekeeper: Gatekeeper
    governance: Governance
    sealing: NodeSealing
    volumes: RecordVolumes
    patients: Patients
    # Hears whose member got an answer: see the limits of existence checks.
    followed: Callable[[ActorUri], object] = lambda _uri: None
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def region(self) -> str:
        """Whose records these are."""
        return self.gatekeeper.region

    def kind(self) -> RequestKind:
        """What the node's desk answers with this."""
        return RequestKind("record", record_pb2.RecordRequest, self.answer)

    def answer(self, opened: Opened[record_pb2.RecordRequest], at_ms: int) -> Made:
        """A sealed yes or no. Raises only what keeps an ask from being opened at all."""
        wire = read_sealed(self._unsealed(opened, at_ms))
        reply_key = reply_key_of(wire)
        inner = self._answered(opened, wire, at_ms)
        return self._sealed(inner, reply_key, opened.payload_sha256, at_ms)

    def _unsealed(self, opened: Opened[record_pb2.RecordRequest], at_ms: int) -> bytes:
        asks = [each for each in opened.message.asks if each.region == self.region]
        if len(asks) != 1:
            raise Malformed(f"this request holds no ask for {self.region}", code="audience")
        nonce = opened.message.freshness.nonce
        info = ask_info(self.region, opened.signer.uri, nonce)
        return self.sealing.open(asks[0].key_sha256, asks[0].sealed, info, at_ms)

    def _sealed(
        self, inner: query_pb2.NodeAnswer, key: PublicSealingKey, request: bytes, at_ms: int
    ) -> Made:
        sealed = seal_reply(inner, key, self.region, request)
        body = record_pb2.RecordAnswer(
            request_sha256=request, region=self.region, sealed=sealed, decided_at_ms=at_ms
        )
        return Made(body, {"sealed_bytes": len(sealed)})

    def _answered(
        self,
        opened: Opened[record_pb2.RecordRequest],
        wire: record_pb2.RecordAsk,
        at_ms: int,
    ) -> query_pb2.NodeAnswer:
        """What was decided, signed and on record."""
        uri = opened.signer.uri
        facts = _Facts(
            {
                "request_sha256": opened.payload_sha256.hex(),
                "actor_region": uri.region,
                "actor_role": uri.role,
            },
            {"actor": str(uri)},
        )
        try:
            reply = self._reply(opened, ask_of(wire), facts, at_ms)
            # SECURITY: who was revoked while the rows were read gets nothing of them.
            at = datetime.fromtimestamp(now_ms() / 1000, UTC)
            check_signer(opened.envelope, self.gatekeeper.trust(), at)
        except DataspaceError as error:
            return self._refuse(error, opened.payload_sha256, facts)
        except Exception:
            # SECURITY: the text of an unexpected error may hold anything.
            inside = Unavailable(f"{self.region} failed inside; ask again", code="internal")
            return self._refuse(inside, opened.payload_sha256, facts)
        facts.fields["outcome"] = "released"
        self.followed(uri)
        return self._recorded(RELEASED, reply, facts)

    def _reply(
        self,
        opened: Opened[record_pb2.RecordRequest],
        ask: RecordAsk,
        facts: _Facts,
        at_ms: int,
    ) -> record_pb2.RecordReply:
        # A load may swap the catalogue meanwhile: one request sees one catalogue.
        catalogue = self.gatekeeper.catalogue
        facts.fields |= {"purpose": ask.purpose, "products": list(ask.products)}
        products = [catalogue.find(name) for name in ask.products]
        for product in products:
            self.gatekeeper.check_offered(product)
        use = self._emergency(opened, ask, facts, at_ms)
        patient = self.patients.find(ask, catalogue, products)
        facts.context[SUBJECT_TAGS] = list(patient.tags)
        self.gatekeeper.check_witnessed()
        with self._turn:  # a count is decided on and raised before the next one is read
            judged = self._judge(opened, ask, products, patient, use, at_ms)
            self._note(judged, catalogue, patient, facts)
            _require_any(judged)
            self._settle(opened, judged, patient, use, at_ms)
        # INVARIANT: from here on only who was permitted hears anything about the patient.
        person = patient.as_one()
        tables = [
            self._table(catalogue, product, each, person)
            for product, each in zip(products, judged, strict=True)
        ]
        return record_pb2.RecordReply(
            request_sha256=opened.payload_sha256,
            region=self.region,
            tables=write_tables(tables),
            catalogue_sha256=catalogue.sha256,
            policy_sha256=bytes.fromhex(judged[0].decided[0].decision.policy_sha256),
            consents=patient.consent_ids,
            emergency_use="" if use is None else use.id,
            decided_at_ms=at_ms,
        )

    def _emergency(
        self,
        opened: Opened[record_pb2.RecordRequest],
        ask: RecordAsk,
        facts: _Facts,
        at_ms: int,
    ) -> EmergencyUse | None:
        if ask.purpose not in EMERGENCIES:
            return None
        facts.context["reason"] = ask.reason
        # The request's digest covers 16 random bytes, and names the use here alone.
        name = hashlib.sha256(self.region.encode() + opened.payload_sha256).hexdigest()[:32]
        return EmergencyUse(name, opened.signer.uri, ask.purpose, ask.reason, ask.products, at_ms)

    def _judge(
        self,
        opened: Opened[record_pb2.RecordRequest],
        ask: RecordAsk,
        products: Sequence[Product],
        patient: Patient,
        use: EmergencyUse | None,
        at_ms: int,
    ) -> list[Judged]:
        uri = opened.signer.uri
        asked = Question(
            asker=opened.signer,
            region=self.region,
            purpose=ask.purpose,
            emergency=use is not None,
            records_this_year=self.volumes.with_this(uri.region, patient.tags[0], at_ms),
            at_ms=at_ms,
            policies=self.gatekeeper.policies.current(),
            agreements=self.governance.agreements.agreement_state,
            consent=lambda names: patient.consent_state(uri, ask.purpose, names, at_ms),
        )
        # What the entry names by digest stays here, or nobody could replay the decision.
        self.gatekeeper.archive.keep_policies(asked.policies)
        return [judge(asked, product) for product in products]

    def _note(
        self, judged: Sequence[Judged], catalogue: Catalogue, patient: Patient, facts: _Facts
    ) -> None:
        offers = [each.offer for each in catalogue.products.values()]
        self.gatekeeper.archive.keep_catalogue(catalogue.sha256.hex(), self.region, offers)
        decided = [each for product in judged for each in product.decided]
        facts.fields |= {
            "decision": "permit" if any(each.columns for each in judged) else "deny",
            "rules": sorted({rule.id for each in decided for rule in each.decision.rules}),
            "policy_sha256": decided[0].decision.policy_sha256,
            "catalogue_sha256": catalogue.sha256.hex(),
            "left_out": sum(len(each.left_out) for each in judged),
            "consents": patient.consent_ids,
        }
        facts.context |= {
            "access_requests": [json.loads(each.question.to_json()) for each in decided],
            "decisions": [json.loads(each.decision.to_json()) for each in decided],
            "agreements": [list(each.stands.agreements) for each in decided],
        }

    def _settle(
        self,
        opened: Opened[record_pb2.RecordRequest],
        judged: Sequence[Judged],
        patient: Patient,
        use: EmergencyUse | None,
        at_ms: int,
    ) -> None:
        """What has to stand before anything is read out: the use, the count, the budgets."""
        if use is not None:
            self.governance.emergencies.use(use, opened.payload_sha256, patient.tags)
        self.volumes.add(opened.signer.uri.region, patient.tags[0], at_ms)
        used = {
            name
            for each in judged if each.columns
            for name in each.decided[0].stands.ids
            if use is None
        }  # fmt: skip
        for name in sorted(used):
            self.governance.agreements.shelf.count_use(name)

    def _table(
        self, catalogue: Catalogue, product: Product, judged: Judged, patient: Person
    ) -> RecordTable:
        if judged.refused is not None:
            return RecordTable(product.product, refused=judged.refused)
        assert catalogue.engine is not None
        rows = read_rows(catalogue.engine, product, judged.columns, patient, MOST_ROWS, uncancelled)
        permits = judged.decided[0].decision.rules
        return RecordTable(
            product.product,
            judged.columns,
            tuple(rows[:MOST_ROWS]),
            truncated=len(rows) > MOST_ROWS,
            left_out=judged.left_out,
            rules=tuple(rule.id for rule in permits),
            bases=tuple(rule.basis for rule in permits),
        )

    def _refuse(self, error: DataspaceError, request: bytes, facts: _Facts) -> query_pb2.NodeAnswer:
        refusal = query_pb2.Refusal(
            request_sha256=request,
            region=self.region,
            status=status_of(error),
            decided_at_ms=now_ms(),
        )
        facts.fields |= {"outcome": error.kind, "code": error.code, "rule": error.rule}
        return self._recorded(DENIED, refusal, facts)

    def _recorded(self, kind: str, message: Message, facts: _Facts) -> query_pb2.NodeAnswer:
        # INVARIANT: recorded before released. Where this raises, nothing is handed out.
        body = seal(message, self.gatekeeper.identity)
        fields: Mapping[str, FieldValue] = facts.fields | {
            "body_sha256": hashlib.sha256(body.payload).hexdigest()
        }
        receipt = self.gatekeeper.recorder.record(kind, now_ms(), fields, facts.context)
        return query_pb2.NodeAnswer(body=body, receipt=receipt)


def _require_any(judged: Sequence[Judged]) -> None:
    """Raise `Refused` by the first product's rule where nothing of any may go."""
    refused = [each.refused for each in judged]
    if all(refused) and refused[0] is not None:
        raise refused[0]
