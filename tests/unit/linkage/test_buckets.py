"""Buckets: equal in size, complete, and silent about every name but the one that was asked."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dataspace.errors import Malformed, Unverified
from dataspace.linkage.buckets import (
    MAX_BITS,
    MIN_ENTRIES,
    TAG_BYTES,
    BucketTable,
    bits_for,
    bucket_of,
    build_table,
    check_bucket,
    entries_of,
    is_known,
    name_of,
    places_of,
)

FILLING = b"f" * 32


def documents(count: int, prefix: str = "known") -> list[bytes]:
    return [name_of(f"{prefix} {number}".encode()) for number in range(count)]


def output(document: bytes) -> bytes:
    """Stands in for the PRF's output."""
    return hashlib.sha512(b"output" + document).digest()


def table_of(known: list[bytes], bits: int | None = None) -> BucketTable:
    entries = entries_of(b"".join(map(output, known)))
    wanted = bits_for(len(known)) if bits is None else bits
    return build_table(places_of(b"".join(known)), entries, wanted, FILLING)


@pytest.mark.parametrize("known", [0, 1, 1023, 2048, 2049, 50_000])
def test_buckets_are_equal_in_size_and_have_at_least_1024_entries(known: int) -> None:
    table = table_of(documents(known))
    sizes = {len(table.row(bucket)) for bucket in range(table.buckets)}
    assert sizes == {table.entries * TAG_BYTES}
    assert table.entries >= MIN_ENTRIES


@pytest.mark.parametrize("known", [1, 1500, 20_000])
def test_everybody_known_is_found_and_nobody_else(known: int) -> None:
    table = table_of(documents(known))

    def found(document: bytes) -> bool:
        return is_known(output(document), table.row(bucket_of(document, table.bits)))

    assert all(map(found, documents(known)))
    assert not any(map(found, documents(1000, "unknown")))


@pytest.mark.parametrize("known", [2048, 5_000, 100_000])
def test_a_bucket_holds_1024_known_documents_or_more_on_average(known: int) -> None:
    assert 1024 <= known / 2 ** bits_for(known) <= 2048
    assert bits_for(10**9) == MAX_BITS


def test_the_size_does_not_tell_one_known_from_none() -> None:
    assert table_of([]).rows.shape == table_of(documents(1)).rows.shape


def test_more_buckets_only_divide_the_ones_before() -> None:
    # Or checks of two epochs would tell more of a document than one of them does.
    for document in documents(50):
        assert [bucket_of(document, bits) for bits in range(17)] == [
            bucket_of(document, MAX_BITS) >> (MAX_BITS - bits) for bits in range(17)
        ]


def test_documents_that_are_added_replace_fillings_alone() -> None:
    before, after = table_of(documents(1500), 0), table_of(documents(1510), 0)
    new = set(entries_of(b"".join(map(output, documents(1510)[1500:]))).tolist())
    assert set(after.rows[0].tolist()) - set(before.rows[0].tolist()) == new


def test_entries_stand_sorted_so_that_real_ones_have_no_place_of_their_own() -> None:
    table = table_of(documents(5000))
    assert bool(np.all(table.rows[:, 1:] >= table.rows[:, :-1]))


def test_another_epochs_filling_is_another() -> None:
    empty = places_of(b""), entries_of(b"")
    one, other = (build_table(*empty, 0, filling) for filling in (FILLING, b"g" * 32))
    assert not np.array_equal(one.rows, other.rows)


def test_a_false_yes_stays_below_two_to_the_minus_forty() -> None:
    assert table_of(documents(200_000)).entries * 2.0 ** (-8 * TAG_BYTES) <= 2.0**-40


def test_every_bucket_is_proven_to_be_of_the_table() -> None:
    table = table_of(documents(9_000))
    for bucket in range(table.buckets):
        check_bucket(
            table.row(bucket), bucket, table.bits, table.entries, table.path(bucket), table.root
        )


def test_a_bucket_of_another_size_place_or_table_is_not_used() -> None:
    table, other = table_of(documents(9_000)), table_of(documents(8_999))
    row, path = table.row(1), table.path(1)
    for given in (
        (row[:-8], 1, table.bits, table.entries, path, table.root),
        (row[:800], 1, table.bits, 100, path, table.root),
        (b"", 1, table.bits, 0, path, table.root),
        (row, 0, table.bits, table.entries, path, table.root),
        (row, 1, table.bits - 1, table.entries, path, table.root),
        (row, 1, table.bits, table.entries, path[:-1], table.root),
        (row, 1, table.bits, table.entries, path, other.root),
        (row[:-8] + b"forgery!", 1, table.bits, table.entries, path, table.root),
    ):
        with pytest.raises(Unverified):
            check_bucket(*given)


def test_buckets_that_do_not_exist_are_refused() -> None:
    table = table_of([])
    for number in (-1, table.buckets):
        with pytest.raises(Malformed):
            table.row(number)
    with pytest.raises(Unverified):
        bucket_of(name_of(b"x"), MAX_BITS + 1)
