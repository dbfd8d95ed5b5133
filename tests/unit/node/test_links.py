"""Streams to several brokers, told as one state; and what goes over them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dataspace.errors import Unavailable
from dataspace.processes import read_state
from dataspace.v1 import broker_pb2, query_pb2
from dataspace.v1.agreement_pb2 import AgreementChain
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists
from node import handing
from node.attachments import Attachments
from node.handing import Handing
from node.links import Links
from node.witnessing import ABSENT


def test_one_broker_is_told_of_in_its_own_words(tmp_path: Path) -> None:
    links = Links(tmp_path, ["a:1"])
    links.tell("a:1", False, "no broker answers")
    assert (read_state(tmp_path)["stage"], read_state(tmp_path)["reason"]) == (
        "waiting", "no broker answers",
    )  # fmt: skip
    links.tell("a:1", True, "")
    state = read_state(tmp_path)
    assert (state["stage"], state["reason"], state["away"]) == ("attached", "", [])


def test_who_has_one_of_two_brokers_is_attached_and_names_the_other(tmp_path: Path) -> None:
    links = Links(tmp_path, ["a:1", "b:2"])
    links.of("b:2")(True, "")
    state = read_state(tmp_path)
    assert (state["stage"], state["away"]) == ("attached", ["a:1"])
    links.of("a:1")(True, "")
    assert read_state(tmp_path)["away"] == []
    links.of("a:1")(False, "gone")
    assert read_state(tmp_path)["reason"] == "a:1: gone"
    links.of("b:2")(False, "gone too")
    assert read_state(tmp_path)["stage"] == "waiting"


# --- handing on ----------------------------------------------------------------------------


class Belief:
    """What is in force, as far as handing on looks at it."""

    version, number = 1, 1

    def trust(self) -> Any:
        class Of:
            version = self.version
            revocations = type("R", (), {"lists": {"macao": type("L", (), {"number": 1})}})

        return Of

    def handed_on(self) -> RevocationLists:
        return RevocationLists(lists=[Envelope(payload=b"list 1")])


def chain(*steps: bytes) -> AgreementChain:
    return AgreementChain(steps=[Envelope(payload=step) for step in steps])


class Node:
    """A node's agreements and charters, and what it put on a stream."""

    def __init__(self) -> None:
        self.chains, self.charters = [chain(b"a1", b"a2")], [Envelope(payload=b"charter 1")]
        self.sent: list[broker_pb2.Held] = []
        agreements: Any = self
        belief: Any = Belief()
        self.handing = Handing(
            "macao", belief, agreements,
            lambda: (sum(len(each.steps) for each in self.chains), len(self.charters)),
            lambda: self.charters,
        )  # fmt: skip

    def of_region(self, _: str) -> list[AgreementChain]:
        return self.chains

    async def hand_on(self, welcome: broker_pb2.Welcome, *changes: AgreementChain) -> None:
        task = asyncio.create_task(
            self.handing.use(lambda frame: self.sent.append(frame.held), welcome)
        )
        for change in (None, *changes):
            if change is not None:
                self.chains = [change]
            await asyncio.sleep(0.1)
        task.cancel()


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "LOOK_SECONDS", 0.01)


def test_a_broker_that_has_nothing_gets_lists_charters_and_agreements_in_that_order() -> None:
    node = Node()
    asyncio.run(node.hand_on(broker_pb2.Welcome()))
    assert [
        name for held in node.sent for name, _ in ((f.name, v) for f, v in held.ListFields())
    ] == ["revocations", "charters", "agreements"]


def test_what_a_broker_showed_to_have_is_not_sent_again() -> None:
    node = Node()
    welcome = broker_pb2.Welcome(
        revocations=RevocationLists(lists=[Envelope(payload=b"list 1")]),
        charters=node.charters,
        agreements=node.chains,
    )
    asyncio.run(node.hand_on(welcome))
    assert node.sent == []


def test_a_step_that_came_by_another_broker_is_handed_on_once() -> None:
    node = Node()
    grown = chain(b"a1", b"a2", b"a3")
    asyncio.run(node.hand_on(broker_pb2.Welcome(agreements=node.chains), grown, grown))
    assert [list(each.agreements) for each in node.sent if each.agreements] == [[grown]]


def test_many_agreements_are_as_many_frames_as_it_takes() -> None:
    node = Node()
    node.chains = [chain(bytes([number]) * 300_000) for number in range(10)]
    asyncio.run(node.hand_on(broker_pb2.Welcome()))
    frames = [held for held in node.sent if held.agreements]
    assert sum(len(held.agreements) for held in frames) == 10
    assert max(held.ByteSize() for held in frames) < 2**20


# --- several attachments as one ------------------------------------------------------------


class Stream:
    """One broker's, as the others see it."""

    def __init__(self, rejects: str = "", status: int = 200, there: bool = True) -> None:
        self.address = "x:1"
        self.rejects, self.status = rejects, status
        self.attached, self.witnessing = asyncio.Event(), self
        self.offered: list[list[Envelope]] = []
        if there:
            self.attached.set()

    async def publish(self, offers: list[Envelope]) -> list[query_pb2.ErrorStatus]:
        self.offered.append(offers)
        if self.rejects == "silent":
            raise Unavailable("says nothing", code="publish-timeout")
        return [query_pb2.ErrorStatus(code=self.rejects)] if self.rejects else []

    async def ask(self, _name: str, _request: bytes) -> tuple[int, bytes]:
        return self.status, b"reply"


NEW, OLD = [Envelope(payload=b"new")], [Envelope(payload=b"old")]


def together(*streams: Stream) -> Attachments:
    each: Any = streams
    return Attachments(each)


def test_a_load_that_one_broker_does_not_take_is_taken_back_at_the_others() -> None:
    one, two = Stream(), Stream("product-schema")
    rejected = asyncio.run(together(one, two).publish(NEW, OLD))
    assert [each.code for each in rejected] == ["product-schema"]
    assert (one.offered, two.offered) == ([NEW, OLD], [NEW])


def test_a_broker_that_does_not_say_takes_a_load_back_too() -> None:
    one, two = Stream(), Stream("silent")
    with pytest.raises(Unavailable):
        asyncio.run(together(one, two).publish(NEW, OLD))
    assert one.offered == [NEW, OLD]


def test_a_broker_that_is_away_is_offered_nothing_now() -> None:
    one, two = Stream(there=False), Stream()
    assert asyncio.run(together(one, two).publish(NEW, OLD)) == []
    assert (one.offered, two.offered) == ([], [NEW])


def test_a_witness_is_asked_through_the_broker_that_has_it() -> None:
    ask = together(Stream(status=ABSENT), Stream(status=409), Stream()).ask_witness
    assert asyncio.run(ask("w", b"")) == (409, b"reply")
    assert asyncio.run(together(Stream(there=False)).ask_witness("w", b"")) == (ABSENT, b"")
