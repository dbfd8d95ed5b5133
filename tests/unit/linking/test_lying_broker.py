"""A broker between real nodes that does what it must not: found by a node, and named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from broker.rounds import RoundEnd
from dataspace.linkage.hops import Place
from dataspace.linkage.points import POINT_BYTES
from dataspace.v1 import broker_pb2, linkage_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.unit.linkage.rings import people
from tests.unit.linking.wired import Down, Up, Wired, wired

CELLS = {
    "guangzhou": [people(20)],
    "hongkong": [people(30, 5)],
    "macao": [people(12, 8)],
}
Frame = broker_pb2.BrokerFrame


def run(down: Down | None = None, up: Up | None = None) -> tuple[RoundEnd, Wired]:
    async def whole() -> tuple[RoundEnd, Wired]:
        more = {"down": down, "up": up}
        given = {name: each for name, each in more.items() if each is not None}
        async with wired(CELLS, **given) as space:  # type: ignore[arg-type]  # either is its own
            return await asyncio.wait_for(space.run(), 20), space

    return asyncio.run(whole())


def hops(act: Callable[[list[Frame]], Sequence[Frame]], at: str = "macao", first: int = 3) -> Down:
    """Collects the first few chunks of guangzhou's stream to `at`, and lets `act` pass them on."""
    held: list[Frame] = []

    def down(region: str, frame: Frame) -> Sequence[Frame]:
        if region != at or stream_of(frame) != "guangzhou" or len(held) >= first:
            return [frame]
        held.append(frame)
        return act(held) if len(held) == first else []

    return down


def stream_of(frame: Frame) -> str:
    """The stream of a chunk; nothing of another frame."""
    return linkage_pb2.HopChunk.FromString(frame.round.hop.payload).place.stream


def changed(frame: Frame) -> Frame:
    other = Frame()
    other.CopyFrom(frame)
    payload = bytearray(other.round.hop.payload)
    payload[-1] ^= 1
    other.round.hop.payload = bytes(payload)
    return other


def code_at(space: Wired, region: str) -> str:
    (error,) = space.regions[region].refused
    assert error.kind == "unverified"
    return error.code


@pytest.mark.parametrize(
    ("act", "code"),
    [
        pytest.param(lambda held: [held[0], held[2]], "ring-missing", id="drops a chunk"),
        pytest.param(lambda held: [held[0], held[0], *held[1:]], "ring-repeated", id="repeats"),
        pytest.param(lambda held: [held[1], held[0], held[2]], "ring-missing", id="swaps order"),
        pytest.param(lambda held: [changed(held[0])], "round-message", id="changes a byte"),
    ],
)
def test_what_a_broker_does_to_chunks_is_found_by_the_next_hop(
    act: Callable[[list[Frame]], Sequence[Frame]], code: str
) -> None:
    end, space = run(hops(act))
    assert not end.whole
    assert end.refused == ["macao"]
    assert code_at(space, "macao") == code
    assert not space.matched


def test_a_chunk_that_is_repeated_after_all_have_come_is_found() -> None:
    last: dict[str, Frame] = {}

    def down(region: str, frame: Frame) -> Sequence[Frame]:
        if region == "macao" and frame.round.WhichOneof("body") == "hop":
            last["hop"] = frame
        if region == "macao" and frame.round.WhichOneof("body") == "counts":
            return [last["hop"], frame]
        return [frame]

    _, space = run(down)
    assert code_at(space, "macao") == "ring-repeated"


def test_nodes_that_are_shown_other_joins_refuse_each_other() -> None:
    kept: dict[str, Frame] = {}

    async def whole() -> None:
        def keep(region: str, frame: Frame) -> Sequence[Frame]:
            if frame.round.WhichOneof("body") == "start":
                kept[region] = frame
            return [frame]

        def exchange(region: str, frame: Frame) -> Sequence[Frame]:
            # Macao is shown guangzhou's join of another round of the same request.
            if region == "macao" and frame.round.WhichOneof("body") == "start":
                other = Frame()
                other.CopyFrom(frame)
                other.round.start.joins[0].CopyFrom(kept["macao"].round.start.joins[0])
                return [other]
            return [frame]

        async with wired(CELLS, keep) as space:
            assert (await space.run()).whole
        async with wired(CELLS, exchange) as space:
            end = await asyncio.wait_for(space.run(), 20)
            assert not end.whole
            codes = {each.code for region in space.regions.values() for each in region.refused}
            assert codes == {"ring-other-round"}

    asyncio.run(whole())


def test_a_chunk_of_another_round_is_refused() -> None:
    kept: list[Frame] = []

    async def whole() -> None:
        def keep(region: str, frame: Frame) -> Sequence[Frame]:
            if region == "macao" and frame.round.WhichOneof("body") == "hop":
                kept.append(frame)
            return [frame]

        def replay(region: str, frame: Frame) -> Sequence[Frame]:
            if region == "macao" and frame.round.WhichOneof("body") == "hop":
                other = Frame()
                other.CopyFrom(kept[0])
                other.call = frame.call
                return [other]
            return [frame]

        async with wired(CELLS, keep) as space:
            assert (await space.run()).whole
        async with wired(CELLS, replay) as space:
            await asyncio.wait_for(space.run(), 20)
            assert code_at(space, "macao") == "ring-other-round"

    asyncio.run(whole())


def test_counts_of_another_round_are_refused() -> None:
    def down(_: str, frame: Frame) -> Sequence[Frame]:
        if frame.round.WhichOneof("body") == "counts":
            frame.round.counts.transcript = bytes(32)
        return [frame]

    end, space = run(down)
    assert not end.whole
    assert code_at(space, "macao") == "ring-other-round"


def test_a_broker_that_floods_a_node_is_cut_off() -> None:
    def down(region: str, frame: Frame) -> Sequence[Frame]:
        if region == "macao" and frame.round.WhichOneof("body") == "hop":
            return [frame] * 200
        return [frame]

    _, space = run(down)
    assert code_at(space, "macao") in {"ring-flooded", "ring-repeated"}


# --- nodes that lie ------------------------------------------------------------------------


def test_a_token_that_is_no_point_is_named_with_its_stream() -> None:
    async def whole() -> None:
        def up(region: str, frame: broker_pb2.NodeFrame) -> Sequence[broker_pb2.NodeFrame]:
            if frame.round.WhichOneof("body") == "blinded" and region == "macao":
                chunk = linkage_pb2.BlindedChunk.FromString(frame.round.blinded.payload)
                chunk.tokens = bytes(POINT_BYTES) + chunk.tokens[POINT_BYTES:]
                frame.round.blinded.CopyFrom(space.regions["macao"].parts[0].sign(chunk))
            return [frame]

        async with wired(CELLS, up=up) as space:
            end = await asyncio.wait_for(space.run(), 20)
        error = end.failures["macao"]
        assert (error.kind, error.code) == ("unverified", "bad-point")
        assert not space.matched

    asyncio.run(whole())


def test_a_point_that_is_the_identity_is_refused_by_the_next_hop() -> None:
    forged = Envelope()

    async def whole() -> None:
        def up(region: str, frame: broker_pb2.NodeFrame) -> Sequence[broker_pb2.NodeFrame]:
            if frame.round.WhichOneof("body") == "hop" and region == "guangzhou":
                number = linkage_pb2.HopChunk.FromString(frame.round.hop.payload).place
                if (number.stream, number.chunk) == ("guangzhou", 0):
                    frame.round.hop.CopyFrom(forged)
            return [frame]

        def down(region: str, frame: Frame) -> Sequence[Frame]:
            if frame.round.WhichOneof("body") == "start" and region == "guangzhou":
                part = space.regions["guangzhou"].parts[0]
                transcript = space.reader.agree(space.plan, frame.round.start.joins)
                shape = next(transcript.chunks("guangzhou"))
                place = Place(transcript, "guangzhou", 0, shape)
                forged.CopyFrom(
                    part.sign(place.message(bytes(shape.tuples * space.plan.tuple_bytes)))
                )
            return [frame]

        async with wired(CELLS, down, up) as space:
            await asyncio.wait_for(space.run(), 20)
        assert code_at(space, "hongkong") == "bad-point"

    asyncio.run(whole())


def test_a_node_may_not_join_for_another() -> None:
    async def whole() -> None:
        def up(region: str, frame: broker_pb2.NodeFrame) -> Sequence[broker_pb2.NodeFrame]:
            if region == "macao" and frame.round.WhichOneof("body") == "join":
                joins = space.regions["hongkong"].parts[0].join()
                frame.round.join.CopyFrom(joins)
            return [frame]

        async with wired(CELLS, up=up) as space:
            end = await asyncio.wait_for(space.run(), 20)
        assert end.failures["macao"].code == "ring-wrong-node"

    asyncio.run(whole())


@pytest.mark.parametrize("phase", ["join", "hop", "blinded", "counts"])
def test_a_node_that_dies_ends_the_round_for_all_and_is_named(phase: str) -> None:
    async def whole() -> None:
        def up(region: str, frame: broker_pb2.NodeFrame) -> Sequence[broker_pb2.NodeFrame]:
            if region == "hongkong" and frame.round.WhichOneof("body") == phase:
                space.regions["hongkong"].die()
                return []
            return [frame]

        def down(region: str, frame: Frame) -> Sequence[Frame]:
            if region == "hongkong" and frame.round.WhichOneof("body") == phase == "counts":
                space.regions["hongkong"].die()
                return []
            return [frame]

        async with wired(CELLS, down, up) as space:
            end = await asyncio.wait_for(space.run(), 20)
            while any(each.rounds.requests() for each in space.regions.values()):
                await asyncio.sleep(0.01)
        assert not end.whole
        assert end.failures["hongkong"].code == "node-gone"

    asyncio.run(whole())
