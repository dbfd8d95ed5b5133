"""One patient's record against askers, brokers and accomplices who want more than they may."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from dataspace.audit.store import LogStore
from dataspace.errors import Refused, Unavailable, Unverified
from dataspace.evidence.record_asks import RecordAsk, ask_info, seal_ask
from dataspace.evidence.redeciding import check_same, read_recorded
from dataspace.evidence.sealing_keys import GONE
from dataspace.identity.envelopes import seal
from dataspace.linkage.documents import Document
from dataspace.linkage.sealing import SealingKey
from dataspace.policy.emergencies import DAY_MS, EmergencyUse
from dataspace.v1 import query_pb2, record_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.gatekeeper import now_ms
from node.sealing import NodeSealing
from tests.attacks.record_case import (
    REASON,
    REGION,
    UNKNOWN,
    WANT,
    Case,
    Wire,
    by_product,
    expired,
    gate_of,
    hkid,
    mtp,
    only_records,
    patients,
    record_case,
    rows_of,
    said,
    sealing_of,
    withdrawn,
)

DENIED = "default-deny"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with record_case(tmp_path_factory.mktemp("records")) as made:
        yield made


@pytest.fixture
def case(running: Case) -> Case:
    running.wire = Wire()
    return running


def test_a_consented_record_holds_the_patients_own_permitted_columns(case: Case) -> None:
    patient = patients()[0]
    consent = case.consent(hkid(patient))
    found = case.record(hkid(patient), consent, want=(*WANT, "patients"))
    assert found.error is None, found.error
    assert found.consents == (consent,)
    for product, table in by_product(found).items():
        own = rows_of(product, patient["patient_id"])
        expected = {tuple(row[name] for name in table.columns) for row in own}
        assert set(table.rows) == expected, product
        assert not {"hkid", "mtp", "family", "given", "birth_date", "brca"} & set(table.columns)
    (left_out,) = by_product(found)["conditions"].left_out
    assert (left_out.column, left_out.error.rule) == ("brca", "gba-health-2024")


def test_any_document_of_the_same_person_finds_the_record_and_its_consent(case: Case) -> None:
    patient = patients()[0]
    consent = case.consent(hkid(patient))
    spelt = f"hkid: {patient['hkid'].lower().replace('(', ' ').replace(')', '')}"
    for document in (mtp(patient), spelt):
        assert by_product(case.record(document, consent))["conditions"].rows


def test_known_unknown_and_refused_look_alike_from_outside(case: Case) -> None:
    patient = patients()[1]
    consents = case.consent(hkid(patient)), case.consent(UNKNOWN)
    sizes, kinds, replies = set(), set(), []
    for document in (hkid(patient), UNKNOWN):
        since = case.log_size
        replies.append(case.record(document, *consents))
        sizes.add(len(case.wire.back[-1].body.payload))
        kinds.add(tuple(entry.kind for entry, _ in case.entries(since))[-2:])
    assert case.record(hkid(patient)).error is not None
    sizes.add(len(case.wire.back[-1].body.payload))
    assert len(sizes) == 1
    assert kinds == {("record.released", "record.read")}
    known, unknown = replies
    assert by_product(known)["conditions"].rows
    assert not any(each.rows for each in unknown.tables)
    assert [each.columns for each in known.tables] == [each.columns for each in unknown.tables]


@pytest.mark.parametrize("document", [lambda: hkid(patients()[2]), lambda: UNKNOWN])
def test_without_consent_the_refusal_does_not_tell_who_is_known(case: Case, document: Any) -> None:
    found = case.record(document())
    assert found.error is not None
    assert said(found) == DENIED
    assert found.error.message.endswith("no rule permits this for your role and purpose; "
                                        "see `gba catalog`")  # fmt: skip


@pytest.mark.parametrize(
    "consent",
    [
        lambda case, own: case.consent(hkid(patients()[3])),
        lambda case, own: case.consent(own, purpose="HPAYMT"),
        lambda case, own: case.consent(own, recipient="macao/clinic"),
        lambda case, own: case.consent(own, recipient="guangzhou"),
        lambda case, own: case.consent(own, categories=["cost"]),
        lambda case, own: "0" * 32,
        expired,
        withdrawn,
    ],
    ids=["another patient's", "another purpose", "another member", "another region",
         "another category", "made up", "expired", "withdrawn"],
)  # fmt: skip
def test_a_consent_that_does_not_reach_opens_nothing(case: Case, consent: Any) -> None:
    own = hkid(patients()[2])
    since = case.log_size
    assert said(case.record(own, consent(case, own))) == DENIED
    assert "record.released" not in {entry.kind for entry, _ in case.entries(since)}


def test_a_consent_for_some_categories_opens_their_columns_alone(case: Case) -> None:
    patient = patients()[2]
    consent = case.consent(hkid(patient), categories=["health"])
    tables = by_product(case.record(hkid(patient), consent, want=("patients", "encounters")))
    assert tables["patients"].columns == ("blood_type",)
    assert {each.error.rule for each in tables["patients"].left_out} == {DENIED}
    assert tables["encounters"].refused is not None
    assert not tables["encounters"].rows


def test_an_accomplices_consent_does_not_widen_another_patients(case: Case) -> None:
    patient = patients()[2]
    own = case.consent(hkid(patient), categories=["health"])
    wide = case.consent(UNKNOWN)
    found = case.record([hkid(patient), UNKNOWN], own, wide, want=("patients",))
    assert by_product(found)["patients"].columns == ("blood_type",)
    assert said(case.record([hkid(patients()[3]), UNKNOWN], "0" * 32)) == DENIED
    alone = case.record([hkid(patients()[3]), UNKNOWN], wide)
    assert not any(each.rows for each in alone.tables)


def test_documents_of_two_people_are_told_apart_only_to_who_may_read_both(case: Case) -> None:
    one, other = patients()[2], patients()[3]
    consents = case.consent(hkid(one)), case.consent(hkid(other))
    assert said(case.record([hkid(one), hkid(other)], *consents)) == "documents-differ"
    assert said(case.record([hkid(one), hkid(other)])) == DENIED


@pytest.mark.parametrize("actor", ["macao/researcher", "macao/regulator", "macao/operator"])
def test_only_a_clinician_reads_a_record(case: Case, actor: str) -> None:
    consent = case.consent(hkid(patients()[0]))
    assert said(case.record(hkid(patients()[0]), consent, actor=actor)) == DENIED


@pytest.mark.parametrize("reason", ["", "x" * 40, "why not"])
def test_an_emergency_needs_a_reason_in_words(case: Case, reason: str) -> None:
    since = case.log_size
    found = case.record(hkid(patients()[0]), purpose="ETREAT", reason=reason)
    assert said(found) == "emergency-reason"
    assert [entry.kind for entry, _ in case.entries(since)][-2:] == ["record.denied", "record.read"]


def test_an_emergency_is_on_record_before_anything_is_read_out(case: Case) -> None:
    since = case.log_size
    found = case.record(hkid(patients()[0]), purpose="ETREAT", reason=REASON)
    assert by_product(found)["conditions"].rows
    kinds = [entry.kind for entry, _ in case.entries(since)]
    assert kinds[-3:] == ["record.break_glass", "record.released", "record.read"]
    ((entry, body),) = [e for e in case.entries(since) if e[0].kind == "record.break_glass"]
    assert entry.fields["use"] == found.emergency_use
    assert REASON not in str(entry.fields)
    assert body["reason"] == REASON
    assert found.emergency_use in {each.id for each in case.node.governance.emergencies.store.all()}


def test_a_member_with_an_overdue_review_breaks_no_glass(case: Case) -> None:
    store = case.node.governance.emergencies.store
    doctor = case.home("guangzhou/clinician").uri
    late = EmergencyUse("late", doctor, "BTG", REASON, ("patients",), now_ms() - 30 * DAY_MS)
    store.put(late)
    found = case.record(
        hkid(patients()[0]), purpose="BTG", reason=REASON, actor="guangzhou/clinician"
    )
    assert said(found) == "emergency-review-overdue"


def test_nothing_of_it_can_be_read_on_the_way(case: Case) -> None:
    patient = patients()[0]
    consent = case.consent(hkid(patient))
    case.wire = Wire()
    case.record(hkid(patient), consent, want=(*WANT, "patients"))
    case.record(hkid(patient), purpose="ETREAT", reason=REASON)
    seen = b"".join(message.SerializeToString() for message in (*case.wire.sent, *case.wire.back))
    number = patient["hkid"].replace("(", "").replace(")", "")
    codes = [row["icd10"] for row in rows_of("conditions", patient["patient_id"])]
    decided = ["TREAT", "conditions", "treatment-record", consent, REASON]
    secrets = [number, patient["mtp"], patient["district"], *decided, *codes]
    for secret in secrets:
        assert secret.encode() not in seen, secret


def test_an_ask_for_another_region_does_not_open(case: Case) -> None:
    def readdress(envelope: Envelope) -> Envelope:
        request = record_pb2.RecordRequest.FromString(envelope.payload)
        key, _ = sealing_of(case).current(now_ms())
        wrong = ask_info("guangzhou", case.home("macao/clinician").uri, request.freshness.nonce)
        request.asks[0].sealed = seal_ask(_some_ask(), key[0], wrong)
        return seal(request, case.home("macao/clinician").identity)

    case.wire.on_the_way = only_records(readdress)
    assert said(case.record(hkid(patients()[0]))) == "sealed"
    case.wire.on_the_way = only_records(lambda envelope: _other_region(case, envelope))
    assert said(case.record(hkid(patients()[0]))) == "audience"


def _some_ask() -> RecordAsk:
    reply = SealingKey.from_seed("x25519", b"k" * 32).public
    return RecordAsk((Document.parse(UNKNOWN),), "TREAT", (), WANT, "", reply)


def _other_region(case: Case, envelope: Envelope) -> Envelope:
    request = record_pb2.RecordRequest.FromString(envelope.payload)
    request.asks[0].region = "guangzhou"
    return seal(request, case.home("macao/clinician").identity)


def test_an_ask_lifted_out_of_anothers_request_does_not_open(case: Case) -> None:
    patient = patients()[0]
    case.record(hkid(patient), case.consent(hkid(patient)))
    lifted = record_pb2.RecordRequest.FromString(case.wire.sent[-1].payload)

    def wrap(envelope: Envelope) -> Envelope:
        request = record_pb2.RecordRequest.FromString(envelope.payload)
        request.asks[0].CopyFrom(lifted.asks[0])
        return seal(request, case.home("guangzhou/clinician").identity)

    case.wire.on_the_way = only_records(wrap)
    assert said(case.record(hkid(patient), actor="guangzhou/clinician")) == "sealed"


def test_a_request_is_answered_once(case: Case) -> None:
    case.record(hkid(patients()[0]), case.consent(hkid(patients()[0])))
    again = case.ask_node(case.wire.sent[-1])
    assert query_pb2.Refusal.FromString(again.body.payload).status.code == "replay"


def test_a_sealed_ask_that_was_changed_does_not_open(case: Case) -> None:
    def change(envelope: Envelope) -> Envelope:
        request = record_pb2.RecordRequest.FromString(envelope.payload)
        sealed = bytearray(request.asks[0].sealed)
        sealed[-1] ^= 1
        request.asks[0].sealed = bytes(sealed)
        return seal(request, case.home("macao/clinician").identity)

    case.wire.on_the_way = only_records(change)
    assert said(case.record(hkid(patients()[0]))) == "sealed"


def test_replies_swapped_between_two_requests_are_not_believed(case: Case) -> None:
    one, other = patients()[0], patients()[1]
    consents = case.consent(hkid(one)), case.consent(hkid(other))
    case.record(hkid(one), consents[0])
    earlier = record_pb2.RecordAnswer.FromString(case.wire.back[-1].body.payload)
    node = case.node.gatekeeper.identity

    def swap(told: query_pb2.NodeAnswer) -> query_pb2.NodeAnswer:
        if not told.body.payload_type.endswith(".recordanswer.v1+protobuf"):
            return told
        body = record_pb2.RecordAnswer.FromString(told.body.payload)
        body.sealed = earlier.sealed
        signed = seal(body, node)  # as nobody but the node itself could
        receipt = case.node.gatekeeper.recorder.record(
            "record.read", now_ms(), {"body_sha256": hashlib.sha256(signed.payload).hexdigest()}
        )
        return query_pb2.NodeAnswer(body=signed, receipt=receipt)

    case.wire.on_the_way_back = swap
    with pytest.raises(Unverified) as caught:
        case.record(hkid(other), consents[1])
    assert caught.value.code == "sealed"


def test_a_whole_answer_to_another_request_is_not_believed(case: Case) -> None:
    consent = case.consent(hkid(patients()[0]))
    case.record(hkid(patients()[0]), consent)
    earlier = case.wire.back[-1]

    def swap(told: query_pb2.NodeAnswer) -> query_pb2.NodeAnswer:
        return earlier if "recordanswer" in told.body.payload_type else told

    case.wire.on_the_way_back = swap
    with pytest.raises(Unverified) as caught:
        case.record(hkid(patients()[0]), consent, actor="guangzhou/clinician")
    assert caught.value.code == "partial-request"


def test_a_node_that_changed_its_key_is_asked_once_more(case: Case) -> None:
    patient = patients()[0]
    consent = case.consent(hkid(patient))
    asking = case.asking()
    assert asking.record(hkid(patient), WANT, "TREAT", [consent], [REGION], "").regions[0].tables
    sealing = sealing_of(case)
    sealing._generations.clear()
    again = asking.record(hkid(patient), WANT, "TREAT", [consent], [REGION], "")
    assert again.regions[0].tables
    with patch.object(NodeSealing, "open", side_effect=Unavailable("gone", code=GONE)):
        (region,) = asking.record(hkid(patient), WANT, "TREAT", [consent], [REGION], "").regions
    assert said(region) == GONE


def test_what_was_decided_is_on_record_and_decided_alike_again(case: Case) -> None:
    patient = patients()[0]
    consent = case.consent(hkid(patient), categories=["health"])
    since = case.log_size
    found = case.record(mtp(patient), consent, want=("conditions", "patients"))
    ((entry, body),) = [e for e in case.entries(since) if e[0].kind == "record.released"]
    assert entry.fields["purpose"] == "TREAT"
    assert entry.fields["consents"] == (consent,)
    assert "treatment-record" in entry.fields["rules"]  # type: ignore[operator]
    assert body["actor"] == str(case.home("macao/clinician").uri)
    tag = case.node.governance.consents.tag
    both = {tag(Document.parse(hkid(patient))), tag(Document.parse(mtp(patient)))}
    assert both <= set(body["subject_tags"])
    assert found.receipt is not None
    assert found.receipt.entry == entry.to_bytes()
    recorded = read_recorded(REGION, 0, entry, body)
    assert recorded is not None
    check_same(recorded, case.node.gatekeeper.policies.current())
    outer = [e for e, _ in case.entries(since) if e.kind == "record.read"]
    assert set(outer[-1].fields) == {
        "request_sha256", "actor_region", "actor_role", "outcome", "body_sha256", "sealed_bytes",
        "context",
    }  # fmt: skip


def test_no_document_is_written_anywhere(case: Case) -> None:
    patient = patients()[0]
    case.record([hkid(patient), mtp(patient)], case.consent(hkid(patient)))
    case.record(UNKNOWN, purpose="ETREAT", reason=REASON)
    log = b"".join(f"{entry.to_bytes()!r}{body}".encode() for entry, body in case.entries(0))
    plain = patient["hkid"].replace("(", "").replace(")", "")
    for number in (plain, patient["hkid"], patient["mtp"], "A1234563", patient["patient_id"]):
        assert number.encode() not in log


def test_what_cannot_be_recorded_is_not_released(case: Case) -> None:
    consent = case.consent(hkid(patients()[0]))
    asking = case.asking()
    asking.keys.of([REGION])
    full = Unavailable("the log cannot be written", code="log")
    with patch.object(LogStore, "append", side_effect=full), pytest.raises(Unavailable):
        asking.record(hkid(patients()[0]), WANT, "TREAT", [consent], [REGION], "")
    assert "recordanswer" not in case.wire.back[-1].body.payload_type


def test_a_product_that_the_charter_does_not_let_be_offered_gives_no_record(case: Case) -> None:
    consent = case.consent(hkid(patients()[0]))
    other = Refused("another schema than the charter's", code="charter-product", rule="charter")
    with patch.object(gate_of(case).gatekeeper, "check_offered", side_effect=other):
        assert said(case.record(hkid(patients()[0]), consent)) == "charter"


def test_people_are_counted_once_a_year_and_route(case: Case) -> None:
    volumes, at = gate_of(case).volumes, now_ms()
    tag = case.node.governance.consents.tag(Document.parse("other_id:NOBODY1"))
    before = volumes.with_this("macao", tag, at)
    patient = patients()[-1]
    consent = case.consent(hkid(patient))
    for document in (hkid(patient), mtp(patient), hkid(patient)):
        assert case.record(document, consent).error is None
    assert volumes.with_this("macao", tag, at) == before + 1
    assert case.record(hkid(patients()[-2])).error is not None
    assert volumes.with_this("macao", tag, at) == before + 1
