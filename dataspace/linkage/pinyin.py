"""Hanyu pinyin: words into syllables, syllables to their likeliest Cantonese sound.

Tones are not told apart. One pinyin syllable stands for characters of several Cantonese
sounds; only the likeliest is given, so that pinyin alone meets Cantonese alone often, not
always. Characters, which the mainland's records have, need no such guess.
"""

from __future__ import annotations

from functools import cache

from dataspace.linkage import cantonese
from dataspace.linkage.syllables import FAMILY, GIVEN

_LONGEST = 6


@cache
def split(word: str) -> tuple[str, ...] | None:
    """`jiahui` -> (`jia`, `hui`); lower-case ASCII letters. None if it is no pinyin."""
    if word in _table(GIVEN):
        return (word,)
    for cut in range(min(_LONGEST, len(word) - 1), 0, -1):
        head, tail = word[:cut], word[cut:]
        # Pinyin writes an apostrophe before a syllable that begins with a vowel.
        if head not in _table(GIVEN) or tail[0] in "aeo":
            continue
        if (rest := split(tail)) is not None:
            return (head, *rest)
    return None


def given(syllable: str) -> str:
    """The Cantonese sound of a syllable of `split`, in a given name."""
    return _table(GIVEN)[syllable]


def family(syllable: str) -> str:
    """The same, as a family name."""
    return _table(FAMILY).get(syllable) or given(syllable)


def is_family(syllable: str) -> bool:
    """Whether this is how pinyin writes one of the frequent family names."""
    return syllable in _table(FAMILY)


@cache
def _table(text: str) -> dict[str, str]:
    pairs = (entry.split(":") for entry in text.split())
    return {syllable: cantonese.sound(reading) or reading for syllable, reading in pairs}
