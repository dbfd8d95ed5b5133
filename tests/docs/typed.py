"""Commands of a document, typed word for word into one shell, in a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import Block, blocks, commands
from tests.spaces import Ran

HOME = "/tmp/gba"
_MARK = "--- done"


@dataclass(frozen=True)
class Session:
    """README.md's commands: the first one sets the shell up, and is typed before any other."""

    home: Path

    def type(self, *lines: str) -> dict[str, Ran]:
        """What each line came to, typed one after another."""
        setting, script = readme_commands()[0], ""
        for line in (setting, *lines):
            script += f"{line}\ncode=$?; echo '{_MARK}' $code; echo '{_MARK}' >&2\n"
        names = {name: value for name, value in os.environ.items() if not name.startswith("GBA_")}
        done = subprocess.run(
            ["bash", "-c", script.replace(HOME, str(self.home))],
            env=names | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=280, check=True,
        )  # fmt: skip
        first, *pieces = done.stdout.split(f"{_MARK} ")
        outs = [first, *(piece.partition("\n")[2] for piece in pieces[:-1])]
        codes = [int(piece.splitlines()[0]) for piece in pieces]
        errors = done.stderr.split(f"{_MARK}\n")[:-1]
        ran = [Ran(*each) for each in zip(codes, outs, errors, strict=True)]
        return dict(zip(lines, ran[1:], strict=True))

    def type_guide(self, document: str, words: str = "") -> dict[str, Ran]:
        """What a document's console commands came to, of blocks with these words; none failed."""
        lines = [
            line
            for block in blocks(document)
            if block.language == "console" and words in block.text
            for line in commands(block)
        ]
        ran = self.type(*lines)
        for line, came in ran.items():
            assert came.code == 0, f"{line}: {came.err}"
        return ran


def readme_block(words: str) -> Block:
    """The one block of README.md that holds these words."""
    (found,) = [block for block in blocks("README.md") if words in block.text]
    return found


def readme_commands() -> list[str]:
    """README.md's tour, from the setting of the shell to the end of the space."""
    return commands(readme_block("gba space init"))
