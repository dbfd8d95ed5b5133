"""Numbers are what an office would accept. The checks here are written from the rules anew."""

from __future__ import annotations

import datetime
import math
import re

import numpy as np
import pytest

from dataspace.synthetic import REGIONS, SyntheticSpace, documents


def mainland_number_holds(number: str) -> bool:
    """ISO 7064 MOD 11-2: the value, with X as ten, is 1 modulo 11 under powers of two."""
    if not re.fullmatch(r"\d{17}[\dX]", number):
        return False
    values = [10 if mark == "X" else int(mark) for mark in number]
    return sum(value << (17 - at) for at, value in enumerate(values)) % 11 == 1


def hong_kong_number_holds(number: str) -> bool:
    """Weights 9 to 1 over prefix, digits and check sum to nothing modulo 11."""
    found = re.fullmatch(r"([A-Z]{1,2})(\d{6})\(([\dA])\)", number)
    if not found:
        return False
    prefix, tail, check = found.groups()
    values = [36 if mark == " " else ord(mark) - 55 for mark in prefix.rjust(2)]
    values += [int(mark) for mark in tail] + [10 if check == "A" else int(check)]
    return (
        sum(weight * value for weight, value in zip(range(9, 0, -1), values, strict=True)) % 11 == 0
    )


@pytest.mark.parametrize(
    ("number", "holds"),
    [
        ("11010519491231002X", True),  # the example of GB 11643
        ("440524188001010014", True),  # likewise
        ("440524188001010015", False),
        ("44052418800101001", False),
    ],
)
def test_the_mainland_check_knows_published_examples(number: str, holds: bool) -> None:
    assert mainland_number_holds(number) is holds


@pytest.mark.parametrize(
    ("number", "holds"),
    [
        ("A123456(3)", True),
        ("G123456(A)", True),
        ("AB987654(3)", True),
        ("A123456(4)", False),
        ("A12345(6)", False),
    ],
)
def test_the_hong_kong_check_knows_published_examples(number: str, holds: bool) -> None:
    assert hong_kong_number_holds(number) is holds


def _column(space: SyntheticSpace, name: str) -> list[str]:
    return [
        number
        for region in REGIONS
        for number in space.tables[region]["patients"][name].to_pylist()
        if number is not None
    ]


def test_every_mainland_number_has_a_valid_check_and_a_real_date(space: SyntheticSpace) -> None:
    numbers = _column(space, "ric")
    assert len(numbers) > 6_000
    assert all(map(mainland_number_holds, numbers))
    for number in numbers:
        datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def test_a_mainland_number_agrees_with_sex_and_home_birth_date(space: SyntheticSpace) -> None:
    rows = space.tables["guangzhou"]["patients"].select(["ric", "birth_date", "sex"]).to_pylist()
    for row in filter(lambda row: row["ric"], rows):
        assert row["ric"][6:14] == row["birth_date"].strftime("%Y%m%d")
        assert int(row["ric"][16]) % 2 == (row["sex"] == "M")


def test_every_hong_kong_number_has_a_valid_check_digit(space: SyntheticSpace) -> None:
    numbers = _column(space, "hkid")
    assert len(numbers) > 6_000
    assert all(map(hong_kong_number_holds, numbers))
    assert {number[-2] for number in numbers} == set("0123456789A")
    assert any(re.match("[A-Z]{2}", number) for number in numbers)


def test_macao_numbers_and_travel_permits_have_their_form(space: SyntheticSpace) -> None:
    assert all(re.fullmatch(r"[157]\d{6}\(\d\)", number) for number in _column(space, "bir"))
    assert all(re.fullmatch(r"[HM]\d{8}", number) for number in _column(space, "mtp"))
    assert {number[0] for number in _column(space, "mtp")} == {"H", "M"}


@pytest.mark.parametrize("kind", ["ric", "hkid", "bir", "mtp"])
def test_a_document_is_one_humans_and_a_human_has_one_of_a_kind(
    space: SyntheticSpace, kind: str
) -> None:
    human = {(row["region"], row["patient_id"]): row["human_id"] for row in space.truth.to_pylist()}
    held: set[tuple[str, int]] = set()
    for region in REGIONS:
        table = space.tables[region]["patients"].select(["patient_id", kind])
        numbers = [number for number in table[kind].to_pylist() if number]
        assert len(set(numbers)) == len(numbers)
        held |= {
            (row[kind], human[region, row["patient_id"]]) for row in table.to_pylist() if row[kind]
        }
    assert len({number for number, _ in held}) == len(held) == len({one for _, one in held})


@pytest.mark.parametrize("modulus", [18 * 10**6, 3 * 10**6, 10**8, 10**10])
def test_serials_never_repeat(modulus: int) -> None:
    assert math.gcd(documents.MULTIPLIER, modulus) == 1
    index = np.arange(100_000, dtype=np.int64)
    scattered = documents.serial(index, modulus, 12_345_678)
    assert 0 <= scattered.min() <= scattered.max() < modulus
    assert len(np.unique(scattered)) == len(index)
