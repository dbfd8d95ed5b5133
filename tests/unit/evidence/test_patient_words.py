"""What a patient is told: everything that was found, in each language, and what is not known."""

from __future__ import annotations

import re

import pytest

from dataspace.cli.subjects import Language, language_of
from dataspace.evidence.patient_words import _NAMES, _WORDS, LANGUAGES, RegionAccesses, tell, when
from dataspace.v1 import audit_pb2

AT = 1_795_414_511_720  # 2026-11-23 06:15 UTC


def access(kind: str, at_ms: int = AT, member: str = "kiang-wu") -> audit_pb2.AuditAccess:
    return audit_pb2.AuditAccess(
        index=1, at_ms=at_ms, kind=kind, actor_region="macao", actor_member=member,
        actor_role="clinician", purpose="TREAT", products=["medications", "allergies"],
    )  # fmt: skip


def found(*accesses: audit_pb2.AuditAccess, released: int = 0) -> RegionAccesses:
    statistics = [audit_pb2.AuditStatistics(product="patients", released=released)]
    return RegionAccesses(
        "hongkong", audit_pb2.AuditAccesses(accesses=accesses, statistics=statistics)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_access_is_told_with_time_place_member_reason_and_fields(language: str) -> None:
    told = tell([found(access("record.released"))], language)[1]
    names = _NAMES[language]
    for part in ("2026-11-23 14:15", "kiang-wu", "medications", "allergies", names["TREAT"],
                 names["hongkong"], names["macao"], names["clinician"]):  # fmt: skip
        assert part in told, part


@pytest.mark.parametrize("language", LANGUAGES)
def test_breaking_the_glass_reads_otherwise_than_a_usual_access(language: str) -> None:
    usual, emergency = (
        tell([found(access(kind))], language)[1]
        for kind in ("record.released", "record.break_glass")
    )
    assert usual != emergency
    assert len(emergency) > len(usual)


@pytest.mark.parametrize("language", LANGUAGES)
def test_existence_checks_statistics_and_absent_regions_are_always_told(language: str) -> None:
    words = _WORDS[language]
    told = tell([found(released=1234), RegionAccesses("macao", None)], language)
    assert words["title"] == told[0]
    assert words["existence"] in told
    assert any("1234" in line and "patients" in line for line in told)
    assert words["away"].format(region=_NAMES[language]["macao"]) == told[-1]
    assert words["none"].format(region=_NAMES[language]["hongkong"]) in told
    assert words["none"].format(region=_NAMES[language]["macao"]) not in told, "not known"


def test_accesses_come_in_order_of_time() -> None:
    told = tell([found(access("record.released", AT + 60_000), access("record.released"))], "en")
    assert "14:15" in told[1]
    assert "14:16" in told[2]


def test_the_four_languages_say_the_same_things() -> None:
    holes = re.compile(r"\{(\w+)\}")
    for key, english in _WORDS["en"].items():
        for language in LANGUAGES:
            assert set(holes.findall(_WORDS[language][key])) == set(holes.findall(english)), key
    assert len({frozenset(names) for names in _NAMES.values()}) == 1
    assert len({frozenset(words) for words in _WORDS.values()}) == 1


def test_the_two_chinese_scripts_are_not_mixed() -> None:
    simplified, traditional = "谁历阳病访问户这个为么", "誰歷陽訪問戶這個為麼"
    for words in (_WORDS["zh-Hans"], _NAMES["zh-Hans"]):
        assert not set("".join(words.values())) & (set(traditional) - set(simplified))
    for words in (_WORDS["zh-Hant"], _NAMES["zh-Hant"]):
        assert not set("".join(words.values())) & (
            set(simplified) - set(traditional) - {"病", "么"}
        )


def test_times_are_the_areas_own() -> None:
    assert when(0) == "1970-01-01 08:00"


@pytest.mark.parametrize(
    ("locale", "language"),
    [("", "en"), ("C", "en"), ("fr_FR.UTF-8", "en"), ("zh_CN.UTF-8", "zh-Hans"),
     ("zh_HK.UTF-8", "zh-Hant"), ("zh_MO", "zh-Hant"), ("zh-Hant-TW", "zh-Hant"),
     ("pt_MO.UTF-8", "pt"), ("pt_PT", "pt")],
)  # fmt: skip
def test_the_language_is_that_of_the_environment(locale: str, language: str) -> None:
    assert language_of({"LANG": locale}) == Language(language)
    assert language_of({"LANG": "en_GB", "LC_ALL": locale or "C"}) == Language(language)
