"""Match keys against FEBRL's known truth, through tokens alone."""

from __future__ import annotations

import pytest

from tests.febrl import LISTS, dataset, quality


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_febrl_is_found_to_98_in_100_with_one_false_in_1000_at_most(number: int) -> None:
    found = quality(dataset(number), LISTS)
    assert found.recall >= 0.98
    assert found.precision >= 0.999
