"""Parameters of a question: each `?` becomes a constant of the text. Pure.

A signed question is one text, so that a parameter is written into it. The text is parsed
by every gate all the same, and a constant stays a constant there.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import sqlglot
from sqlglot.errors import SqlglotError

from dataspace.client.driver_errors import DataError, InterfaceError, ProgrammingError

Parameter = (
    bool | int | float | str | Decimal | datetime.date | datetime.datetime | np.generic | None
)


def write_parameters(operation: str, parameters: Sequence[Parameter]) -> str:
    """The text with each `?` outside of texts and comments replaced by a constant."""
    if isinstance(parameters, Mapping | str | bytes):
        raise InterfaceError("parameters are a sequence, one for each ?")
    places = _places(operation)
    if len(places) != len(parameters):
        raise ProgrammingError(f"{len(places)} places for {len(parameters)} parameters")
    text = operation
    for place, value in reversed(list(zip(places, parameters, strict=True))):
        # SECURITY: blanks around it, or what stands next to the ? would become one with the
        # constant: E? an escaped text, 'a'? a longer one, -? the beginning of a comment.
        text = f"{text[:place]} {_constant(value)} {text[place + 1 :]}"
    return text


def _places(operation: str) -> list[int]:
    if "?" not in operation:
        return []
    try:
        tokens = sqlglot.tokenize(operation, read="duckdb")
    except SqlglotError:
        raise ProgrammingError("a quote or comment is not closed") from None
    return [token.start for token in tokens if token.token_type.name == "PLACEHOLDER"]


def _constant(value: Parameter) -> str:
    # SECURITY: by the base types' own methods, since a subclass may write itself in any form.
    match value:
        case None:
            return "NULL"
        case bool() | np.bool_():
            return "TRUE" if value else "FALSE"
        case int() | np.integer():
            return _signed(int.__repr__(int(value)))
        case float() | np.floating():
            return _signed(_finite(float(value)))
        case Decimal():
            if not value.is_finite():
                raise DataError("a parameter is a finite number")
            return _signed(Decimal.__str__(value))
        case datetime.datetime():
            if value.tzinfo is not None:
                raise DataError("a moment has no time zone here; convert it before you ask")
            return f"TIMESTAMP {_quoted(value.isoformat(sep=' '))}"
        case datetime.date():
            return f"DATE {_quoted(value.isoformat())}"
        case str():
            return _quoted(value)
    raise InterfaceError(f"a parameter of type {type(value).__name__} is not supported")


def _signed(number: str) -> str:
    return f"({number})" if number.startswith("-") else number


def _finite(value: float) -> str:
    if not math.isfinite(value):
        raise DataError("a parameter is a finite number")
    return float.__repr__(value)


def _quoted(text: str) -> str:
    return "'" + str.replace(text, "'", "''") + "'"
