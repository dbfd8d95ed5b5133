"""HMAC-SHA256 over whole columns, as SQL for DuckDB. Renders text; runs nothing.

DuckDB has SHA-256 and no HMAC. Its `sha256` gives hexadecimal text, so the inner hash is read
back into bytes; RFC 2104's two first blocks come as parameters and are never in the text.
"""

from __future__ import annotations


def hmac_expression(column: str, inner: str, outer: str) -> str:
    """SQL for the 32-byte tags (BLOB) of a BLOB expression; NULL where it is NULL.

    `column` is SQL that the caller rendered, of quoted names; `inner` and `outer` are the names
    of parameters that hold `Pads.inner` and `Pads.outer`.
    """
    for name in (inner, outer):
        if not (name.isascii() and name.isidentifier()):
            raise ValueError("a parameter's name is an identifier")
    digest = f"unhex(sha256(${inner}::BLOB || ({column})))"
    return f"unhex(sha256(${outer}::BLOB || {digest}))"
