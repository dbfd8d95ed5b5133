"""Slots: what makes two keys equal, what makes none, and how one subject's rows come together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from dataspace.errors import Malformed
from dataspace.linkage.match_keys import MOST_VALUES, Slots, slots
from dataspace.linkage.match_lists import match_lists


def _slots(match: list[list[str]], subjects: list[str], **columns: Sequence[str | None]) -> Slots:
    return slots(
        pa.array(subjects),
        {kind: [pa.array(values, pa.string())] for kind, values in columns.items()},
        match_lists(match),
    )


def test_a_key_is_the_digest_of_framed_kinds_and_values() -> None:
    found = _slots([["sex", "hkid"]], ["p"], hkid=["a123456(3)"], sex=["男"])
    framed = b"gba-match-key-v1\x00\x04hkid\x00\x00\x00\x08A1234563\x00\x03sex\x00\x00\x00\x01m"
    assert found.digests[0, 0].tobytes() == hashlib.sha256(framed).digest()


def test_neither_the_place_of_a_list_nor_its_order_is_in_a_key() -> None:
    columns = {"hkid": ["A123456(3)"], "surname": ["陳"], "birth_date": ["1950-01-02"]}
    one = _slots([["hkid"], ["surname", "birth_date"]], ["p"], **columns)
    two = _slots([["birth_date", "surname"], ["hkid"]], ["q"], **columns)
    assert np.array_equal(one.digests[0], two.digests[0, ::-1])


def test_equal_values_of_other_kinds_are_other_keys() -> None:
    found = _slots(
        [["other_id"], ["passport"], ["postcode"], ["postcode~"]],
        ["p"],
        other_id=["123456"],
        passport=["123456"],
        postcode=["123456"],
    )
    assert len(np.unique(found.digests[0], axis=0)) == 4


@pytest.mark.parametrize("missing", [None, "", "1950-13-01"])
def test_a_missing_or_wrong_field_leaves_the_slot_empty(missing: str | None) -> None:
    found = _slots([["surname", "birth_date"]], ["p"], surname=["陳"], birth_date=[missing])
    assert not found.present.any()
    assert not found.digests.any()


def test_rows_of_one_subject_are_one_subject_with_all_their_documents() -> None:
    found = _slots(
        [["passport"], ["hkid"]],
        ["p", "q", "p", "p"],
        passport=["E1234567", "E7654321", "E 1234567", "K7654321"],
        hkid=[None, None, "A123456(3)", None],
    )
    assert found.subjects.to_pylist() == ["p", "q"]
    assert found.serves.tolist() == [0, 0, 1]
    assert found.present.tolist() == [[True, True, True], [True, False, False]]


def test_several_columns_of_a_kind_are_several_values() -> None:
    found = slots(
        pa.array(["p"]),
        {"passport": [pa.array(["E1234567"]), pa.array(["K7654321"])]},
        match_lists([["passport"]]),
    )
    assert found.present.tolist() == [[True, True]]


def test_the_number_of_slots_can_be_fixed_and_is_bounded() -> None:
    many = pa.array([f"E{number:07}" for number in range(9)])
    subject = pa.array(["p"] * 9)
    lists = match_lists([["passport"]])
    assert slots(subject, {"passport": [many]}, lists).digests.shape == (1, MOST_VALUES, 32)
    fixed = slots(subject, {"passport": [many]}, lists, values_per_list=2)
    assert fixed.digests.shape == (1, 2, 32)
    one = slots(subject[:1], {"passport": [many[:1]]}, lists, values_per_list=2)
    assert one.present.tolist() == [[True, False]]


def test_a_whole_name_is_put_together_from_its_parts() -> None:
    apart = _slots([["full_name~"], ["full_name"]], ["p"], surname=["Chan"], given_name=["Tai Man"])
    whole = _slots([["full_name~"], ["full_name"]], ["q"], full_name=["CHAN, Tai-man"])
    assert np.array_equal(apart.digests, whole.digests)


def test_a_list_without_a_column_is_refused() -> None:
    with pytest.raises(Malformed) as refused:
        _slots([["hkid"]], ["p"], ric=["110105491231002"])
    assert refused.value.code == "match-list"


def test_a_row_without_a_subject_is_nobody() -> None:
    found = slots(
        pa.array([None, "p"]), {"passport": [pa.array(["E1", "E1234567"])]},
        match_lists([["passport"]]),
    )  # fmt: skip
    assert found.subjects.to_pylist() == ["p"]
    assert found.digests.shape[0] == 1


def test_an_empty_table_has_no_slots() -> None:
    found = _slots([["hkid"]], [], hkid=[])
    assert found.digests.shape[0] == 0
    assert found.digests.shape[2] == 32
