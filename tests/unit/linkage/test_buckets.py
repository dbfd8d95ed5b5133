"""Buckets: equal in size, complete, and silent about every name but the one that was asked."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dataspace.errors import Malformed, Unverified
from dataspace.linkage.buckets import MIN_ENTRIES, TAG_BYTES, bucket_of, build_table, is_known

FILLING = b"f" * 32


def outputs(count: int, prefix: str = "known") -> list[bytes]:
    """Stand-ins for outputs of the PRF."""
    return [hashlib.sha512(f"{prefix} {number}".encode()).digest() for number in range(count)]


@pytest.mark.parametrize("known", [0, 1, 1023, 1024, 1025, 50_000])
def test_buckets_are_equal_in_size_and_have_at_least_1024_entries(known: int) -> None:
    table = build_table(b"".join(outputs(known)), FILLING)
    sizes = {len(table.row(bucket)) for bucket in range(table.buckets)}
    assert sizes == {table.entries * TAG_BYTES}
    assert table.entries >= MIN_ENTRIES


@pytest.mark.parametrize("known", [1, 1500, 20_000])
def test_everybody_known_is_found_and_nobody_else(known: int) -> None:
    table = build_table(b"".join(outputs(known)), FILLING)

    def found(output: bytes) -> bool:
        row = table.row(bucket_of(output, table.buckets))
        return is_known(output, row, table.entries)

    assert all(map(found, outputs(known)))
    assert not any(map(found, outputs(1000, "unknown")))


def test_the_size_does_not_tell_one_known_from_none() -> None:
    none, one = build_table(b"", FILLING), build_table(outputs(1)[0], FILLING)
    assert none.rows.shape == one.rows.shape


def test_a_name_known_twice_has_one_entry() -> None:
    once = build_table(b"".join(outputs(3)), FILLING)
    twice = build_table(b"".join(outputs(3) + outputs(2)), FILLING)
    assert np.array_equal(once.rows, twice.rows)


def test_entries_stand_sorted_so_that_real_ones_have_no_place_of_their_own() -> None:
    table = build_table(b"".join(outputs(5000)), FILLING)
    assert bool(np.all(table.rows[:, 1:] >= table.rows[:, :-1]))


def test_another_epochs_filling_is_another() -> None:
    assert not np.array_equal(build_table(b"", FILLING).rows, build_table(b"", b"g" * 32).rows)


def test_a_false_yes_stays_below_two_to_the_minus_forty() -> None:
    table = build_table(b"".join(outputs(200_000)), FILLING)
    assert table.entries * 2.0 ** (-8 * TAG_BYTES) <= 2.0**-40


def test_a_bucket_of_another_size_is_not_used() -> None:
    table = build_table(b"".join(outputs(10)), FILLING)
    row = table.row(0)
    for short, entries in ((row[:-8], table.entries), (row[:800], 100), (b"", 0)):
        with pytest.raises(Unverified):
            is_known(outputs(1)[0], short, entries)


def test_buckets_that_do_not_exist_are_refused() -> None:
    table = build_table(b"", FILLING)
    for number in (-1, table.buckets):
        with pytest.raises(Malformed):
            table.row(number)
