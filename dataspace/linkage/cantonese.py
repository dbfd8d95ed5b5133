"""The sound of a Cantonese syllable, however it is spelled.

Jyutping, Hong Kong's usual romanisation and Macao's Portuguese-style one come to one coarse
class: `zoeng`, `Cheung`, `Cheong` -> `ceung`. Coarser than any of them: each leaves out
distinctions that another makes (b from p, length of vowels, tones). Knows no characters.
"""

from __future__ import annotations

import re
from functools import cache

from dataspace.linkage.syllables import JYUTPING

_WHOLE = {"tsz": "ci", "tze": "ci", "sze": "si", "sz": "si", "m": "m", "ng": "ng", "hm": "hm"}
_INITIALS = {
    "kw": "kw", "gw": "kw", "ng": "ng", "ts": "c", "tz": "c", "ch": "c", "sh": "s", "sz": "s",
    "c": "c", "z": "c", "s": "s", "k": "k", "g": "k", "b": "p", "p": "p", "d": "t", "t": "t",
    "m": "m", "f": "f", "n": "n", "l": "l", "h": "h", "w": "w", "v": "w", "j": "j", "y": "j",
}  # fmt: skip
_FINALS = {
    spelling: final
    for final, spellings in {
        "a": "a aa ah ar", "ai": "ai aai ay", "au": "au aau ao ow", "am": "am aam um",
        "an": "an aan", "ang": "ang aang", "ap": "ap aap", "at": "at aat", "ak": "ak aak",
        "e": "e eh", "i": "i ei ee y", "ing": "ing eng eang", "ik": "ik ek", "im": "im",
        "in": "in een", "ip": "ip", "it": "it", "iu": "iu io ieu", "o": "o ou oh aw",
        "oi": "oi oy ui eoi ooi", "un": "un on eon yun uen oon", "ut": "ut ot eot yut uet oot",
        "ong": "ong ung", "ok": "ok uk", "eung": "eung eong oeng", "euk": "euk eok oek",
        "u": "u yu ue oo",
    }.items()
    for spelling in spellings.split()
}  # fmt: skip
_ALIKE = {"can": "cun"}
"""珍 and 振 are `Chun` in Hong Kong and `Chan` in Macao."""
_LONGEST = 6


@cache
def sound(spelling: str) -> str | None:
    """The class of one syllable (lower-case ASCII letters), None where it is none."""
    found = _sound(spelling)
    return found if found in _classes() else None


@cache
def split(word: str) -> tuple[str, ...] | None:
    """A word of several syllables, as their classes; the longest first. None if it is none."""
    if (whole := sound(word)) is not None:
        return (whole,)
    for cut in range(min(_LONGEST, len(word) - 1), 0, -1):
        head, tail = sound(word[:cut]), word[cut:]
        if head is not None and (rest := split(tail)) is not None:
            return (head, *rest)
    return None


@cache
def _classes() -> frozenset[str]:
    return frozenset(found for one in JYUTPING.split() if (found := _sound(one)) is not None)


def _sound(spelling: str) -> str | None:
    if spelling in _WHOLE:
        return _WHOLE[spelling]
    initial, final = _parted(spelling)
    if final not in _FINALS:
        return None
    found = initial + _FINALS[final]
    return _ALIKE.get(found, found)


def _parted(spelling: str) -> tuple[str, str]:
    if re.match(r"ku[ao]", spelling):  # Macao: Kuok, Kuan
        return "kw", spelling[2:]
    if re.match(r"i[aeo]+[a-z]", spelling):  # Macao: Ieong, Ian, Iok
        return "j", spelling[1:]
    if re.match(r"i|u(?!ng|k)", spelling):  # Macao: Ip, In, I; Un, U
        return "j", spelling
    for width in (2, 1):
        if spelling[:width] in _INITIALS:
            return _INITIALS[spelling[:width]], spelling[width:]
    return "", spelling
