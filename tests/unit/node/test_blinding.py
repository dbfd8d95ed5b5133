"""Blinding over processes: the same bytes, in order, bounded, cancelled, and survived."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.linkage.oprf import evaluate
from dataspace.linkage.points import GENERATOR, blind, hash_to_group, random_points, scalar_from
from dataspace.linkage.tuples import hash_keys
from node.blinding import BlindingPool

SCALAR = scalar_from(b"\x07" * 64)
BATCHES = [
    b"".join(hash_to_group(b"%d %d" % (batch, each), b"t") for each in range(batch % 5))
    for batch in range(12)
]


@pytest.fixture(scope="module")
def pool() -> Iterator[BlindingPool]:
    with BlindingPool(2) as made:
        yield made


def go_on() -> None:
    """Never cancels."""


def test_batches_come_back_blinded_and_in_order(pool: BlindingPool) -> None:
    expected = [blind(batch, SCALAR) for batch in BATCHES]
    assert list(pool.blind_each(BATCHES, SCALAR, go_on)) == expected
    assert pool.blind(BATCHES[3], SCALAR).result() == expected[3]


def test_every_operation_gives_what_one_core_gives(pool: BlindingPool) -> None:
    keys = [b"k" * 64, b"l" * 32]
    uniform = [bytes(range(64)) * 3]
    assert list(pool.hash_each(keys, go_on)) == list(map(hash_keys, keys))
    assert list(pool.random_each(uniform, go_on)) == list(map(random_points, uniform))
    outputs = b"".join(pool.evaluate_each(keys, SCALAR, go_on))
    assert outputs == evaluate(SCALAR, [b"k" * 32, b"k" * 32, b"l" * 32])
    assert pool.check(BATCHES[4]).result() == b""


@pytest.mark.parametrize("bad", [bytes(32), b"\xff" * 32])
def test_a_bad_point_is_named_by_its_position_in_the_whole(pool: BlindingPool, bad: bytes) -> None:
    batch = GENERATOR * 3 + bad
    for future in (pool.blind(batch, SCALAR, first=1000), pool.check(batch, first=1000)):
        with pytest.raises(Unverified, match="point 1003 ") as caught:
            future.result()
        assert caught.value.code == "bad-point"


def test_a_scalar_that_is_none_is_refused(pool: BlindingPool) -> None:
    with pytest.raises(Malformed):
        pool.blind(GENERATOR, bytes(32)).result()
    with pytest.raises(Malformed):
        pool.blind(GENERATOR, b"short")


def test_no_more_than_a_few_batches_are_taken_ahead(pool: BlindingPool) -> None:
    taken = 0

    def source() -> Iterator[bytes]:
        nonlocal taken
        for batch in [GENERATOR] * 100:
            taken += 1
            yield batch

    results = pool.blind_each(source(), SCALAR, go_on)
    next(results)
    assert taken <= 2 * pool.workers
    assert len(list(results)) == 99


def test_cancelling_stops_between_batches(pool: BlindingPool) -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 3:
            raise Unavailable("the query was cancelled", code="query-cancelled")

    with pytest.raises(Unavailable) as caught:
        list(pool.blind_each([GENERATOR] * 100, SCALAR, check))
    assert (caught.value.code, asked) == ("query-cancelled", 4)
    assert pool.blind(GENERATOR, SCALAR).result() == blind(GENERATOR, SCALAR)


def workers_of_this_test() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "node.blinding_worker" in child.cmdline()]


def test_a_worker_that_dies_fails_its_batch_and_is_replaced() -> None:
    before = {each.pid for each in workers_of_this_test()}
    with BlindingPool(1) as pool:
        pool.blind(GENERATOR, SCALAR).result()
        (worker,) = [each for each in workers_of_this_test() if each.pid not in before]
        worker.kill()
        worker.wait(5)
        with pytest.raises(Unavailable):
            pool.blind(GENERATOR, SCALAR).result()
        assert pool.blind(GENERATOR, SCALAR).result() == blind(GENERATOR, SCALAR)


def test_closing_leaves_no_process_behind() -> None:
    before = {each.pid for each in workers_of_this_test()}
    pool = BlindingPool(2)
    list(pool.blind_each(BATCHES, SCALAR, go_on))
    started = [each for each in workers_of_this_test() if each.pid not in before]
    assert started
    pool.close()
    assert not any(each.is_running() for each in started)
    with pytest.raises(Unavailable):
        pool.blind(GENERATOR, SCALAR)
