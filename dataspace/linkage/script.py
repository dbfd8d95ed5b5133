"""Traditional and simplified characters as one: everything to simplified, by OpenCC.

`hk2s` knows Hong Kong's variants (衞, 裏) besides the standard traditional forms. Loaded
on first use (about 2 ms); reads its own tables only, never the network.
"""

from __future__ import annotations

import re
from functools import cache

from opencc import OpenCC

_HAN = re.compile(
    "[\u2e80-\u2fdf\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def has_han(text: str) -> bool:
    """Whether any character is Chinese."""
    return _HAN.search(text) is not None


def all_han(text: str) -> bool:
    """Whether every character is Chinese; false for an empty text."""
    return bool(text) and all(map(_HAN.match, text))


def simplified(text: str) -> str:
    """`text` with every Chinese character in its simplified form; idempotent.

    One by one, not by phrases: a part of a name must fold as it does within the whole.
    """
    return "".join(map(_simplified, text)) if has_han(text) else text


@cache
def _simplified(character: str) -> str:
    # A form may be two steps away: a Hong Kong variant of a traditional character.
    found: str = _converter().convert(_converter().convert(character))
    return found


@cache
def _converter() -> OpenCC:
    return OpenCC("hk2s")
