"""Identity documents: numbers and check digits, in whole columns. Validates nothing.

ric   area(6) birth(8) sequence(3, odd for men) check    GB 11643, ISO 7064 MOD 11-2
hkid  [A-Z]{1,2} digits(6) ( check )                     weights 9..2, modulo 11
bir   1|5|7 digits(6) ( digit )                          Macao publishes no check rule
mtp   H|M digits(8)                                      the travel permit's holder number
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataspace.synthetic.arrays import ZERO, Bools, Glyphs, Ints, digits, fixed_text, glyphs
from dataspace.synthetic.places import AREA_CODES

RIC_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)
RIC_CHECKS = "10X98765432"
HKID_PREFIXES = (*(f" {letter}" for letter in "ABCDEGHKMPRSVYZ"), "WX", "XA", "XG")
HKID_WEIGHTS = np.array([9, 8, 7, 6, 5, 4, 3, 2], dtype=np.int64)
HKID_CHECKS = "0123456789A"
HKID_SPACE = 36
BIR_LEADS = "157"

MULTIPLIER = 6_180_339_887
"""INVARIANT: coprime to 2, 3 and 5, hence to every `modulus` below: serials never repeat."""


@dataclass(frozen=True)
class Offsets:
    """Where the serials of a space begin, one for each kind of card."""

    hkid: int
    bir: int
    mtp: int


def draw_offsets(rng: np.random.Generator) -> Offsets:
    """The same for all regions of a space."""
    return Offsets(*(int(start) for start in rng.integers(10**8, size=3)))


def serial(index: Ints, modulus: int, offset: int) -> Ints:
    """Scatter distinct indices below `modulus`; distinct in, distinct out."""
    return (index * (MULTIPLIER % modulus) + offset) % modulus


def ric(area: Ints, birth: Ints, sequence: Ints, male: Bools) -> pa.Array:
    """Mainland numbers; `birth` is yyyymmdd, `sequence` 0 to 499."""
    body = np.concatenate(
        (
            digits(np.array(AREA_CODES, dtype=np.int64)[area], 6),
            digits(birth, 8),
            digits(2 * sequence + male, 3),
        ),
        axis=1,
    )
    remainder = (body.astype(np.int64) - ZERO) @ RIC_WEIGHTS % 11
    return fixed_text(body, glyphs(RIC_CHECKS, remainder))


def hkid(index: Ints, offset: int) -> pa.Array:
    """Hong Kong numbers as printed on the card, `A123456(3)`."""
    number = serial(index, len(HKID_PREFIXES) * 10**6, offset)
    prefixes = np.array([list(p.encode()) for p in HKID_PREFIXES], dtype=np.uint8)
    prefix, tail = prefixes[number // 10**6], digits(number % 10**6, 6)
    check = -(_hkid_values(prefix, tail) @ HKID_WEIGHTS) % 11
    padded = fixed_text(prefix, tail, _bracketed(glyphs(HKID_CHECKS, check)))
    return pc.ascii_ltrim_whitespace(padded)


def bir(index: Ints, offset: int) -> pa.Array:
    """Macao numbers as printed on the card, `1234567(8)`."""
    number = serial(index, len(BIR_LEADS) * 10**6, offset)
    lead, last = glyphs(BIR_LEADS, number // 10**6), digits(number % 97 % 10, 1)
    return fixed_text(lead, digits(number % 10**6, 6), _bracketed(last))


def mtp(index: Ints, offset: int, macao: Bools) -> pa.Array:
    """Mainland Travel Permit numbers: `H` for Hong Kong, `M` for Macao, eight digits."""
    return fixed_text(glyphs("HM", macao.astype(np.int64)), digits(serial(index, 10**8, offset), 8))


def _hkid_values(prefix: Glyphs, tail: Glyphs) -> Ints:
    letters = prefix.astype(np.int64)
    letters = np.where(letters == ord(" "), HKID_SPACE, letters - ord("A") + 10)
    return np.concatenate((letters, tail.astype(np.int64) - ZERO), axis=1)


def _bracketed(mark: Glyphs) -> Glyphs:
    rows = (mark.shape[0], 1)
    left, right = (np.full(rows, ord(sign), dtype=np.uint8) for sign in "()")
    return np.concatenate((left, mark, right), axis=1)
