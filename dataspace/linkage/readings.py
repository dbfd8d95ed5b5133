"""The Cantonese sound of Chinese characters, by ToJyutping.

Character by character, so that a part of a name sounds as it does within the whole. The
library is loaded on first use (0.7 s, 70 MB): spaces without fuzzy names never pay for it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from dataspace.linkage import cantonese
from dataspace.linkage.syllables import FAMILY_READINGS


@cache
def given(character: str) -> str:
    """The sound of a simplified character; the character itself where none is known."""
    reading = _library().get_jyutping_list(character)[0][1]
    syllable = reading.split()[0].rstrip("0123456789") if reading else ""
    return cantonese.sound(syllable) or character


@cache
def family(character: str) -> str:
    """The same, as a family name."""
    reading = FAMILY_READINGS.get(character)
    return (cantonese.sound(reading) if reading else None) or given(character)


@cache
def _library() -> Any:
    import ToJyutping  # noqa: PLC0415 (slow to load, and seldom needed)

    return ToJyutping
