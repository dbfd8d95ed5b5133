"""Code blocks of the documents, as a reader would copy them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the line where it begins."""

    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line}"


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document under the root, in order."""
    text = (ROOT / document).read_text()
    return [
        Block(found.group(1), found.group(2), text.count("\n", 0, found.start()) + 2)
        for found in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> list[str]:
    """The lines of a console block that are typed, without the prompt."""
    return [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
