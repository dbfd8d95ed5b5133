"""Fuzzy names: one key for a name in characters, in any romanisation, or as it sounds.

Chinese names come to Cantonese sounds (`c-can`, `c-taimun`), others to their metaphone
(`w-SMO`), whatever the script, accents, case and order. Plain names are `plain_text`'s.
Empty or unreadable text has no key. A Western name beside a Chinese one (`Peter Chan Tai
Man`) is not told from it, nor a Western name that is spelled like a Chinese one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import jellyfish

from dataspace.linkage import readings, romanisation
from dataspace.linkage.plain_text import folded, folded_words, unaccented
from dataspace.linkage.script import all_han, has_han, simplified
from dataspace.linkage.syllables import COMPOUND

_PARTICLES = frozenset({"da", "de", "do", "das", "dos", "e", "van", "von", "der", "den", "la"})


def surname(text: str) -> str | None:
    """The key of a family name."""
    return _chinese(_family(text)) or western(text)


def given_name(text: str) -> str | None:
    """The key of a given name."""
    return _chinese(_given(text)) or western(text)


def full_name(text: str) -> str | None:
    """The key of a whole name, in either order."""
    return full_name_of(*(_han_parted(_han(text)) if has_han(text) else _latin_parted(text)))


def full_name_of(family: str, given: str) -> str | None:
    """The same, of a name in two parts, whichever is which; None unless both are there."""
    ours, theirs = _family(family), _given(given)
    if ours and theirs:
        return _chinese(sorted(map(romanisation.same_family, (*ours, *theirs))))
    parts = western(family), western(given)
    return "+".join(sorted(part for part in parts if part)) if all(parts) else None


def western(text: str) -> str | None:
    """The metaphone of a name that is no Chinese one, without `da`, `dos`, `van`."""
    words = _latin(text)
    kept = [word for word in words if word not in _PARTICLES] or list(words)
    joined = "".join(kept)
    if not joined:
        return None
    return "w-" + (jellyfish.metaphone(joined) or joined)


def _chinese(sounds: Sequence[str] | None) -> str | None:
    return "c-" + "-".join(sounds) if sounds else None


def _family(text: str) -> tuple[str, ...] | None:
    """Sounds of a Chinese family name, None where it is none."""
    if not has_han(text):
        return romanisation.family(_latin(text))
    name = _han(text)
    if name in COMPOUND:
        return tuple(map(readings.given, name))
    return tuple(romanisation.same_family(readings.family(one)) for one in name)


def _given(text: str) -> tuple[str, ...] | None:
    """Sounds of a Chinese given name, None where it is none."""
    return tuple(map(readings.given, _han(text))) if has_han(text) else _spelled(text)


def _spelled(text: str) -> tuple[str, ...] | None:
    words = _latin(text)
    return romanisation.given(words) if words else None


def _han(text: str) -> str:
    return "".join(filter(all_han, simplified(folded(text))))


def _han_parted(name: str) -> tuple[str, str]:
    width = 2 if name[:2] in COMPOUND and len(name) > 2 else 1
    return name[:width], name[width:]


def _latin(text: str) -> list[str]:
    return folded_words(re.sub(r"[0-9]+", " ", unaccented(text)))


def _latin_parted(text: str) -> tuple[str, str]:
    """Family and given name: parted by a comma, told by capitals, else family first."""
    before, comma, after = text.partition(",")
    if comma:
        return before, after
    words = text.split()
    loud = [word for word in words if len(word) > 1 and word.isupper()]
    if loud and len(loud) < len(words):
        return " ".join(loud), " ".join(word for word in words if word not in loud)
    for width in (2, 1):
        head, tail = " ".join(words[:width]), " ".join(words[width:])
        if tail and romanisation.family(_latin(head)) and _spelled(tail):
            return head, tail
    return " ".join(words[-1:]), " ".join(words[:-1])
