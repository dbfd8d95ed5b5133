"""Cedar text cut into its statements, each with the line where it begins. Judges nothing.

    text      = { blank | comment | statement }
    statement = { character | string | comment } ";"

Cedar writes `;` only at the end of a statement, and has `//` comments and `"…"` strings, so
three tokens are enough. Whoever parses a statement must find exactly one policy in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;', re.DOTALL)
_LEADING: Final = re.compile(r"(?:\s+|//[^\n]*)*")


@dataclass(frozen=True)
class Statement:
    """One policy's text, from its first annotation to its `;`, and that annotation's line."""

    text: str
    line: int


def statements(text: str) -> Iterator[Statement]:
    """The statements of a file in order; a last one without `;` comes out as it is."""
    start = 0
    for token in _TOKEN.finditer(text):
        if token.group() == ";":
            yield _statement(text, start, token.end())
            start = token.end()
    last = _statement(text, start, len(text))
    if last.text:
        yield last


def _statement(text: str, start: int, end: int) -> Statement:
    leading = _LEADING.match(text, start, end)
    begin = leading.end() if leading else start
    return Statement(text=text[begin:end], line=text.count("\n", 0, begin) + 1)
