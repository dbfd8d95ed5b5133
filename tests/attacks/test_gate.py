"""A node's gate against a broker that lies: what it is handed is judged as if nobody had.

The nodes here are the real ones, opened on a real home, with ledger, log, data and policies;
only the wire is left out, so that the test hands over what no honest broker would.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataspace.audit.entries import Entry
from dataspace.audit.journal import read_journal
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import LogStore
from dataspace.errors import Unavailable
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.names import ActorUri
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.gatekeeper import Cancellation, now_ms
from node.service import Node
from tests.attacks.forgery import (
    COUNT,
    Asker,
    Stranger,
    make_request,
    sign_payload,
    speak_for,
)
from tests.federation.copies import still_copy
from tests.revocations import fresh_lists
from tests.spaces import Space


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """A space whose processes are not started."""
    return still_copy(tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="module")
def node(space: Space) -> Iterator[Node]:
    node = Node.open(PartyHome(space.home / "macao"))
    node.in_force.take(fresh_lists(space.home, now_ms()))
    yield node
    node.close()


@pytest.fixture(scope="module")
def asker(space: Space) -> Asker:
    return Asker.of(space)


def answer(node: Node, envelope: Envelope) -> str:
    """`released`, or the kind and code of the node's signed no; recorded in either case."""
    log = node.gatekeeper.recorder.log
    size = log.size
    told = node.gatekeeper.answer(envelope, lambda *_: None, Cancellation())
    # Alarms are raised beside what is asked, at a time of their own.
    added = [Entry.from_bytes(log.read_entry(index)) for index in range(size, log.size)]
    recorded = [each for each in added if each.kind != "alarm.raised"]
    assert [each.to_bytes() for each in recorded] == [told.receipt.entry]
    assert told.receipt.index >= size
    if told.body.payload_type.endswith(".partial.v1+protobuf"):
        return "released"
    refusal = query_pb2.Refusal.FromString(told.body.payload)
    assert refusal.request_sha256 == hashlib.sha256(envelope.payload).digest()
    return f"{refusal.status.error} {refusal.status.code}"


def test_the_node_answers_what_its_requester_signed(node: Node, asker: Asker) -> None:
    assert answer(node, asker.seal(make_request())) == "released"


def test_the_node_verifies_for_itself(space: Space, node: Node, asker: Asker) -> None:
    envelope = asker.seal(make_request())
    payload = bytearray(envelope.payload)
    payload[len(payload) // 2] ^= 1
    altered = Envelope(
        payload_type=envelope.payload_type, payload=bytes(payload), signatures=envelope.signatures
    )
    assert answer(node, altered) == "unverified bad-signature"
    unknown = sign_payload(
        envelope.payload + b"\xf8\x07\x01", envelope, asker.home.identity.current()
    )
    assert answer(node, unknown) == "malformed unknown-field"
    stranger = Stranger.claiming(asker.home.uri).signing
    assert answer(node, seal(make_request(), stranger)) == "refused identity-unlisted"
    abroad = ActorUri("macao", "hospital", "clinician", "clinician-1")
    forged = speak_for(abroad, space.home / "hongkong/authority/members", "hospital")
    assert answer(node, seal(make_request(), forged)) == "refused identity-chain-region"
    broker = PartyHome(space.home / "broker").identity
    assert answer(node, seal(make_request(), broker)) == "refused identity-role"
    assert answer(node, Envelope()) == "malformed wrong-payload-type"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"issued": -120_000}, "refused freshness-expired"),
        ({"issued": 120_000}, "refused freshness-future"),
        ({"life": 400_000}, "refused freshness-lifetime"),
        ({"audience": ["broker", "guangzhou"]}, "refused freshness-audience"),
        ({"audience": []}, "malformed bad-freshness"),
        ({"purpose": "TREAT"}, "refused policy"),
        ({"sql": "SELECT brca, count(*) FROM conditions GROUP BY brca"}, "refused policy"),
        ({"sql": "SELECT hkid, count(*) FROM patients GROUP BY hkid"}, "refused withheld"),
        ({"sql": "SELECT count(*) FROM hongkong.patients"}, "malformed audience"),
        ({"sql": "SELECT count(*) FROM nowhere"}, "malformed product"),
        ({"sql": "DROP TABLE patients"}, None),
        ({"pooled": True}, "malformed pooled"),
    ],
)
def test_the_node_decides_for_itself(
    node: Node, asker: Asker, fields: dict[str, Any], code: str | None
) -> None:
    heard = answer(node, asker.seal(make_request(**fields)))
    assert heard == code if code else heard.startswith("malformed ")


def test_a_broker_cannot_have_one_request_answered_twice(node: Node, asker: Asker) -> None:
    envelope = asker.seal(make_request())
    assert answer(node, envelope) == "released"
    assert answer(node, envelope) == "refused replay"
    # Nor may the signature's form make it a new one: the replay key is over what was signed.
    again = asker.seal(query_pb2.QueryRequest.FromString(envelope.payload))
    assert again.signatures[0].sig != envelope.signatures[0].sig
    assert answer(node, again) == "refused replay"


def test_what_cannot_be_recorded_is_not_handed_out(
    node: Node, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Unavailable("the disk is full", code="log-stopped")

    with monkeypatch.context() as patch:
        patch.setattr(LogStore, "append", fail)
        for envelope in (asker.seal(make_request()), asker.seal(make_request(purpose="TREAT"))):
            with pytest.raises(Unavailable):
                node.gatekeeper.answer(envelope, lambda *_: None, Cancellation())
    assert answer(node, asker.seal(make_request())) == "released"


def test_the_entry_is_on_disk_when_the_answer_is_handed_out(
    space: Space, node: Node, asker: Asker
) -> None:
    told = node.gatekeeper.answer(asker.seal(make_request()), lambda *_: None, Cancellation())
    text = read_journal(space.home / "macao/log")[-1].checkpoint_text
    assert told.receipt.checkpoint == text
    node.gatekeeper.recorder.log.publish()
    assert DirectoryReader(space.home / "macao/log").checkpoint() == text
    assert int(text.splitlines()[1]) == told.receipt.index + 1


def test_a_request_whose_caller_has_gone_runs_nothing(node: Node, asker: Asker) -> None:
    gone = Cancellation()
    gone.cancel()
    told = node.gatekeeper.answer(asker.seal(make_request()), lambda *_: None, gone)
    refusal = query_pb2.Refusal.FromString(told.body.payload)
    assert refusal.status.code == "query-cancelled"


def test_an_unexpected_error_leaves_no_trace_of_what_it_said(
    node: Node, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("row value 42 of patient Chan")

    gatekeeper = replace(node.gatekeeper)
    monkeypatch.setattr("node.gatekeeper.disclose", fail)
    told = gatekeeper.answer(asker.seal(make_request(COUNT)), lambda *_: None, Cancellation())
    refusal = query_pb2.Refusal.FromString(told.body.payload)
    assert (refusal.status.error, refusal.status.code) == ("unavailable", "internal")
    assert "42" not in refusal.status.message
    assert b"Chan" not in told.receipt.entry


def test_a_replay_is_refused_by_a_node_that_was_opened_anew(space: Space, tmp_path: Path) -> None:
    home = Path(shutil.copytree(space.home / "guangzhou", tmp_path / "guangzhou"))
    asker = Asker.of(space)
    envelope = asker.seal(make_request())
    for expected in ("released", "refused replay"):
        node = Node.open(PartyHome(home))
        node.in_force.take(fresh_lists(space.home, now_ms()))
        assert answer(node, envelope) == expected
        node.close()
