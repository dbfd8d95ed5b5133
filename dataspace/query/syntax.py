"""What every reader of syntax nodes shares: places, plain identifiers, closed arguments."""

from __future__ import annotations

import re

from sqlglot import exp

from dataspace.errors import Malformed, Place
from dataspace.query.statement import place_of

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class SyntaxReader:
    """Knows the caller's text, so that it can name the place of what it refuses."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._starts: dict[int, int | None] = {}

    def place(self, node: exp.Expr) -> Place | None:
        """Line and column (from 1) where the node, or its first marked child, begins."""
        start = self._start(node)
        return None if start is None else place_of(self.sql, start)

    def _start(self, node: exp.Expr) -> int | None:
        """Remembered, so that naming the place of every node stays linear in the text."""
        if id(node) not in self._starts:
            below = [self._start(child) for child in node.iter_expressions()]
            marks = [mark for mark in [node.meta.get("start"), *below] if mark is not None]
            self._starts[id(node)] = min(marks, default=None)
        return self._starts[id(node)]

    def refuse(self, node: exp.Expr, message: str, code: str) -> Malformed:
        """The error for a node, with its place."""
        return Malformed(message, code=code, place=self.place(node))

    def only(self, node: exp.Expr, *names: str) -> None:
        """INVARIANT: no argument of a syntax node is passed over unread."""
        for name, value in node.args.items():
            if name not in names and value not in (None, False, []):
                raise self.refuse(
                    node, f"{_spoken(node)} with {name.strip('_')} is not in the language", "syntax"
                )

    def identifier(self, node: exp.Expr) -> str:
        """A plain name. Anything else, look-alike letters included, is refused."""
        if not isinstance(node, exp.Identifier):
            raise self.refuse(node, "a plain name is expected here", "identifier")
        name = str(node.this)
        # SECURITY: the Kelvin sign, say, becomes a plain k in lower case: ASCII comes first.
        name = name if node.args.get("quoted") or not name.isascii() else name.lower()
        if not _IDENTIFIER.fullmatch(name):
            raise self.refuse(
                node, "names are lower-case letters a-z, digits and underscores", "identifier"
            )
        return name

    def unlisted(self, node: exp.Expr) -> Malformed:
        """The error for a node whose class is in no table."""
        return self.refuse(node, f"{_spoken(node)} is not in the language", "unlisted")


def _spoken(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        name = str(node.this).lower()
        return f"function {name}()" if _IDENTIFIER.fullmatch(name) else "this function"
    if isinstance(node, exp.Func):
        return f"function {node.sql_name().lower()}()"
    return type(node).__name__.lower()
