"""A person in the audit index: a tag that only the log's owner can make. Pure.

    tag = HMAC-SHA256(the node's key, kind ":" number)      in hexadecimal

The key is kept outside the log, and a tag is kept only in bodies and in the index beside the
log: neither the log nor who copies it tells who was looked at. The document is normalised
first, so that one document has one tag: its kind, then its letters and digits alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from dataspace.errors import Malformed

KEY_BYTES: Final = 32

# Letters and digits that are left of a number once spaces, hyphens, brackets and slashes go.
_FORMS: Final = {
    "ric": re.compile(r"[0-9]{17}[0-9X]", re.ASCII),
    "hkid": re.compile(r"[A-Z]{1,2}[0-9]{6}[0-9A]", re.ASCII),
    "bir": re.compile(r"[157][0-9]{7}", re.ASCII),
    "mtp": re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?", re.ASCII),
    "passport": re.compile(r"[A-Z0-9]{5,20}", re.ASCII),
    "other_id": re.compile(r"[A-Z0-9]{3,40}", re.ASCII),
}
KINDS: Final = tuple(_FORMS)
_BETWEEN: Final = re.compile(r"[\s()/\-（）]")


@dataclass(frozen=True)
class Document:
    """An identity document. Raises `Malformed`, without the number, when it is none.

    SECURITY: shows nothing of the number when printed.
    """

    kind: str
    number: str

    def __post_init__(self) -> None:
        form = _FORMS.get(self.kind)
        if form is None:
            raise Malformed(f"a document's kind is one of {', '.join(_FORMS)}", code="document")
        if not form.fullmatch(self.number):
            raise _wrong(self.kind)
        # SECURITY: a mistyped number has a tag as well, under which nothing would be found.
        if self.kind == "ric" and _ric_check(self.number) != self.number[-1]:
            raise _wrong(self.kind)
        if self.kind == "hkid" and _hkid_check(self.number) != self.number[-1]:
            raise _wrong(self.kind)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read KIND:NUMBER, such as `hkid:A123456(3)`."""
        kind, colon, number = text.partition(":")
        if not colon:
            raise Malformed("write a document as KIND:NUMBER", code="document")
        return cls.of(kind.strip().lower(), number)

    @classmethod
    def of(cls, kind: str, number: str) -> Self:
        """The document of a kind, however its number is written."""
        return cls(kind, _BETWEEN.sub("", number).upper())

    def __repr__(self) -> str:
        return f"Document({self.kind})"

    @property
    def canonical(self) -> bytes:
        """One spelling of the document."""
        return f"{self.kind}:{self.number}".encode()


def subject_tag(key: bytes, document: Document) -> str:
    """The tag of one document under the 32 bytes of a node's key."""
    if len(key) != KEY_BYTES:
        raise ValueError("a subject key has 32 bytes")
    return hmac.new(key, document.canonical, hashlib.sha256).hexdigest()


def subject_tags(key: bytes, documents: Iterable[Document]) -> list[str]:
    """For a body's `subject_tags`: sorted, each once."""
    return sorted({subject_tag(key, each) for each in documents})


def _ric_check(number: str) -> str:
    """GB 11643-1999, ISO 7064 MOD 11-2."""
    total = sum(int(digit) * pow(2, 17 - at, 11) for at, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11]


def _hkid_check(number: str) -> str:
    letters = number[:-1].rjust(8)
    values = [36 if sign == " " else int(sign, 36) for sign in letters]
    rest = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True)) % 11
    return "0A987654321"[rest]


def _wrong(kind: str) -> Malformed:
    # The number itself stays out of the message.
    return Malformed(f"this is no {kind} number; look at its digits", code="document")
