"""Who is who, from tokens alone: trust, ambiguity, chance, and distinct counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.linkage.components import components
from dataspace.linkage.counting import ABSENT, joint_counts, union_counts
from dataspace.linkage.match_lists import match_lists
from dataspace.linkage.resolving import Resolution, resolve, resolve_duplicates
from dataspace.linkage.sides import OWN, Side
from dataspace.linkage.tokens import first_equal, shared

LISTS = match_lists([["ric"], ["hkid"], ["full_name", "birth_date"]])
Word = str | None


def _side(
    rng: np.random.Generator, *tuples: tuple[Word, ...], serves: tuple[int, ...] = (0, 1, 2)
) -> Side:
    """Tokens for words, random ones for None."""
    tokens = rng.integers(0, 256, (len(tuples), len(serves), 32), dtype=np.uint8)
    for row, words in enumerate(tuples):
        for slot, word in enumerate(words):
            if word is not None:
                tokens[row, slot] = np.frombuffer(word.ljust(32).encode(), np.uint8)
    return Side(tokens, np.array(serves))


def _resolve(*sides: Sequence[tuple[Word, ...]]) -> Resolution:
    rng = np.random.default_rng(7)
    return resolve([_side(rng, *tuples) for tuples in sides], LISTS)


def test_a_shared_document_joins_across_sides() -> None:
    found = _resolve(
        [("r1", None, None), (None, "h2", None)], [(None, "h2", None), ("r1", "h9", None)]
    )
    assert found.pairs(0, 1).tolist() == [[0, 1], [1, 0]]
    assert found.count == 2


def test_one_person_with_several_documents_is_one_person_across_three_sides() -> None:
    found = _resolve([("r1", None, None)], [("r1", "h1", None)], [(None, "h1", None)])
    assert found.count == 1


def test_empty_slots_match_nobody() -> None:
    assert _resolve([(None, None, None)] * 50, [(None, None, None)] * 50).count == 100


def test_a_name_joins_where_nobody_else_has_it() -> None:
    assert _resolve([(None, None, "n")], [(None, None, "n")]).count == 1


def test_a_name_that_two_people_of_a_side_share_joins_nobody() -> None:
    found = _resolve([("r1", None, "n"), ("r2", None, "n")], [(None, None, "n")])
    assert found.count == 3


def test_a_document_wins_over_a_name() -> None:
    found = _resolve([("r1", None, "n")], [("r1", None, "m"), (None, None, "n")])
    assert found.pairs(0, 1).tolist() == [[0, 0]]
    assert found.count == 2


def test_names_that_hang_together_into_two_people_of_a_side_join_nobody() -> None:
    # One person of the first two sides writes two names; the third has one stranger for each.
    found = _resolve(
        [("r1", None, "n")], [("r1", None, "m")], [(None, None, "n"), (None, None, "m")]
    )
    assert found.count == 3


def test_a_person_registered_twice_is_no_ambiguity() -> None:
    found = _resolve([("r1", None, "n"), ("r1", None, "n")], [(None, None, "n")])
    assert found.count == 1


def test_two_people_who_agree_in_all_they_have_stay_two() -> None:
    rng = np.random.default_rng(1)
    side = _side(rng, ("n",), ("n",), serves=(2,))
    assert resolve([side, _side(rng, ("x",), serves=(2,))], LISTS).count == 3


def test_a_subject_in_two_batches_is_told_by_its_own_token() -> None:
    rng = np.random.default_rng(1)
    side = _side(rng, ("me", "n"), ("me", "n"), ("you", "n2"), serves=(OWN, 2))
    found = resolve([side, _side(rng, ("n",), serves=(2,))], LISTS)
    assert found.people[0][0] == found.people[0][1] == found.people[1][0]
    assert found.count == 2


def test_tokens_of_different_lists_never_meet() -> None:
    assert _resolve([("x", None, None)], [(None, "x", None)]).count == 2


def test_a_list_that_chance_would_fill_is_left_out_and_named() -> None:
    rng = np.random.default_rng(3)
    common = [(None, None, f"name {pick}") for pick in rng.integers(0, 3_000, 400)]
    others = [(None, None, f"name {pick}") for pick in rng.integers(0, 3_000, 400)]
    found = _resolve(common, others)
    assert found.unused == (2,)
    assert found.count == 800


def test_an_ambiguous_name_does_not_spoil_a_sure_one() -> None:
    # The first person writes two names; the second shares one of them.
    found = _resolve([("r1", None, "n"), ("r1", None, "m"), ("r2", None, "n")], [(None, None, "m")])
    assert found.pairs(0, 1).tolist() == [[0, 0], [1, 0]]
    assert found.count == 2


def test_names_of_people_who_are_matched_already_are_no_chance() -> None:
    matched = [(f"r{at}", None, f"n{at % 20}") for at in range(200)]
    strangers = [(None, None, f"m{at}") for at in range(5)]
    found = _resolve([*matched, *strangers], [*matched, *strangers])
    assert found.unused == ()
    assert found.count == 205


def test_within_a_file_duplicates_are_joined_by_every_list() -> None:
    rng = np.random.default_rng(1)
    side = _side(rng, ("r1", None, "n"), (None, None, "n"), ("r1", None, None), (None, None, None))
    found = resolve_duplicates(side, LISTS)
    assert found.count == 2
    assert len(set(found.people[0][:3].tolist())) == 1


def test_within_a_file_a_name_that_many_share_joins_nobody() -> None:
    side = _side(np.random.default_rng(1), *[(None, None, "n")] * 17)
    assert resolve_duplicates(side, LISTS).count == 17


def test_tuples_of_another_shape_are_refused() -> None:
    with pytest.raises(Malformed):
        Side(np.zeros((2, 2, 31), np.uint8), np.arange(2))
    with pytest.raises(Malformed):
        Side(np.zeros((2, 2, 32), np.uint8), np.arange(3))


def test_sides_without_anybody_resolve() -> None:
    found = _resolve([], [("r1", None, None)], [])
    assert found.count == 1
    assert found.pairs(0, 1).shape == (0, 2)


@given(seed=st.integers(0, 10**6))
def test_nothing_depends_on_the_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sides = [
        _side(rng, *[
            tuple(f"{slot}{pick}" if pick < 9 else None for slot, pick in enumerate(row))
            for row in rng.integers(0, 14, (8, 3)).tolist()
        ])
        for _ in range(3)
    ]  # fmt: skip
    orders = [rng.permutation(8) for _ in sides]
    found = resolve(sides, LISTS)
    turned = resolve(
        [Side(side.tokens[order], side.serves) for side, order in zip(sides, orders, strict=True)],
        LISTS,
    )
    assert (found.count, found.unused) == (turned.count, turned.unused)
    for left, right in ((0, 1), (0, 2), (1, 2)):
        there = {(orders[left][a], orders[right][b]) for a, b in turned.pairs(left, right)}
        assert there == {(a, b) for a, b in found.pairs(left, right)}


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_components_are_those_of_a_plain_search(edges: list[tuple[int, int]]) -> None:
    found = components(20, *np.array(edges, np.int64).reshape(-1, 2).T)
    groups = [{node} for node in range(20)]
    for one, other in edges:
        merged = next(g for g in groups if one in g) | next(g for g in groups if other in g)
        groups = [g for g in groups if not g & merged] + [merged]
    assert all(found[node] == min(group) for group in groups for node in group)


def test_tokens_that_agree_in_their_first_word_alone_are_told_apart() -> None:
    tokens = np.zeros((4, 32), np.uint8)
    tokens[1, 31] = tokens[3, 31] = 1
    rows, groups = shared(tokens)
    assert sorted(zip(rows.tolist(), groups.tolist(), strict=True)) == [
        (0, 0),
        (1, 1),
        (2, 0),
        (3, 1),
    ]
    assert first_equal(tokens).tolist() == [0, 1, 0, 1]


def _people(*sides: list[int]) -> Resolution:
    parts = tuple(np.array(side, np.int64) for side in sides)
    return Resolution(parts, len(set(np.concatenate(parts).tolist())), ())


def test_a_human_being_counts_once_in_each_combination_of_codes() -> None:
    resolution = _people([0, 0, 1, 2, 0], [0, 1, 1, 3])
    counts = joint_counts(resolution, [np.array([5, 5, 5, 6, 7]), np.array([1, 1, 2, 1])])
    assert counts.codes.tolist() == [[5, 1], [5, 2], [7, 1]]
    assert counts.people.tolist() == [2, 1, 1]


def test_a_left_join_keeps_who_is_nowhere_else() -> None:
    resolution = _people([0, 1, 2], [1, 5], [2])
    codes = [np.zeros(3, np.int64), np.full(2, 4), np.full(1, 8)]
    counts = joint_counts(resolution, codes, optional=[1, 2])
    assert counts.codes.tolist() == [[0, ABSENT, ABSENT], [0, ABSENT, 8], [0, 4, ABSENT]]
    assert counts.people.tolist() == [1, 1, 1]


def test_a_union_counts_a_human_being_once_wherever_they_are() -> None:
    resolution = _people([0, 1, 2], [1, 3], [1, 2])
    counts = union_counts(resolution, [np.array([0, 0, 1]), np.array([0, 0]), np.array([0, 0])])
    assert counts.codes.tolist() == [[0], [1]]
    assert counts.people.tolist() == [4, 1]
