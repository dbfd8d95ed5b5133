"""How much one caller may ask, and how many may stand at the door."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from broker.allowances import Allowance
from broker.callers import MOST_OF_ONE, MOST_SHAKING_HANDS, Callers
from dataspace.errors import Unavailable
from dataspace.identity.names import ActorUri

ASKER = ActorUri.parse("gba://macao/university/researcher/researcher-1")
OTHER = ActorUri.parse("gba://macao/university/researcher/researcher-2")


class Channel:
    """What the broker sees of a channel."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate

    def auth_context(self) -> dict[str, Any]:
        return {"x509_pem_cert": [self.certificate]}


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_who_has_used_its_allowance_waits_and_nobody_else_does() -> None:
    clock = Clock()
    allowance = Allowance(2, 4, clock)
    for _ in range(4):
        allowance.take("one", "one")
    with pytest.raises(Unavailable) as caught:
        allowance.take("one", "one")
    assert caught.value.code == "too-many"
    assert "retry after 1 s" in caught.value.message
    allowance.take("other", "other")
    clock.at = 0.5
    allowance.take("one", "one")
    with pytest.raises(Unavailable):
        allowance.take("one", "one")


def test_an_allowance_is_never_more_than_its_burst() -> None:
    clock = Clock()
    allowance = Allowance(2, 4, clock)
    clock.at = 1e9
    for _ in range(4):
        allowance.take("one", "one")
    with pytest.raises(Unavailable):
        allowance.take("one", "one")


def test_a_clock_that_stands_still_gives_nothing() -> None:
    allowance = Allowance(1000, 1, Clock())
    allowance.take("one", "one")
    with pytest.raises(Unavailable):
        allowance.take("one", "one")


def test_as_many_names_as_anybody_invents_cost_bounded_memory() -> None:
    clock = Clock()
    allowance = Allowance(1, 2, clock, most=100)
    for number in range(10_000):
        allowance.take(number, "one")
    assert len(allowance) <= 100
    clock.at = 10
    allowance.take("last", "last")
    assert len(allowance) == 1


def test_an_actor_with_many_certificates_has_one_allowance() -> None:
    clock = Clock()
    callers = Callers(Allowance(1, 100, clock), Allowance(1, 3, clock))
    for number in range(3):
        callers.count_certificate(Channel(bytes([number])))
        callers.count_actor(ASKER)
    callers.count_certificate(Channel(b"another"))
    with pytest.raises(Unavailable):
        callers.count_actor(ASKER)
    callers.count_actor(OTHER)


def test_a_certificate_is_turned_away_before_it_is_looked_at() -> None:
    callers = Callers(Allowance(1, 2, Clock()), Allowance(1, 100, Clock()))
    channel = Channel(b"no certificate at all")
    callers.count_certificate(channel)
    callers.count_certificate(channel)
    with pytest.raises(Unavailable) as caught:
        callers.count_certificate(channel)
    assert caught.value.code == "too-many"


def test_one_certificate_has_few_places_at_the_door_and_gets_them_back() -> None:
    callers, channel = Callers(), Channel(b"one")
    with ExitStack() as stack:
        for _ in range(MOST_OF_ONE):
            stack.enter_context(callers.shaking_hands(channel))
        with pytest.raises(Unavailable), callers.shaking_hands(channel):
            pass
        with callers.shaking_hands(Channel(b"other")):
            pass
    with callers.shaking_hands(channel):
        pass
    assert not callers._at_the_door


def test_the_door_has_so_many_places_in_all() -> None:
    callers = Callers()
    with ExitStack() as stack:
        for number in range(MOST_SHAKING_HANDS):
            stack.enter_context(callers.shaking_hands(Channel(str(number).encode())))
        with pytest.raises(Unavailable) as caught, callers.shaking_hands(Channel(b"one more")):
            pass
    assert caught.value.code == "too-many"


def test_who_comes_back_after_a_long_time_has_its_burst_and_no_more() -> None:
    clock = Clock()
    allowance = Allowance(2, 4, clock)
    allowance.take("one", "one")
    clock.at = 1e9
    for _ in range(4):
        allowance.take("one", "one")
    with pytest.raises(Unavailable):
        allowance.take("one", "one")
