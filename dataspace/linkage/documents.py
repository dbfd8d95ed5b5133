"""Identity documents: what a number must look like, and its one normal form.

ric       area(6) birth(8) sequence(3) check         GB 11643, check by ISO 7064 MOD 11-2;
          area(6) birth(6) sequence(3) before 1999-10 also residence permits (area 81, 82, 83)
hkid      [A-Z]{1,2} digits(6) check                 weights 9..2, modulo 11; `A` stands for 10
bir       1|5|7 digits(7)                            Macao publishes no check rule
mtp       H|M digits(8), HA|MA digits(7)             the holder's number, kept for life;
          ... digits(2) before 2013                  how often it was renewed: left out
passport  [A-Z0-9]{5,15} with a digit                no check: countries differ
other_id  [A-Z0-9]{3,40}                             whatever else a number is given by

Sources: GB 11643-1999; ISO/IEC 7064; the Ministry of Public Security's rule for travel
permits (2010), and the 2024 notice on permits for holders who are not Chinese citizens.
Whether a document was ever issued, or to whom, is not known here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import mul

from stdnum.iso7064 import mod_11_2

from dataspace.errors import Malformed
from dataspace.linkage.plain_text import folded_number

RIC_NEW, RIC_OLD = 18, 15
_CENTENARIANS = frozenset({"996", "997", "998", "999"})
"""Sequence numbers that 15-digit cards kept for people born before 1900."""
_RIC = re.compile(r"[1-9][0-9]{14}([0-9]{2}[0-9X])?", re.ASCII)
_HKID = re.compile(r"[A-Z]{1,2}[0-9]{6}[0-9A]", re.ASCII)
_BIR = re.compile(r"[157][0-9]{7}", re.ASCII)
_MTP = re.compile(r"([HM](?:[0-9]{8}|A[0-9]{7}))([0-9]{2})?", re.ASCII)
_PASSPORT = re.compile(r"(?=.*[0-9])[A-Z0-9]{5,15}", re.ASCII)
_OTHER = re.compile(r"[A-Z0-9]{3,40}", re.ASCII)

_HKID_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, 1)
_HKID_VALUES = {sign: at for at, sign in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ ")}


class _Wrong(Exception):
    """Why a number is none; never holds the number."""


@dataclass(frozen=True)
class Document:
    """One document of a person. `number` is normalised when the value is made.

    Raises `Malformed` (code `document-kind` or `document`). SECURITY: no message, nor the
    `repr`, holds the number: both end up in logs.
    """

    kind: str
    number: str

    def __post_init__(self) -> None:
        if self.kind not in DOCUMENT_KINDS:
            raise Malformed(
                f"there is no such kind of document; choose one of {', '.join(DOCUMENT_KINDS)}",
                code="document-kind",
            )
        try:
            number = _RULES[self.kind](folded_number(self.number))
        except _Wrong as wrong:
            raise Malformed(
                f"this is no {self.kind}: {wrong}; read it off the document again",
                code="document",
            ) from None
        object.__setattr__(self, "number", number)

    @classmethod
    def parse(cls, text: str) -> Document:
        """From `kind:number`, as `hkid:A123456(3)`. Raises `Malformed`."""
        kind, colon, number = text.partition(":")
        if not colon:
            raise Malformed(
                "a document is written kind:number, as hkid:…; "
                f"kinds are {', '.join(DOCUMENT_KINDS)}",
                code="document",
            )
        return cls(kind.strip().lower(), number)

    @property
    def canonical(self) -> bytes:
        """The one spelling: what is hashed, and what a table of documents is made of."""
        return canonical(self.kind, self.number)

    def __repr__(self) -> str:
        return f"Document({self.kind}, …)"


def canonical(kind: str, normal: str) -> bytes:
    """The one spelling of a document whose number is in its normal form."""
    return f"{kind}:{normal}".encode()


def normal_number(kind: str, text: str) -> str | None:
    """The normal form of a number of one of `DOCUMENT_KINDS`, None for what is none."""
    try:
        return _RULES[kind](folded_number(text))
    except _Wrong:
        return None


def _ric(number: str) -> str:
    if not _RIC.fullmatch(number):
        raise _Wrong("15 digits are needed, or 17 and a digit or X")
    if len(number) == RIC_NEW:
        _birth(number[6:14])
        if not mod_11_2.is_valid(number):
            raise _Wrong("the check digit does not fit")
        return number
    if number[12:] in _CENTENARIANS:
        # Born in 18xx: nothing says that a new card kept this sequence, so it keeps its form.
        _birth("18" + number[6:12])
        return number
    _birth("19" + number[6:12])
    longer = f"{number[:6]}19{number[6:]}"
    return longer + mod_11_2.calc_check_digit(longer)


def _birth(digits: str) -> None:
    try:
        born = datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        born = None
    if born is None or not 1800 <= born.year < 2100:
        raise _Wrong("its birth date is no date")


def _hkid(number: str) -> str:
    if not _HKID.fullmatch(number):
        raise _Wrong("one or two letters, six digits and the check digit are needed")
    values = map(_HKID_VALUES.__getitem__, number.rjust(9))
    if sum(map(mul, values, _HKID_WEIGHTS)) % 11:
        raise _Wrong("the check digit does not fit")
    return number


def _bir(number: str) -> str:
    if not _BIR.fullmatch(number):
        raise _Wrong("eight digits are needed, the first a 1, 5 or 7")
    return number


def _mtp(number: str) -> str:
    found = _MTP.fullmatch(number)
    if not found:
        raise _Wrong("H or M and eight digits are needed, or ten on an old permit")
    return found[1]


def _passport(number: str) -> str:
    if not _PASSPORT.fullmatch(number) or len(set(number)) == 1:
        raise _Wrong("5 to 15 letters and digits are needed")
    return number


def _other(number: str) -> str:
    if not _OTHER.fullmatch(number) or len(set(number)) == 1:
        raise _Wrong("3 to 40 letters and digits are needed")
    return number


_RULES: dict[str, Callable[[str], str]] = {
    "ric": _ric,
    "hkid": _hkid,
    "bir": _bir,
    "mtp": _mtp,
    "passport": _passport,
    "other_id": _other,
}
DOCUMENT_KINDS = tuple(_RULES)
