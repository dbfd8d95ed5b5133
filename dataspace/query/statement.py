"""The caller's text to one bounded syntax tree. The only place that runs the SQL parser.

SECURITY: the parser is a third party's and goes back and tries again, so that a short text
may cost it minutes. Its steps are counted here, and a text that needs too many is refused.
Reads no meaning: `parse` does.
"""

from __future__ import annotations

import logging

from sqlglot import Dialect, ErrorLevel, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from dataspace.errors import Malformed, Place

MAX_LENGTH = 8_000
MAX_TOKENS = 2_000
MAX_BRACKETS = 40
MAX_DEPTH = 100
STEPS_PER_TOKEN = 8

# SECURITY: sqlglot warns about what it cannot parse by quoting it; queries stay out of logs.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

# What no statement of the language holds. Most are refused again by the visitor; here they
# never reach the parser, where nested brackets cost the most.
_FOREIGN = {
    TokenType.L_BRACE, TokenType.R_BRACE,
    TokenType.ARROW, TokenType.DARROW, TokenType.FARROW, TokenType.COLON, TokenType.COLON_EQ,
    TokenType.PARAMETER, TokenType.PLACEHOLDER, TokenType.SESSION_PARAMETER, TokenType.DOLLAR,
    TokenType.HEX_STRING, TokenType.BIT_STRING, TokenType.BYTE_STRING, TokenType.RAW_STRING,
    TokenType.NATIONAL_STRING, TokenType.UNICODE_STRING, TokenType.HEREDOC_STRING,
}  # fmt: skip

# What may hold other letters; names and numbers are held against their forms later.
_WRITTEN = {TokenType.STRING, TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER}


class _CountedParser(DuckDBParser):
    """The dialect's parser, which gives up after so many steps."""

    steps_left = 0

    def _advance(self, times: int = 1) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise Malformed("the query is too hard to read; write it more plainly", code="too-hard")
        super()._advance(times)


def read_statement(sql: str) -> exp.Expr:
    """The syntax tree of exactly one statement. Raises `Malformed`, with a place if known."""
    _check_text(sql)
    tokens = _tokens(sql)
    parser = _CountedParser(error_level=ErrorLevel.IMMEDIATE, dialect=_dialect())
    parser.steps_left = STEPS_PER_TOKEN * len(tokens) + 200
    try:
        statements = [each for each in parser.parse(tokens, sql) if each is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line, column = first.get("line"), first.get("col")
        place = Place(int(line), int(column)) if line and column else None
        raise Malformed("this is not SQL that can be read", code="syntax", place=place) from None
    except (Malformed, RecursionError):
        raise
    except Exception:
        # A parser's fault over a stranger's text is an answer about the text.
        raise Malformed("this is not SQL that can be read", code="syntax") from None
    if len(statements) != 1:
        raise Malformed("ask with exactly one SELECT statement", code="one-statement")
    _check_depth(statements[0])
    return statements[0]


def _dialect() -> Dialect:
    return Dialect.get_or_raise("duckdb")


def _check_text(sql: str) -> None:
    if len(sql) > MAX_LENGTH:
        raise Malformed(f"the query is longer than {MAX_LENGTH} characters", code="too-long")
    if any(ord(c) < 32 and c not in "\t\r\n" for c in sql):
        raise Malformed("the query holds control characters", code="control-character")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in sql):
        raise Malformed("the query is not valid Unicode", code="control-character")


def _tokens(sql: str) -> list[Token]:
    try:
        tokens: list[Token] = _dialect().tokenize(sql)
    except TokenError:
        raise Malformed("a quote or comment is not closed", code="syntax") from None
    if len(tokens) > MAX_TOKENS:
        raise Malformed(f"the query has more than {MAX_TOKENS} words", code="too-long")
    depth = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        kind = token.token_type
        if token.comments:
            raise _at(
                sql, token, "comments are not in the language; send the query alone", "comment"
            )
        if kind in _FOREIGN:
            raise _at(sql, token, "this sign is not in the language", "unlisted")
        if before is not None and kind is before.token_type is TokenType.STRING:
            raise _at(sql, token, "two texts stand side by side", "syntax")
        if before is not None and kind is before.token_type is TokenType.L_BRACKET:
            raise _at(sql, token, "this sign is not in the language", "unlisted")
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth > MAX_BRACKETS:
            raise _at(
                sql, token, f"the query nests deeper than {MAX_BRACKETS} brackets", "too-deep"
            )
    _check_letters(sql, tokens)
    return tokens


def _check_letters(sql: str, tokens: list[Token]) -> None:
    # SECURITY: to a parser ſelect is SELECT, and there are blanks that nobody sees.
    end = 0
    for token in tokens:
        foreign = token.token_type not in _WRITTEN and not token.text.isascii()
        if foreign or not sql[end : token.start].isascii():
            raise _at(sql, token, "words and blanks are plain ones", "identifier")
        end = token.end + 1
    if not sql[end:].isascii():
        raise Malformed("words and blanks are plain ones", code="identifier")


def _at(sql: str, token: Token, message: str, code: str) -> Malformed:
    return Malformed(message, code=code, place=place_of(sql, token.start))


def place_of(sql: str, start: int) -> Place:
    """Line and column (from 1) of a character of the text."""
    before = sql[:start]
    return Place(before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1)


def _check_depth(root: exp.Expr) -> None:
    """INVARIANT: no tree is deeper than what every later reader can recurse through."""
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed("the query is nested too deeply", code="too-deep")
        level = [child for node in level for child in node.iter_expressions()]
