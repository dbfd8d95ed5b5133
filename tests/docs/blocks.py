"""Code blocks of the documents, as a reader would copy them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, the line where it begins, the heading above it."""

    language: str
    text: str
    line: int
    heading: str = ""

    def __str__(self) -> str:
        return f"line {self.line}"


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document under the root, in order."""
    text = (ROOT / document).read_text()
    return [
        Block(
            found.group(1), found.group(2), text.count("\n", 0, found.start()) + 2,
            _heading(text[: found.start()]),
        )
        for found in _BLOCK.finditer(text)
    ]  # fmt: skip


def _heading(before: str) -> str:
    """The last heading of a text; a comment in a block is none."""
    found = [each.group(1) for each in _HEADING.finditer(_BLOCK.sub("", before))]
    return found[-1] if found else ""


def commands(block: Block) -> list[str]:
    """The lines of a console block that are typed, without the prompt."""
    return [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
