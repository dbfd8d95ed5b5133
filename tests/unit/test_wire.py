"""Versions of the wire: a release works with the one before, either way round."""

from __future__ import annotations

import pytest

from dataspace import wire
from dataspace.errors import Refused, Unavailable
from dataspace.v1 import broker_pb2


def test_a_node_says_nothing_of_the_wire_to_a_broker_that_would_refuse_the_field() -> None:
    assert wire.stated_in_hello(wire.spoken_with(0, 0)) == 0
    assert wire.stated_in_hello(wire.spoken_with(2, 1)) == 2


def test_a_hello_without_a_version_is_of_the_first() -> None:
    assert wire.check_spoken(0) == 1
    assert wire.check_spoken(broker_pb2.Hello(wire=2).wire) == 2


@pytest.mark.parametrize(
    ("theirs", "mine", "works"),
    [(4, 4, True), (4, 5, True), (5, 4, True), (3, 5, False), (6, 4, False)],
)
def test_neighbours_work_together_and_others_say_who_is_to_be_upgraded(
    monkeypatch: pytest.MonkeyPatch, theirs: int, mine: int, works: bool
) -> None:
    monkeypatch.setattr(wire, "WIRE", mine)
    monkeypatch.setattr(wire, "OLDEST", mine - 1)
    if works:
        assert wire.spoken_with(theirs, theirs - 1) == min(theirs, mine)
        return
    with pytest.raises(Unavailable, match="upgrade"):
        wire.spoken_with(theirs, theirs - 1)


def test_a_broker_refuses_versions_that_it_does_not_speak() -> None:
    with pytest.raises(Refused) as caught:
        wire.check_spoken(wire.WIRE + 1)
    assert caught.value.code == "wire-version"
