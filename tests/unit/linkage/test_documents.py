"""Documents: what is taken, what is refused, and that no message tells the number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric as stdnum_ric

from dataspace.errors import Malformed
from dataspace.linkage.documents import DOCUMENT_KINDS, Document, normal_number
from dataspace.synthetic import REGIONS, generate_region

# 360426199101010071: python-stdnum; 11010519491231002X: GB 11643's own example.
# A123456(3), AB987654(3), L555555(0): Hong Kong identity card verifiers' documentation.
TAKEN = [
    ("ric", "360426199101010071", "360426199101010071"),
    ("ric", "11010519491231002x", "11010519491231002X"),
    ("ric", "１１０１０５ 1949-1231-002Ｘ", "11010519491231002X"),
    ("ric", "110105491231002", "11010519491231002X"),
    ("ric", "110105491231997", "110105491231997"),
    ("hkid", "A123456(3)", "A1234563"),
    ("hkid", "a123456（3）", "A1234563"),
    ("hkid", "Ａ１２３４５６ ３", "A1234563"),
    ("hkid", "AB987654(3)", "AB9876543"),
    ("hkid", "CA182361(1)", "CA1823611"),
    ("hkid", "L555555(0)", "L5555550"),
    ("bir", "1234567(8)", "12345678"),
    ("bir", "5/123456/7", "51234567"),
    ("mtp", "H1234567800", "H12345678"),
    ("mtp", "H1234567803", "H12345678"),
    ("mtp", "h12345678", "H12345678"),
    ("mtp", "M 0123 4567 (02)", "M01234567"),
    ("mtp", "HA1234567", "HA1234567"),
    ("passport", "ea-123 4567", "EA1234567"),
    ("other_id", "ssn 5304218", "SSN5304218"),
]
REFUSED = [
    ("ric", ""),
    ("ric", "360426199101010072"),
    ("ric", "360426199113010071"),
    ("ric", "110105491332002"),
    ("ric", "3604261991010100"),
    ("ric", "060426199101010071"),
    ("ric", "３６０４２６１９９１０１０１００７２"),
    ("hkid", "A123456(4)"),
    ("hkid", "A12345(3)"),
    ("hkid", "ABC123456(3)"),
    ("hkid", "A123456"),
    ("hkid", "Ａ１２３４５６"),
    ("bir", "2234567(8)"),
    ("bir", "1234567"),
    ("bir", "123456789"),
    ("mtp", "C12345678"),
    ("mtp", "H1234567"),
    ("mtp", "H123456780"),
    ("mtp", "H123456780012"),
    ("mtp", "HB1234567"),
    ("passport", "ABCDEF"),
    ("passport", "A1"),
    ("passport", "000000000"),
    ("passport", "E1234567;DROP"),
    ("other_id", "99999999"),
    ("other_id", "٣٤٥٦٧"),
    ("other_id", ""),
]


@pytest.mark.parametrize(("kind", "text", "normal"), TAKEN)
def test_every_way_of_writing_a_number_comes_to_one(kind: str, text: str, normal: str) -> None:
    assert Document(kind, text).number == normal
    assert normal_number(kind, text) == normal


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_what_is_no_number_of_its_kind_is_refused(kind: str, text: str) -> None:
    with pytest.raises(Malformed) as refused:
        Document(kind, text)
    assert refused.value.code == "document"
    assert normal_number(kind, text) is None


@pytest.mark.parametrize(("kind", "text"), [case for case in REFUSED if len(case[1]) > 2])
def test_no_message_tells_a_number(kind: str, text: str) -> None:
    with pytest.raises(Malformed) as refused:
        Document(kind, text)
    assert text not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_document_does_not_show_its_number() -> None:
    assert "123456" not in repr(Document("hkid", "A123456(3)"))
    assert "123456" not in f"{Document('hkid', 'A123456(3)')}"


@pytest.mark.parametrize("text", ["A123456(3)", "hkid", "card:A123456(3)", ":A123456(3)", ""])
def test_a_document_is_written_with_its_kind(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        Document.parse(text)
    assert "123456" not in str(refused.value)


def test_a_written_document_is_taken() -> None:
    assert Document.parse("hkid:A123456(3)") == Document("hkid", "a1234563")


@given(
    kind=st.sampled_from(DOCUMENT_KINDS),
    text=st.text("0123456789ABHMXabx１２Ａ（） -()./", max_size=22),
)
def test_normalising_is_idempotent(kind: str, text: str) -> None:
    normal = normal_number(kind, text)
    if normal is not None:
        assert normal_number(kind, normal) == normal


@given(digits=st.text("0123456789", min_size=17, max_size=17))
def test_check_digits_are_those_of_stdnum(digits: str) -> None:
    right = digits + stdnum_ric.calc_check_digit(digits + "0")
    for check in "0123456789X":
        if digits + check != right:
            assert normal_number("ric", digits + check) is None


@given(at=st.integers(0, 7), digit=st.sampled_from("0123456789"))
def test_one_wrong_digit_of_an_hkid_is_noticed(at: int, digit: str) -> None:
    number = "A1234563"
    wrong = number[:at] + digit + number[at + 1 :]
    assert wrong == number or normal_number("hkid", wrong) is None


@pytest.mark.parametrize("region", REGIONS)
def test_all_documents_of_synthetic_patients_are_valid(region: str) -> None:
    table = generate_region(region, 500, 3)["patients"]
    for kind in ("ric", "hkid", "bir", "mtp"):
        for number in table[kind].drop_null().to_pylist():
            assert normal_number(kind, number), kind
