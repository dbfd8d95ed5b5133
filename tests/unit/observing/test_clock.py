"""The clock against the broker's: never further off than it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.observing.clock import ClockSample, ClockWatch, sample, told_time

delays = st.floats(0, 30)


@given(drift=st.floats(-3600, 3600), out=delays, back=delays)
def test_the_true_drift_is_within_the_bound_whatever_the_ways_take(
    drift: float, out: float, back: float
) -> None:
    sent = 1_800_000_000.0  # true seconds; the own clock is `drift` ahead
    found = sample((sent + drift) * 1000, out + back, (sent + out) * 1000)
    assert abs(found.drift - drift) <= found.bound + 1e-3


def test_the_shortest_way_counts() -> None:
    clock = ClockWatch()
    assert clock.best is None
    clock.take(ClockSample(0.4, 0.5))
    clock.take(ClockSample(0.02, 0.01))
    clock.take(ClockSample(-0.3, 0.4))
    assert clock.best == ClockSample(0.02, 0.01)


def test_a_clock_that_was_set_is_seen_at_the_next_sample() -> None:
    clock = ClockWatch()
    clock.take(ClockSample(0.0, 0.001))
    clock.take(ClockSample(600.0, 0.2))
    assert clock.best == ClockSample(600.0, 0.2)


@pytest.mark.parametrize("metadata", [None, (), (("gba-time-ms", "soon"),), (("other", "1"),)])
def test_a_broker_that_tells_no_time_is_no_sample(metadata: object) -> None:
    with pytest.raises(ValueError):
        told_time(metadata)
