"""A broker that lies about what nodes explain: the client believes none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dataspace.client.explanations import NodeExplanation
from dataspace.errors import Unverified
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.v1 import query_pb2
from tests.attacks.lying_broker import Lied
from tests.spaces import Space

Explanations = query_pb2.Explanations
Ask = Callable[[Callable[[Explanations], None]], tuple[NodeExplanation, ...]]


@pytest.fixture
def lied(asked_space: Space) -> Iterator[Ask]:
    home = PartyHome(asked_space.home / "actors/hongkong-researcher")
    sessions: list[Lied] = []

    def ask(lie: Callable[[Explanations], None]) -> tuple[NodeExplanation, ...]:
        sessions.append(Lied(home, lambda event: lie(event.explanations)))
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
