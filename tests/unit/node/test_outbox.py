"""The outbox: pieces in turn, never more than there is credit for."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from dataspace.v1.broker_pb2 import NodeFrame
from node.outbox import PIECE_BYTES, Outbox

MUCH = 10**9


async def _drain(outbox: Outbox) -> list[NodeFrame]:
    """All the frames that can go now."""
    frames = []
    while True:
        try:
            frames.append(await asyncio.wait_for(outbox.next(), 0.01))
        except TimeoutError:
            return frames


def drain(outbox: Outbox) -> list[NodeFrame]:
    return asyncio.run(_drain(outbox))


def data_of(frames: list[NodeFrame], call: int) -> bytes:
    return b"".join(frame.chunk.data for frame in frames if frame.call == call)


def test_a_large_answer_does_not_hold_up_a_small_one() -> None:
    outbox = Outbox()
    outbox.open_call(1, MUCH)
    outbox.open_call(2, MUCH)
    outbox.put_answer(1, b"x" * PIECE_BYTES * 100)
    outbox.put_answer(2, b"small")
    frames = drain(outbox)
    assert [frame.call for frame in frames[:3]] == [1, 2, 1]
    assert frames[1].chunk.last
    assert len(frames) == 101


def test_an_answer_without_credit_holds_up_nobody() -> None:
    outbox = Outbox()
    outbox.open_call(1, 0)
    outbox.open_call(2, 5)
    outbox.put_answer(1, b"large" * 1000)
    outbox.put_answer(2, b"small")
    assert data_of(drain(outbox), 2) == b"small"


@given(
    st.binary(max_size=3 * PIECE_BYTES),
    st.lists(st.integers(1, 2 * PIECE_BYTES), max_size=6),
)
def test_no_more_is_sent_than_there_is_credit_for(data: bytes, credits: list[int]) -> None:
    outbox = Outbox()
    first, *more = [*credits, len(data)]

    async def run() -> None:
        outbox.open_call(7, first)
        outbox.put_answer(7, data)
        allowed, sent = first, b""
        for credit in [*more, 1]:
            while (frame := outbox._next_piece()) is not None:
                assert len(frame.chunk.data) <= PIECE_BYTES
                sent += frame.chunk.data
                assert len(sent) <= allowed
                assert frame.chunk.last == (len(sent) == len(data))
            assert len(sent) == min(allowed, len(data))
            allowed += credit
            outbox.add_credit(7, credit)
        assert sent == data

    asyncio.run(run())


def test_an_empty_answer_is_one_last_piece() -> None:
    outbox = Outbox()
    outbox.open_call(1, 1)
    outbox.put_answer(1, b"")
    (frame,) = drain(outbox)
    assert (frame.call, frame.chunk.data, frame.chunk.last) == (1, b"", True)


def test_credit_given_before_the_answer_counts() -> None:
    outbox = Outbox()
    outbox.open_call(1, 3)
    outbox.add_credit(1, 4)
    outbox.put_answer(1, b"0123456789")
    assert data_of(drain(outbox), 1) == b"0123456"


def test_small_frames_go_before_any_piece() -> None:
    outbox = Outbox()
    outbox.open_call(1, MUCH)
    outbox.put_answer(1, b"x")
    outbox.put(NodeFrame(call=9))
    assert [frame.call for frame in drain(outbox)] == [9, 1]


def test_a_dropped_call_sends_nothing_more_and_its_number_may_come_again() -> None:
    outbox = Outbox()
    outbox.open_call(1, MUCH)
    outbox.open_call(2, MUCH)
    outbox.put_answer(1, b"a" * PIECE_BYTES * 5)
    outbox.drop(1)
    outbox.put_answer(1, b"late")
    outbox.open_call(1, MUCH)
    outbox.put_answer(1, b"b" * PIECE_BYTES * 3)
    outbox.put_answer(2, b"c" * PIECE_BYTES * 3)
    frames = drain(outbox)
    assert [frame.call for frame in frames] == [1, 2, 1, 2, 1, 2]  # one turn each
    assert set(data_of(frames, 1)) == set(b"b")


def test_an_answer_to_no_open_call_is_let_go() -> None:
    outbox = Outbox()
    outbox.put_answer(1, b"x")
    outbox.add_credit(1, 5)
    outbox.drop(1)
    assert drain(outbox) == []


def test_one_who_waits_is_woken_by_an_answer_and_by_credit() -> None:
    async def run() -> None:
        outbox = Outbox()
        outbox.open_call(1, 1)
        waiting = asyncio.create_task(outbox.next())
        await asyncio.sleep(0)
        outbox.put_answer(1, b"ab")
        assert (await waiting).chunk.data == b"a"
        waiting = asyncio.create_task(outbox.next())
        await asyncio.sleep(0)
        outbox.add_credit(1, 1)
        assert (await waiting).chunk.data == b"b"

    asyncio.run(run())
