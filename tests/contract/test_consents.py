"""Consents at a node: given, scoped, withdrawn at once, and naming nobody."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataspace.audit.entries import commitment
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable
from dataspace.evidence.consenting import Consents
from dataspace.evidence.subjects import subject_tag
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.names import ActorUri
from dataspace.linkage.documents import Document
from dataspace.v1 import consent_pb2
from node.consents import LedgerConsents
from node.ledger import Ledger
from tests.contract.conftest import Open
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import DAY, operators

KEY = b"k" * 32
NUMBER = "A1234563"
TAG = subject_tag(KEY, Document("hkid", NUMBER))
DOCTOR = ActorUri.parse("gba://macao/hospital/clinician/doc")


@dataclass
class Node:
    """Hong Kong's registry, and what it recorded."""

    ledger: Ledger
    recorded: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        node = operators().space.actor("gba://hongkong/h1/node/node-1")
        self.consents = Consents(
            "hongkong", node, LedgerConsents(self.ledger), self.record,
            lambda document: subject_tag(KEY, document), secrets.token_bytes,
        )  # fmt: skip

    def record(self, kind: str, at_ms: int, fields: Any, body: Any) -> None:
        if self.broken:
            raise Unavailable("the log cannot be written", code="log")
        self.recorded.append((kind, fields, body))

    def ask(
        self, request: consent_pb2.ConsentRequest, by: str = "hongkong/h1/clinician/doc",
        at_ms: int = NOW_MS,
    ) -> consent_pb2.ConsentAnswer:  # fmt: skip
        request.freshness.CopyFrom(
            make_freshness(now_ms=at_ms, nonce=secrets.token_bytes(16), audience=["hongkong"])
        )
        signed = seal(request, operators().space.actor(f"gba://{by}"))
        at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
        opened = open_envelope(signed, consent_pb2.ConsentRequest, operators().trust, at)
        body = self.consents.answer(opened, at_ms).body
        assert isinstance(body, consent_pb2.ConsentAnswer)
        return body

    def give(self, **changed: Any) -> str:
        receipt = receipt_of(self.ask(giving(**changed)))
        return receipt.consent

    def state(
        self, purpose: str = "TREAT", categories: tuple[str, ...] = ("labs",),
        recipient: ActorUri = DOCTOR, at_ms: int = NOW_MS, tag: str = TAG,
    ) -> str:  # fmt: skip
        return self.consents.consent_state(tag, recipient, purpose, categories, at_ms)


def giving(**changed: Any) -> consent_pb2.ConsentRequest:
    scope: dict[str, Any] = {
        "region": "macao", "member": "hospital", "purposes": ["TREAT"], "categories": ["labs"],
        "expires_ms": NOW_MS + DAY,
    }  # fmt: skip
    number = changed.pop("number", NUMBER)
    give = consent_pb2.ConsentGive(
        document_kind="hkid", document_number=number,
        scope=consent_pb2.ConsentScope(**(scope | changed)),
    )  # fmt: skip
    return consent_pb2.ConsentRequest(give=give)


def withdrawing(consent: str) -> consent_pb2.ConsentRequest:
    return consent_pb2.ConsentRequest(withdraw=consent_pb2.ConsentWithdraw(consent=consent))


def receipt_of(answer: consent_pb2.ConsentAnswer) -> consent_pb2.ConsentReceipt:
    (held,) = answer.held
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    opened = open_envelope(held.receipt, consent_pb2.ConsentReceipt, operators().trust, at)
    assert str(opened.signer.uri) == "gba://hongkong/h1/node/node-1"
    return opened.message


@pytest.fixture
def node(ledger: Ledger) -> Node:
    return Node(ledger)


def test_a_consent_counts_for_its_recipient_purpose_and_categories(node: Node) -> None:
    assert node.state() == "absent"
    node.give()
    assert node.state() == "valid"
    assert node.state(recipient=ActorUri.parse("gba://macao/clinic/clinician/doc")) == "absent"
    assert node.state(recipient=ActorUri.parse("gba://guangzhou/hospital/clinician/d")) == "absent"
    assert node.state(tag=subject_tag(KEY, Document("hkid", "B1234566"))) == "absent"


def test_a_consent_for_another_purpose_is_none(node: Node) -> None:
    node.give()
    assert node.state("HRESCH") == "absent"
    assert node.state("ETREAT") == "absent"


def test_a_consent_that_is_over_is_expired_to_the_millisecond(node: Node) -> None:
    node.give()
    assert node.state(at_ms=NOW_MS + DAY - 1) == "valid"
    assert node.state(at_ms=NOW_MS + DAY) == "expired"
    assert node.state(at_ms=NOW_MS - 600_000) == "absent"  # a clock ten minutes behind


def test_a_withdrawal_acts_at_once_and_leaves_other_consents(node: Node) -> None:
    first, second = node.give(), node.give(purposes=["HRESCH"])
    answer = node.ask(withdrawing(first))
    assert answer.held[0].withdrawn_ms == NOW_MS
    assert node.state() == "expired"
    assert node.state("HRESCH") == "valid"
    assert node.ask(withdrawing(first), at_ms=NOW_MS + 5).held[0].withdrawn_ms == NOW_MS
    assert second != first


def test_categories_of_several_consents_add_up_and_all_covers_any(node: Node) -> None:
    node.give()
    assert node.state(categories=("genetic", "labs")) == "absent"
    node.give(categories=["genetic"])
    assert node.state(categories=("genetic", "labs")) == "valid"
    assert node.state(categories=("hiv",)) == "absent"
    node.give(categories=["*"], member="")
    assert node.state(categories=("hiv",)) == "valid"


def test_a_receipt_and_the_log_name_nobody(node: Node) -> None:
    receipt = receipt_of(node.ask(giving()))
    kept = node.consents.store.find(receipt.consent)
    assert kept is not None
    assert receipt.subject_commitment == commitment(kept.salt, TAG.encode())
    (kind, fields, body) = node.recorded[-1]
    assert kind == "consent.given"
    assert NUMBER not in str(fields) + str(body)
    assert TAG not in str(fields)
    assert body["subject_tags"] == [TAG]
    shown = node.ask(consent_pb2.ConsentRequest(list=consent_pb2.ConsentList()))
    for hidden in (NUMBER.encode(), TAG.encode()):
        assert hidden not in shown.SerializeToString()


def test_what_is_at_rest_holds_no_document(tmp_path: Path) -> None:
    Node(Ledger.in_file(tmp_path / "ledger.db")).give()
    with sqlite3.connect(tmp_path / "ledger.db") as opened:
        assert NUMBER not in str(opened.execute("select * from consents").fetchall())


def test_consents_outlive_the_process(open_durable: Open) -> None:
    first = Node(open_durable())
    withdrawn = first.give()
    first.ask(withdrawing(withdrawn))
    first.give(purposes=["HRESCH"])
    again = Node(open_durable())
    assert (again.state(), again.state("HRESCH")) == ("expired", "valid")


def test_nothing_is_given_or_withdrawn_that_is_not_recorded(node: Node) -> None:
    consent = node.give()
    node.broken = True
    for request in (giving(purposes=["HRESCH"]), withdrawing(consent)):
        with pytest.raises(Unavailable):
            node.ask(request)
    assert (node.state(), node.state("HRESCH")) == ("valid", "absent")


@pytest.mark.parametrize(
    "by",
    ["hongkong/h1/researcher/r", "hongkong/h1/regulator/r", "macao/h1/clinician/doc",
     "macao/h1/operator/op", "hongkong/h1/public_health/p"],
)  # fmt: skip
def test_only_the_records_own_region_gives_and_withdraws(node: Node, by: str) -> None:
    consent = node.give()
    for request in (giving(), withdrawing(consent)):
        with pytest.raises(Refused) as caught:
            node.ask(request, by=by)
        assert caught.value.rule == "consent-issuer"
    assert node.state() == "valid"


@pytest.mark.parametrize(
    "changed",
    [
        {"purposes": []}, {"purposes": ["*"]}, {"purposes": ["SPY"]},
        {"purposes": ["TREAT", "HRESCH"]}, {"categories": []}, {"categories": ["*", "labs"]},
        {"region": "taipei"}, {"member": "A B"}, {"expires_ms": 0},
        {"expires_ms": NOW_MS}, {"expires_ms": 2**53}, {"number": "A1234567"},
        {"categories": ["labs\n"]},
    ],
)  # fmt: skip
def test_a_consent_that_is_not_whole_is_refused(node: Node, changed: dict[str, Any]) -> None:
    with pytest.raises(DataspaceError) as caught:
        node.ask(giving(**changed))
    assert isinstance(caught.value, Malformed)
    assert node.recorded == []
