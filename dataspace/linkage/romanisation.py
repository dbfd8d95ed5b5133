"""Latin spellings of Chinese names to sounds, whichever of three systems wrote them.

Nothing in a name says which system it is in. Apart (`Tai Man`) it is read as Cantonese where
every word is a Cantonese syllable; together (`Dawen`), or where a word can be no Cantonese,
as pinyin; otherwise as Cantonese written together (`Taiman`). What is none of these is not
taken for a Chinese name. Words are lower-case ASCII letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dataspace.linkage import cantonese, pinyin
from dataspace.linkage.syllables import SAME_FAMILY

_COMPOUND = {
    "ouyang": ("au", "joeng"), "auyeung": ("au", "joeng"), "aoieong": ("au", "joeng"),
    "auyong": ("au", "joeng"), "owyang": ("au", "joeng"), "situ": ("si", "tou"),
    "szeto": ("si", "tou"), "sitou": ("si", "tou"), "seto": ("si", "tou"),
    "zhuge": ("zyu", "got"), "chukot": ("zyu", "got"), "sima": ("si", "maa"),
    "szema": ("si", "maa"), "shangguan": ("soeng", "gun"), "sheungkoon": ("soeng", "gun"),
    "murong": ("mou", "jung"), "moyung": ("mou", "jung"), "ximen": ("sai", "mun"),
}  # fmt: skip
_MAINLAND = re.compile(r"zh|[bdgqxr]")
"""How no spelling of Hong Kong or Macao begins."""
_RATHER_MAINLAND = re.compile(r"[bdgjqxrz]|c[^h]")
"""The same, or how only Jyutping does, which nobody's papers are written in."""
_AS_CANTONESE = frozenset({"lei", "pang", "wan", "kong", "yan", "tong", "hong", "chang"})
"""Family names that are frequent in both cities and seldom meant as pinyin."""
_SAME_FAMILY = dict(entry.split(":") for entry in SAME_FAMILY.split())


def given(words: Sequence[str]) -> tuple[str, ...] | None:
    """Sounds of the syllables of a given name, in order; None if it is no Chinese one."""
    found = [cantonese.sound(word) for word in words]
    apart = [sound for sound in found if sound is not None]
    if len(apart) == len(words) and not any(map(_RATHER_MAINLAND.match, words)):
        return tuple(apart)
    if all(map(pinyin.split, words)):
        return tuple(pinyin.given(one) for word in words for one in pinyin.split(word) or ())
    if all(map(cantonese.split, words)):
        return tuple(one for word in words for one in cantonese.split(word) or ())
    return None


def family(words: Sequence[str]) -> tuple[str, ...] | None:
    """Sounds of a family name: one syllable, or a known compound; None if it is none."""
    whole = "".join(words)
    if whole in _COMPOUND:
        return tuple(filter(None, map(cantonese.sound, _COMPOUND[whole])))
    if len(words) != 1:
        return None
    found, syllables = cantonese.sound(whole), pinyin.split(whole) or ()
    likely = pinyin.is_family(whole) and whole not in _AS_CANTONESE
    if len(syllables) == 1 and (found is None or likely or _MAINLAND.match(whole)):
        return (same_family(pinyin.family(whole)),)
    return (same_family(found),) if found is not None else None


def same_family(sound: str) -> str:
    """One sound for family names that share a spelling (see `SAME_FAMILY`)."""
    return _SAME_FAMILY.get(sound, sound)
