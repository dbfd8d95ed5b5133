"""The ring finds exactly who is in several regions, and shows nobody more than it must."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.linkage.points import blind
from dataspace.linkage.rounds import RoundPlan
from dataspace.linkage.tuples import commit_inputs, empty_slots, fill, padded_size, shuffled
from dataspace.v1.linkage_pb2 import BlindedChunk, HopChunk

from .rings import SLOTS, THREE, TWO, Cell, people, plan, ring, seed, tokens

CELLS = {
    "guangzhou": [people(9), people(3, 100)],
    "hongkong": [people(10, 5)],
    "macao": [people(6, 7), people(4, 102)],
}


def overlap(one: set[bytes], other: set[bytes]) -> int:
    return len(one & other)


def test_three_regions_meet_in_exactly_the_people_they_share() -> None:
    found = ring(CELLS).run()
    g, h, m = (tokens(found[region], 0) for region in THREE)
    assert overlap(g[0], h[0]) == 4  # 5 to 8
    assert overlap(g[0], m[0]) == 2  # 7, 8
    assert overlap(h[0], m[0]) == 6  # 7 to 12
    assert len(g[0] & h[0] & m[0]) == 2
    assert overlap(g[1], m[1]) == 1  # 102
    assert overlap(g[0], m[1]) == overlap(g[1], h[0]) == 0


def test_two_regions_need_no_third() -> None:
    found = ring({region: CELLS[region] for region in TWO}).run()
    assert overlap(tokens(found["guangzhou"], 0)[0], tokens(found["macao"], 0)[0]) == 2


def test_nothing_is_complete_while_a_chunk_is_still_being_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At the broker each region's chunks are received in a thread of their own.
    made = ring({region: CELLS[region] for region in TWO})
    seen: list[bool] = []

    def looking(_: bytes, __: int) -> None:
        seen.append(made.collector.complete)

    monkeypatch.setattr("dataspace.linkage.ring.check_points", looking)
    made.run()
    assert seen
    assert not any(seen)


PEOPLE = st.lists(
    st.tuples(st.sampled_from("abcdefg "), st.sampled_from("pqrs ")).map(
        lambda pair: tuple(name.strip() for name in pair)
    ),
    max_size=7,
)


@given(st.lists(PEOPLE, min_size=1, max_size=2), st.lists(PEOPLE, min_size=1, max_size=2))
@settings(max_examples=20, deadline=None)
def test_tokens_are_equal_exactly_where_keys_are_and_shuffles_lose_nothing(
    left: list[Cell], right: list[Cell]
) -> None:
    found = ring({"guangzhou": left, "macao": right}).run()
    for slot in range(len(SLOTS)):
        for cell, batch in zip(left + right, found["guangzhou"] + found["macao"], strict=True):
            names = Counter(subject[slot] for subject in cell if subject[slot])
            counted = Counter(Counter(row.tobytes() for row in batch.tokens[:, slot]).values())
            empty = sum(1 for subject in cell if not subject[slot])
            assert counted == Counter(names.values()) + Counter({1: empty})
        for one, mine in zip(left, tokens(found["guangzhou"], slot), strict=True):
            for other, theirs in zip(right, tokens(found["macao"], slot), strict=True):
                shared = {each[slot] for each in one} & {each[slot] for each in other} - {""}
                assert overlap(mine, theirs) == len(shared)


def test_the_slots_of_a_subject_stay_together() -> None:
    found = ring({"guangzhou": [people(9)], "macao": [people(9)]}).run()
    pairs = [
        {row.tobytes() for row in found[region][0].tokens.reshape(-1, 64)}
        for region in ("guangzhou", "macao")
    ]
    assert pairs[0] == pairs[1]


def test_empty_slots_and_dummies_never_match() -> None:
    nobody = [("", ""), ("", "")]
    found = ring({"guangzhou": [nobody], "macao": [nobody]}, padding=5).run()
    everything = [
        row.tobytes()
        for region in TWO
        for batch in found[region]
        for row in batch.tokens.reshape(-1, 32)
    ]
    assert len(everything) == len(set(everything)) == 2 * 7 * len(SLOTS)


def test_a_padded_batch_shows_its_padded_size_alone() -> None:
    small = ring({"guangzhou": [people(1)], "macao": [people(6)]}, padding=0)
    padded = ring({"guangzhou": [people(1)], "macao": [people(6)]}, padding=5)
    assert small.transcript.join("guangzhou").batches[0].tuples == 1
    assert padded.transcript.join("guangzhou").batches[0].tuples == 6
    found = padded.run()
    assert len(found["guangzhou"][0].tokens) == 6


def test_no_node_sees_its_own_subjects_fully_blinded() -> None:
    for regions in (THREE, TWO):
        routes = {stream: plan(regions).route(stream) for stream in regions}
        assert all(route[0] == stream and route[-1] != stream for stream, route in routes.items())
        assert all(sorted(route) == sorted(regions) for route in routes.values())
        # and each is the last of one stream alone: nobody but the broker can compare two
        assert sorted(route[-1] for route in routes.values()) == sorted(regions)


def test_the_broker_relays_points_that_it_cannot_read() -> None:
    whole = ring({"guangzhou": [people(3)], "macao": [people(3)]})
    whole.run()
    once = blind(whole.nodes["guangzhou"].batches[0].tobytes(), whole.nodes["guangzhou"].scalar)
    each = [once[at : at + 32] for at in range(0, len(once), 32)]
    relayed = b"".join(
        message.SerializeToString() for _, message in whole.sent if isinstance(message, HopChunk)
    )
    assert relayed and not any(point in relayed for point in each)


def test_order_of_arrival_says_nothing_of_the_order_that_leaves() -> None:
    whole = ring({"guangzhou": [people(40)], "macao": [people(40)]})
    found = whole.run()
    nodes = whole.nodes
    expected = whole.nodes["guangzhou"].batches[0].tobytes()
    for region in ("guangzhou", "macao"):
        expected = blind(expected, nodes[region].scalar)
    unshuffled = np.frombuffer(expected, np.uint8).reshape(-1, 64)
    arrived = found["guangzhou"][0].tokens.reshape(-1, 64)
    stayed = int((unshuffled == arrived).all(axis=1).sum())
    assert stayed < 10
    assert {row.tobytes() for row in unshuffled} == {row.tobytes() for row in arrived}


def test_the_next_rounds_tokens_have_nothing_in_common_with_this_ones() -> None:
    first, second = ring(CELLS).run(), ring(CELLS, attempt=1).run()
    for region in THREE:
        assert not tokens(first[region], 0)[0] & tokens(second[region], 0)[0]


def test_dummies_are_drawn_anew_and_shuffles_differ_by_place() -> None:
    rows = ring(CELLS).nodes["guangzhou"].batches[0]
    assert not np.array_equal(shuffled(rows, seed("a"), b"x"), shuffled(rows, seed("a"), b"y"))
    assert np.array_equal(shuffled(rows, seed("a"), b"x"), shuffled(rows, seed("a"), b"x"))
    with pytest.raises(Malformed):
        shuffled(rows, b"short", b"x")


def test_a_commitment_opens_in_any_order_and_for_these_inputs_alone() -> None:
    node = ring(CELLS).nodes["guangzhou"]
    named = list(zip(node.codes, node.batches, strict=True))
    salt, round_id = seed("salt"), node.round_id
    made = commit_inputs(salt, round_id, named)
    turned = [(code, batch[::-1]) for code, batch in named]
    assert commit_inputs(salt, round_id, turned) == made
    fewer = [(code, batch[1:]) for code, batch in named]
    swapped = [(named[1][0], named[0][1]), (named[0][0], named[1][1])]
    others = [(seed("b"), round_id, named), (salt, seed("c"), named), (salt, round_id, fewer)]
    for other_salt, other_round, batches in (*others, (salt, round_id, swapped)):
        assert commit_inputs(other_salt, other_round, batches) != made


def test_a_plan_survives_its_invitation() -> None:
    assert RoundPlan.from_message(plan().to_message()) == plan()


def test_the_last_hop_shows_tokens_to_the_broker_and_no_other_does() -> None:
    whole = ring(CELLS)
    whole.run()
    last = {stream: whole.transcript.plan.route(stream)[-1] for stream in THREE}
    for signer, message in whole.sent:
        shown = isinstance(message, BlindedChunk)
        assert shown == (signer.region == last[message.place.stream])


@pytest.mark.parametrize(("subjects", "unit", "size"), [(0, 1, 0), (7, 1, 7), (0, 10, 10),
                                                        (10, 10, 10), (11, 10, 20)])  # fmt: skip
def test_sizes_go_by_the_unit_and_never_show_an_empty_batch(
    subjects: int, unit: int, size: int
) -> None:
    assert padded_size(subjects, unit) == size


def test_a_batch_is_filled_exactly() -> None:
    present = np.array([[True, False], [True, True]])
    assert empty_slots(present, 3) == 3
    point = ring(CELLS).nodes["guangzhou"].batches[0][0, 0].tobytes()
    assert fill(point * 3, present, 3, point * 3).shape == (3, 2, 32)
    for points, size, random in ((2, 3, 3), (3, 1, 3), (3, 3, 2)):
        with pytest.raises(Malformed):
            fill(point * points, present, size, point * random)
