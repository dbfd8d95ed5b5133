"""Names, drawn once a person and written as each region writes them.

Guangzhou: simplified, pinyin in one word (`Jiahui`). Hong Kong: traditional, the usual
Hong Kong romanisation (`Ka Wai`). Macao: traditional, the Portuguese-style one (`Ka Vai`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataspace.synthetic import name_tables
from dataspace.synthetic.arrays import Bools, Ints, labels, pick
from dataspace.synthetic.places import GUANGZHOU, HONGKONG

ONE_SYLLABLE_SHARE = 0.1
PORTUGUESE_SHARE = 0.03
"""Of those who live in Macao."""


@dataclass(frozen=True)
class Syllable:
    """One entry of a name table."""

    simplified: str
    traditional: str
    pinyin: str
    hongkong: str
    macao: str

    def native(self, region: int) -> str:
        """In the region's own script."""
        return self.simplified if region == GUANGZHOU else self.traditional

    def roman(self, region: int) -> str:
        """In the region's romanisation, as the table has it."""
        return (self.pinyin, self.hongkong, self.macao)[region]


def _parse(table: str) -> tuple[Syllable, ...]:
    lines = table.split("\n")[1:-1]
    return tuple(Syllable(*(word.replace("_", " ") for word in line.split())) for line in lines)


def _latin(names: tuple[str, ...]) -> tuple[Syllable, ...]:
    return tuple(Syllable(*(name,) * 5) for name in names)


_CHINESE = _parse(name_tables.SURNAMES)
SURNAMES = _CHINESE + _latin(name_tables.PORTUGUESE_SURNAMES)
_MENS, _EITHER, _WOMENS = map(_parse, (name_tables.MENS, name_tables.EITHER, name_tables.WOMENS))
_LATIN = _latin(name_tables.PORTUGUESE_MENS + name_tables.PORTUGUESE_WOMENS)
GIVEN = _MENS + _EITHER + _WOMENS + _LATIN
NO_SYLLABLE = len(GIVEN)

_LATIN_AT = len(GIVEN) - len(_LATIN)


@dataclass(frozen=True)
class Names:
    """A name a row: indices into `SURNAMES` and `GIVEN`; the second may be `NO_SYLLABLE`."""

    surname: Ints
    given: Ints
    second: Ints


def draw_names(rng: np.random.Generator, male: Bools, portuguese: Bools) -> Names:
    """Names for people of the given sex; surnames by a falling frequency."""
    rows = len(male)
    frequency = [1 / (rank + 3) for rank in range(len(_CHINESE))]
    latin_surname = len(_CHINESE) + rng.integers(len(SURNAMES) - len(_CHINESE), size=rows)
    half = len(_LATIN) // 2
    latin_given = _LATIN_AT + np.where(male, 0, half) + rng.integers(half, size=rows)
    second = np.where(rng.random(rows) < ONE_SYLLABLE_SHARE, NO_SYLLABLE, _given(rng, male))
    return Names(
        np.where(portuguese, latin_surname, pick(rng, frequency, rows)),
        np.where(portuguese, latin_given, _given(rng, male)),
        np.where(portuguese, NO_SYLLABLE, second),
    )


def miswritten(names: Names, wrong: Bools) -> Names:
    """`names` with a like-sounding character for the first given one, where `wrong`."""
    return Names(names.surname, np.where(wrong, _LIKE[names.given], names.given), names.second)


def surnames(names: Names, region: int) -> tuple[pa.Array, pa.Array]:
    """Surnames as the region writes them: native script, romanised."""
    native = labels([entry.native(region) for entry in SURNAMES], names.surname)
    return native, labels([entry.roman(region) for entry in SURNAMES], names.surname)


def given_names(names: Names, region: int) -> tuple[pa.Array, pa.Array]:
    """Given names as the region writes them: native script, romanised."""
    picks = names.given * (NO_SYLLABLE + 1) + names.second
    seconds = (*GIVEN, None)
    native = [_native(one, two, region) for one in GIVEN for two in seconds]
    roman = [_roman(one, two, region) for one in GIVEN for two in seconds]
    return labels(native, picks), labels(roman, picks)


def _given(rng: np.random.Generator, male: Bools) -> Ints:
    mens, womens = len(_MENS) + len(_EITHER), len(_EITHER) + len(_WOMENS)
    drawn = rng.random(len(male))
    return np.where(male, drawn * mens, len(_MENS) + drawn * womens).astype(np.int64)


def _native(one: Syllable, two: Syllable | None, region: int) -> str:
    return one.native(region) + (two.native(region) if two else "")


def _roman(one: Syllable, two: Syllable | None, region: int) -> str:
    first = one.roman(region).capitalize()
    if two is None:
        return first
    second = two.roman(region)
    return first + second if region == GUANGZHOU else f"{first} {second.capitalize()}"


def _like() -> Ints:
    """For each given syllable another one: of the same Hong Kong sound, else the next."""
    found = np.arange(1, len(GIVEN) + 1, dtype=np.int64) % len(GIVEN)
    for at, entry in enumerate(GIVEN):
        for other, candidate in enumerate(GIVEN):
            if other != at and candidate.roman(HONGKONG) == entry.roman(HONGKONG):
                found[at] = other
    return found


_LIKE = _like()
