"""What columns and codes are called in the area's four written languages. Reads its own data.

For the standard products (labels.toml); whatever has no label is shown by its own name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from dataspace.errors import Malformed

LANGUAGES: Final = ("en", "zh-Hans", "zh-Hant", "pt")


def check_language(language: str) -> str:
    """The language, if it is one of the four. Raises `Malformed`."""
    if language not in LANGUAGES:
        raise Malformed(f"the language is one of {', '.join(LANGUAGES)}", code="language")
    return language


def word(name: str, language: str) -> str:
    """A word of the summary itself."""
    return str(_labels()["words"][name][LANGUAGES.index(language)])


def column_label(product: str, column: str, language: str) -> str:
    """What a column is called."""
    found = _labels()["columns"].get(f"{product}.{column}")
    return str(found[LANGUAGES.index(language)]) if found else column


def value_labels(product: str, column: str, value: object) -> Mapping[str, str]:
    """What a code is called, by language; empty where it has no name here."""
    found = _labels()["values"].get(f"{product}.{column}", {}).get(value)
    return dict(zip(LANGUAGES, found, strict=True)) if found else {}


def value_label(product: str, column: str, value: object, language: str) -> str:
    """What a code is called; empty where it has no name here."""
    return value_labels(product, column, value).get(language, "")


@cache
def _labels() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("labels.toml").read_text("utf-8"))
