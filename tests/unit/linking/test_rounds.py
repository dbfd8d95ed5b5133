"""Whole rounds between the broker's and the nodes' code."""

from __future__ import annotations

import asyncio
import time

import pytest

from broker.rounds import RoundEnd
from dataspace.linkage.rounds import KEYED
from dataspace.v1 import broker_pb2
from tests.unit.linkage.rings import people
from tests.unit.linking.wired import Wired, wired

THREE = {
    "guangzhou": [people(20), people(9, 20)],
    "hongkong": [people(30, 5)],
    "macao": [people(12, 8), people(3, 100)],
}
COMMON = 12  # 8 to 19


def run(cells: object = None, **more: object) -> tuple[RoundEnd, Wired]:
    async def whole() -> tuple[RoundEnd, Wired]:
        async with wired(cells or THREE, **more) as space:  # type: ignore[arg-type]  # as given
            return await asyncio.wait_for(space.run(), 20), space

    return asyncio.run(whole())


@pytest.mark.parametrize("tier", ["blind", KEYED])
def test_three_nodes_find_whom_they_have_in_common(tier: str) -> None:
    end, space = run(tier=tier)
    assert end.whole, (end.failures, [each.refused for each in space.regions.values()])
    assert space.common() == COMMON
    sizes = {name: [len(batch) for batch in found] for name, found in space.matched.items()}
    assert sizes == {"guangzhou": [20, 9], "hongkong": [30], "macao": [12, 3]}


def test_two_nodes_suffice_and_an_empty_side_matches_nobody() -> None:
    end, space = run({"guangzhou": [people(6)], "macao": [[]]})
    assert end.whole
    assert space.common() == 0


def test_every_node_gets_the_counts_of_its_own_round() -> None:
    end, space = run()
    assert end.transcript is not None
    for region in space.regions.values():
        counts = region.parts[0].counts
        assert counts is not None
        assert counts.transcript == end.transcript.digest


def test_who_pads_tells_the_other_nodes_of_its_dummies_and_nobody_else() -> None:
    end, space = run(padding={"macao": 7})
    assert end.whole
    parts = {name: region.parts[0] for name, region in space.regions.items()}
    dummies = dict.fromkeys(parts["macao"].codes, 7)
    assert all(part.told == dummies for part in parts.values())
    assert [len(batch) for batch in space.matched["macao"]] == [19, 10]
    assert space.common() == COMMON


def test_a_finished_round_leaves_nothing_behind() -> None:
    _, space = run()
    for region in space.regions.values():
        assert region.rounds.requests() == {}
        assert not region.attached._calls


def test_progress_tells_of_every_stage_of_every_node() -> None:
    _, space = run()
    told = {(each.region, each.stage) for each in space.progress}
    assert told >= {(region, stage) for region in THREE for stage in ("blinding", "passing")}
    assert all(0 <= each.fraction <= 1 for each in space.progress)


def test_no_more_chunks_are_under_way_than_a_window_holds() -> None:
    waiting: list[int] = []
    held: list[broker_pb2.BrokerFrame] = []

    def down(region: str, frame: broker_pb2.BrokerFrame) -> list[broker_pb2.BrokerFrame]:
        # Macao never gets a chunk to see, so it never says that it took one.
        if region == "macao" and frame.round.WhichOneof("body") == "hop":
            held.append(frame)
            waiting.append(len(held))
            return []
        return [frame]

    async def whole() -> None:
        async with wired({"guangzhou": [people(400)], "macao": [people(4)]}, down) as space:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(space.run(), 2)

    asyncio.run(whole())
    assert max(waiting) == 8


def test_a_round_that_is_cancelled_ends_at_every_node_within_a_second() -> None:
    async def whole() -> float:
        many = {"guangzhou": [people(4000)], "macao": [people(4000)]}
        async with wired(many, chunk_tuples=512) as space:
            running = asyncio.create_task(space.run())
            while not any(each.stage == "blinding" for each in space.progress):
                await asyncio.sleep(0.01)
            began = time.monotonic()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            while any(each.rounds.ending for each in space.regions.values()):
                await asyncio.sleep(0.01)
            assert all(each.abandoned == 1 for each in space.regions.values())
            return time.monotonic() - began

    assert asyncio.run(whole()) < 1
