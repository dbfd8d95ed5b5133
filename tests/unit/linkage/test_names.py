"""Names: one person's name in every script and romanisation comes to one key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.linkage import names
from dataspace.linkage.field_forms import FUZZY, PLAIN
from dataspace.synthetic import name_tables

WHOLE = [
    "陳大文|陈大文|Chan Tai Man|CHAN, Tai-man|Tai Man CHAN|Chen Dawen|Dawen Chen|chén dàwén|"
    "can4 daai6 man4|ＣＨＡＮ　Ｔａｉ　Ｍａｎ",
    "歐陽家慧|欧阳家慧|Au-yeung Ka Wai|AUYEUNG Ka-wai|Ao Ieong Ka Vai|Ouyang Jiahui",
    "司徒志強|司徒志强|Szeto Chi Keung|Si Tou Chi Keong|Situ Zhiqiang",
    "黃美玲|黄美玲|Wong Mei Ling|Wong Mei Leng|Huang Meiling",
    "Maria da Silva|MARIA DA SILVA|Silva, Maria|María dá Silva",
]
FAMILY = [
    "黃|黄|Wong|Huang|Vong",
    "楊|杨|Ieong|Yeung|Yang",
    "張|张|Cheong|Cheung|Zhang",
    "李|Lei|Lee|Li",
    "何|Ho|He",
    "郭|Kuok|Kwok|Guo",
    "陳|陈|Chan|Chen",
    "吳|吴|Ng|Wu",
    "曾|Tsang|Chang|Zeng",
    "區|区|Au|Ao|Ou",
    "鄭|郑|Cheng|Cheang|Zheng",
    "do Rosário|Rosario|DO ROSARIO",
]
APART = [("陳", "張"), ("Wong", "Ho"), ("Lam", "Leung"), ("李", "林"), ("Gomes", "Lopes")]


def _columns(table: str) -> list[list[str]]:
    return [line.replace("_", " ").split(" ", 4) for line in table.strip().split("\n")]


@pytest.mark.parametrize("spellings", WHOLE)
def test_a_whole_name_has_one_key_in_any_script_romanisation_and_order(spellings: str) -> None:
    assert len(set(map(names.full_name, spellings.split("|")))) == 1


@pytest.mark.parametrize("spellings", FAMILY)
def test_a_family_name_has_one_key_in_any_script_and_romanisation(spellings: str) -> None:
    found = set(map(names.surname, spellings.split("|")))
    assert len(found) == 1
    assert None not in found


@pytest.mark.parametrize(("one", "other"), APART)
def test_other_family_names_have_other_keys(one: str, other: str) -> None:
    assert names.surname(one) != names.surname(other)


@pytest.mark.parametrize("line", name_tables.SURNAMES.strip().split("\n"))
def test_every_family_name_of_the_synthetic_tables_has_one_key(line: str) -> None:
    assert len({names.surname(word.replace("_", " ")) for word in line.split()}) == 1


@pytest.mark.parametrize(
    "line", (name_tables.MENS + name_tables.EITHER + name_tables.WOMENS).split("\n")
)
def test_characters_and_both_cities_romanisations_of_given_names_agree(line: str) -> None:
    simplified, traditional, _, *cities = line.split() or ["文", "文", "", "man"]
    assert len(set(map(names.given_name, (simplified, traditional, *cities)))) == 1


def test_plain_names_fold_script_width_case_and_signs_only() -> None:
    plain = PLAIN["full_name"]
    assert plain("陳大文") == plain("陈大文") == plain("陳 大文")
    assert plain("CHAN, Tai-man") == plain("Chan Tai Man") == plain("ＣＨＡＮ Ｔａｉ Ｍａｎ")
    assert plain("Chan Tai Man") != plain("Chen Dawen")
    assert plain("Luís") != plain("Luis")
    assert plain("衞斯理") == plain("衛斯理") == plain("卫斯理")


@pytest.mark.parametrize("kind", ["surname", "given_name", "full_name", "address"])
@pytest.mark.parametrize("text", ["", "  ", "-", ",", "()", "・"])
def test_what_says_nothing_has_no_key(kind: str, text: str) -> None:
    assert PLAIN[kind](text) is None
    assert FUZZY[kind](text) is None


@given(text=st.text(max_size=12))
def test_plain_folding_is_idempotent(text: str) -> None:
    folded = PLAIN["full_name"](text)
    assert folded is None or PLAIN["full_name"](folded) == folded


@given(text=st.text(max_size=12), kind=st.sampled_from(sorted(FUZZY)))
def test_no_text_breaks_a_form(text: str, kind: str) -> None:
    for form in (PLAIN[kind], FUZZY[kind]):
        assert form(text) is None or form(text)


@given(
    family=st.sampled_from("陈黄李张何"), given_=st.text("大文家慧志强美玲", min_size=1, max_size=2)
)
def test_a_name_in_one_part_or_two_has_one_key(family: str, given_: str) -> None:
    assert names.full_name(family + given_) == names.full_name_of(family, given_)
