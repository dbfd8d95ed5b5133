"""What the command line prints is JSON, with every digit of a decimal."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dataspace.cli.output import json_text

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(PLAIN)
def test_what_json_can_say_is_said_as_json_says_it(value: object) -> None:
    assert json_text(value) == json.dumps(value, ensure_ascii=False)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10))
def test_a_decimal_is_a_number_with_all_its_digits(value: Decimal) -> None:
    (read,) = json.loads(json_text([value]), parse_float=Decimal, parse_int=Decimal)
    assert read == value
