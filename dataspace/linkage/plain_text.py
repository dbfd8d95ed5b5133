"""Text as people type it, folded to what it says: width, case, blanks, punctuation.

Script, romanisation and sound are folded elsewhere (`script`, `romanisation`, `names`).
"""

from __future__ import annotations

import re
import unicodedata

_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")
_BETWEEN_SIGNS = re.compile(r"[\s()\[\]{}<>〈〉《》「」【】〔〕.,/·_\-‐-―−⁃]+")


def folded(text: str) -> str:
    """Letters and digits alone, in one width (NFKC) and case. May be empty; idempotent."""
    return _settled(_NO_LETTER_OR_DIGIT.sub("", _settled(text)))


def folded_words(text: str) -> list[str]:
    """The same, word by word; blanks, hyphens and other signs part words."""
    return [word for word in map(folded, _NO_LETTER_OR_DIGIT.split(_settled(text))) if word]


def folded_number(text: str) -> str:
    """A document's number: upper case, without blanks, hyphens, brackets. Checks nothing."""
    wide = unicodedata.normalize("NFKC", text)
    return _BETWEEN_SIGNS.sub("", wide).upper()


def unaccented(text: str) -> str:
    """Without accents and other marks above or below letters: `Luís` -> `Luis`."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


def _settled(text: str) -> str:
    # Case folding can undo a composition, and composing can bring a new upper-case letter.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
