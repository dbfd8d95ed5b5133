"""Places at the broker: taken, given back, and a fair word to whoever finds none."""

from __future__ import annotations

import pytest

from broker.admission import Admission
from dataspace.errors import Unavailable


class Clock:
    """Seconds, as told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_whoever_finds_no_place_is_told_to_come_again() -> None:
    admission = Admission(2, Clock())
    with admission.place(), admission.place():
        with pytest.raises(Unavailable) as caught, admission.place():
            raise AssertionError("there was a place")
        assert (caught.value.code, caught.value.message) == ("busy", "busy; retry after 1 s")
    assert admission.refused == 1
    with admission.place():
        pass


def test_a_place_is_given_back_whatever_happens() -> None:
    admission = Admission(1, Clock())
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), admission.place():
            raise ValueError("broken")


@pytest.mark.parametrize(("took", "told"), [(0.2, 1), (2.4, 3), (900.0, 30)])
def test_the_wait_is_about_as_long_as_calls_take(took: float, told: int) -> None:
    clock = Clock()
    admission = Admission(1, clock)
    for _ in range(60):
        with admission.place():
            clock.now += took
    assert admission.retry_seconds() == told
