"""One normal form for each kind of field, plain and fuzzy. What has none yields no key.

Kinds are those of `dataspace.query.product.LINKAGE_FIELDS`; `kind~` is the fuzzy form.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable
from functools import partial

import jellyfish

from dataspace.linkage import names
from dataspace.linkage.documents import DOCUMENT_KINDS, normal_number
from dataspace.linkage.plain_text import folded, folded_number, unaccented
from dataspace.linkage.script import simplified

Form = Callable[[str], str | None]

_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")
_DAY_FIRST = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")
_SEXES = {
    word: sex
    for sex, words in {
        "m": "m male man 男 男性 1 masculino masc homem h",
        "f": "f female woman 女 女性 2 feminino fem mulher",
    }.items()
    for word in words.split()
}


def name(text: str) -> str | None:
    """A name as it is written, in one script, width and case; signs left out."""
    return simplified(folded(simplified(folded(text)))) or None


def birth_date(text: str) -> str | None:
    """`yyyymmdd`, from ISO, compact, Chinese or day-first form. None for what is no date.

    Day first, as both cities write: `03/04/1950` is the third of April.
    """
    try:
        born = datetime.date(*_date_parts(_date_text(text)))
    except (TypeError, ValueError):
        return None
    return f"{born:%Y%m%d}" if 1800 <= born.year < 2100 else None


def sex(text: str) -> str | None:
    """`m` or `f`; None for anything else, which identifies nobody."""
    return _SEXES.get(folded(text))


def code(text: str) -> str | None:
    """A postcode: letters and digits."""
    return folded(text) or None


def address(text: str) -> str | None:
    """An address as it is written, in one script, width and case; signs left out."""
    return name(text)


def sorted_number(kind: str, text: str) -> str | None:
    """Its letters and digits, sorted: the same for exchanged digits. Check digits aside."""
    whole = normal_number(kind, text) or folded_number(text)
    return _sorted(whole) if len(whole) >= 3 else None


def sorted_date(text: str) -> str | None:
    """Its eight digits, sorted: day and month, or any two digits, may be exchanged."""
    digits = birth_date(text) or "".join(re.findall("[0-9]", _date_text(text)))
    return _sorted(digits) if len(digits) == 8 else None


def sorted_code(text: str) -> str | None:
    """Its letters and digits, sorted."""
    return _sorted(folded(text)) or None


def sounded_address(text: str) -> str | None:
    """Numbers in order, then the metaphone of what is in Latin letters, else the characters."""
    whole = name(text)
    if whole is None:
        return None
    numbers = "-".join(re.findall("[0-9]+", whole))
    letters = re.sub("[0-9]", "", unaccented(whole))
    sound = jellyfish.metaphone(letters) if letters.isascii() else letters
    return f"{numbers}-{sound or letters}"


def _date_text(text: str) -> str:
    """In one width, without a time of day behind it."""
    return re.split("[T ]", unicodedata.normalize("NFKC", text).strip(), maxsplit=1)[0]


def _date_parts(text: str) -> tuple[int, ...]:
    """Year, month, day; nothing where the form is none of the known ones."""
    if found := _COMPACT.fullmatch(text) or _YEAR_FIRST.fullmatch(text):
        return tuple(map(int, found.groups()))
    found = _DAY_FIRST.fullmatch(text)
    return tuple(map(int, reversed(found.groups()))) if found else ()


def _sorted(text: str) -> str:
    return "".join(sorted(text))


PLAIN: dict[str, Form] = {
    **{kind: partial(normal_number, kind) for kind in DOCUMENT_KINDS},
    "full_name": name,
    "surname": name,
    "given_name": name,
    "birth_date": birth_date,
    "sex": sex,
    "postcode": code,
    "address": address,
}
FUZZY: dict[str, Form] = {
    **{kind: partial(sorted_number, kind) for kind in DOCUMENT_KINDS},
    "full_name": names.full_name,
    "surname": names.surname,
    "given_name": names.given_name,
    "birth_date": sorted_date,
    "postcode": sorted_code,
    "address": sounded_address,
}
