"""Dates, sexes and codes: one normal form, and nothing for what has none."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.linkage.field_forms import FUZZY, PLAIN
from dataspace.query.product import LINKAGE_FIELDS


def test_every_kind_of_field_of_a_product_file_has_a_form() -> None:
    assert set(PLAIN) == LINKAGE_FIELDS
    assert set(FUZZY) == LINKAGE_FIELDS - {"sex"}


@given(day=st.dates(datetime.date(1850, 1, 1), datetime.date(2090, 12, 31)))
def test_a_date_in_any_form_is_one(day: datetime.date) -> None:
    forms = (
        *(day.strftime(form) for form in ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d/%m/%Y")),
        *(day.strftime(form) for form in ("%Y－%m－%d", "%Y-%m-%d 00:00:00", " %Y-%m-%dT08:00Z")),
        f"{day.year}/{day.month}/{day.day}",
        f"{day.day}.{day.month}.{day.year}",
        f"{day.year}年{day.month}月{day.day}日",
    )
    assert {PLAIN["birth_date"](form) for form in forms} == {f"{day:%Y%m%d}"}


@pytest.mark.parametrize(
    "text", ["", "19501301", "1950-02-30", "1950", "195011", "1799-01-01", "31/31/1950", "today"]
)
def test_what_is_no_date_has_no_key(text: str) -> None:
    assert PLAIN["birth_date"](text) is None


def test_exchanged_digits_of_a_date_agree_in_its_fuzzy_form() -> None:
    fuzzy = FUZZY["birth_date"]
    assert fuzzy("1950-04-03") == fuzzy("1950-03-04") == fuzzy("19503004")
    assert fuzzy("1950-04-03") != fuzzy("1950-04-05")


def test_sexes_agree_in_four_languages_and_unknown_ones_with_nobody() -> None:
    assert {PLAIN["sex"](text) for text in ("F", "female", "女", "Feminino", "2")} == {"f"}
    assert {PLAIN["sex"](text) for text in ("M", "male", "男", "masculino", "1")} == {"m"}
    assert {PLAIN["sex"](text) for text in ("", "U", "other", "unknown", "9", "0")} == {None}
