"""A person's tag: one document, one tag; another key, another tag; no number in any message."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.evidence.subjects import subject_tag, subject_tags
from dataspace.linkage.documents import Document
from dataspace.synthetic.documents import bir, hkid, mtp

KEY = bytes(range(32))


@pytest.mark.parametrize(
    "text", ["hkid:A123456(3)", "HKID:a123456(3)", "hkid:A 123456 3", "hkid: A123456（3）"]
)
def test_one_document_has_one_tag_however_it_is_written(text: str) -> None:
    assert Document.parse(text).canonical == b"hkid:A1234563"


def test_the_tag_is_an_hmac_under_the_nodes_key() -> None:
    document = Document.parse("passport:AB12345")
    assert subject_tag(KEY, document) != subject_tag(bytes(32), document)
    assert len(subject_tag(KEY, document)) == 64
    other = Document.parse("other_id:AB12345")
    assert subject_tags(KEY, [document, other, document]) == sorted(
        {subject_tag(KEY, document), subject_tag(KEY, other)}
    )
    with pytest.raises(ValueError, match="32 bytes"):
        subject_tag(b"short", document)


@pytest.mark.parametrize(
    "text",
    ["A123456(3)", "", "hkid:", "hkid:A123456(4)", "hkid:A12345(3)", "iris:12", "bir:21234567",
     "ric:11010519491231002Y", "ric:110105194912310021", "mtp:X12345678", "passport:a!b"],
)  # fmt: skip
def test_what_is_no_document_is_malformed_and_its_number_not_repeated(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        Document.parse(text)
    number = text.partition(":")[2]
    assert not number or number not in str(caught.value)


def test_known_numbers_are_taken() -> None:
    # GB 11643-1999's own example, and an identity card's number whose check digit is a letter.
    assert Document.parse("ric:11010519491231002X").number == "11010519491231002X"
    assert Document.parse("hkid:G123456(A)").number == "G123456A"


def test_a_document_shows_no_number_when_printed() -> None:
    assert "123456" not in repr(Document.parse("hkid:G123456(A)"))


def test_numbers_that_the_synthetic_register_makes_are_taken() -> None:
    index = np.arange(500)
    numbers = [("hkid", str(each)) for each in hkid(index, 7)]
    numbers += [("bir", str(each)) for each in bir(index, 7)]
    numbers += [("mtp", str(each)) for each in mtp(index, 7, index % 2 == 0)]
    for kind, number in numbers:
        assert Document(kind, number)


@given(st.sampled_from(["hkid:G123456(A)", "ric:11010519491231002X"]), st.integers(0, 30))
def test_one_wrong_digit_is_found(text: str, place: int) -> None:
    kind, _, number = text.partition(":")
    digits = [at for at, sign in enumerate(number) if sign.isdigit()]
    at = digits[place % len(digits)]
    wrong = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
    with pytest.raises(Malformed):
        Document(kind, wrong)
