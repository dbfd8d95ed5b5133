"""A broker that lies about what nodes explain: the client believes none of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dataspace.audit.entries import Entry
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import decode_bundle, tiles_of
from dataspace.cli.supervising import start_party
from dataspace.client.explanations import NodeExplanation
from dataspace.client.session import OnProgress, Session
from dataspace.errors import Unverified
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.names import REGIONS
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.attacks.forgery import log_sizes
from tests.federation.processes import await_ready, stop
from tests.federation.shell import gba_in
from tests.spaces import Ran, Space


Explanations = query_pb2.Explanations


class Lied(Session):
    """A session whose broker alters what it sends."""

    def __init__(self, home: PartyHome, lie: Callable[[Explanations], None]) -> None:
        super().__init__(home)
        self.lie = lie

    def _ask(
        self,
        envelope: Envelope,
        seconds: float,
        on_progress: OnProgress | None,
        cosigned_seconds: float = 0.0,
    ) -> tuple[query_pb2.QueryEvent, bytes, query_pb2.Cosigned | None]:
        event, digest, cosigned = super()._ask(envelope, seconds, on_progress, cosigned_seconds)
        self.lie(event.explanations)
        return event, digest, cosigned


Ask = Callable[[Callable[[Explanations], None]], tuple[NodeExplanation, ...]]


@pytest.fixture
def lied(asked_space: Space) -> Iterator[Ask]:
    home = PartyHome(asked_space.home / "actors/hongkong-researcher")
    sessions: list[Lied] = []

    def ask(lie: Callable[[Explanations], None]) -> tuple[NodeExplanation, ...]:
        sessions.append(Lied(home, lie))
        return sessions[-1].explain("SELECT count(*) FROM patients", purpose="HRESCH")

    yield ask
    for session in sessions:
        session.close()


def _changed_byte(told: Explanations) -> None:
    payload = bytearray(told.answers[2].body.payload)
    payload[payload.index(b"permit")] ^= 1
    told.answers[2].body.payload = bytes(payload)


def _swapped(told: Explanations) -> None:
    first, second = told.answers[0], told.answers[1]
    kept = query_pb2.NodeAnswer()
    kept.CopyFrom(first)
    first.CopyFrom(second)
    second.CopyFrom(kept)


def _dropped(told: Explanations) -> None:
    del told.answers[2], told.nodes[2]


def _without_answer(told: Explanations) -> None:
    del told.answers[2]


def _worded(told: Explanations) -> None:
    """The broker says no in a region's name."""
    del told.answers[2]
    told.nodes[2].CopyFrom(
        query_pb2.NodeOutcome(region="macao", status="refused", reason="not you (per broker)")
    )


def _nothing_said(told: Explanations) -> None:
    del told.answers[2]
    told.nodes[2].CopyFrom(query_pb2.NodeOutcome(region="macao", status="released"))


def _another_receipt(told: Explanations) -> None:
    told.answers[2].receipt.CopyFrom(told.answers[1].receipt)


@pytest.mark.parametrize(
    "lie",
    [_changed_byte, _swapped, _dropped, _without_answer, _worded, _nothing_said, _another_receipt],
)
def test_an_explanation_that_the_broker_altered_is_unverified(
    lied: Ask, lie: Callable[[Explanations], None]
) -> None:
    with pytest.raises(Unverified):
        lied(lie)


def test_an_explanation_that_the_broker_signed_is_unverified(asked_space: Space, lied: Ask) -> None:
    broker = PartyHome(asked_space.home / "broker").identity

    def lie(told: Explanations) -> None:
        said = query_pb2.Explanation.FromString(told.answers[2].body.payload)
        told.answers[2].body.CopyFrom(seal(said, broker))

    with pytest.raises(Unverified, match="macao") as caught:
        lied(lie)
    assert caught.value.code == "partial-signer"


def test_an_old_explanation_does_not_explain_a_new_question(lied: Ask) -> None:
    kept = Explanations()
    lied(kept.CopyFrom)
    with pytest.raises(Unverified, match="another request"):
        lied(lambda told: told.CopyFrom(kept))


def test_a_true_explanation_is_believed(lied: Ask) -> None:
    assert [each.status for each in lied(lambda _: None)] == ["explained"] * 3
