"""Match lists: what is one, and what two regions have in common."""

from __future__ import annotations

import itertools

import pytest

from dataspace.errors import Malformed
from dataspace.linkage.match_lists import (
    DEFAULT,
    MatchList,
    common_lists,
    match_lists,
    served,
)


@pytest.mark.parametrize(
    "kinds", [(), ("hkid", "hkid"), ("sex~",), ("iris",), ("surname~~",), ("",)]
)
def test_what_is_no_match_list_is_refused(kinds: tuple[str, ...]) -> None:
    with pytest.raises(Malformed) as refused:
        MatchList(kinds)
    assert refused.value.code == "match-list"


def test_a_list_is_the_same_in_any_order_of_its_kinds() -> None:
    assert MatchList(("sex", "surname")) == MatchList(("surname", "sex"))
    assert len(match_lists([["sex", "surname"], ["surname", "sex"]])) == 1


def test_only_a_checked_document_identifies() -> None:
    assert MatchList(("hkid",)).identifying
    assert MatchList(("passport", "birth_date")).identifying
    assert not MatchList(("other_id~", "birth_date")).identifying
    assert not MatchList(("full_name", "birth_date", "sex")).identifying


def test_regions_have_in_common_what_all_have_in_one_order_whoever_asks() -> None:
    one = match_lists([["ric"], ["hkid"], ["birth_date", "full_name"], ["mtp"]])
    two = match_lists([["hkid"], ["mtp"], ["full_name", "birth_date"]])
    three = match_lists([["mtp"], ["hkid"]])
    assert common_lists(one, two) == match_lists([["hkid"], ["full_name", "birth_date"], ["mtp"]])
    for order in itertools.permutations((one, two, three)):
        assert common_lists(*order) == match_lists([["hkid"], ["mtp"]])
    assert common_lists(one, match_lists([["bir"]])) == ()


def test_a_region_keeps_its_own_order_with_itself() -> None:
    assert common_lists(DEFAULT, DEFAULT) == DEFAULT


def test_the_default_serves_a_name_in_two_parts() -> None:
    kinds = ["hkid", "surname", "given_name", "birth_date", "sex"]
    assert served(DEFAULT, kinds) == match_lists([["hkid"], ["full_name", "birth_date", "sex"]])
    assert served(DEFAULT, ["surname"]) == ()
