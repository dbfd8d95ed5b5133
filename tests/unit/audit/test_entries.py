from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.entries import MAX_ENTRY_BYTES, Entry, commitment
from dataspace.errors import Malformed, Unverified

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.integers(0, 2**53 - 1))
def test_an_entry_equals_what_is_read_back_of_it(fields: dict[str, Any], at_ms: int) -> None:
    entry = Entry("query.released", at_ms, fields)
    assert Entry.from_bytes(entry.to_bytes()) == entry


def test_the_canonical_text_is_fixed() -> None:
    fields: dict[str, Any] = {"z": 1, "a": [True, None, "政\n"], "€": {}, "\U0001f600": 0}
    text = '{"at_ms":7,"fields":{"a":[true,null,"政\\n"],"z":1,"€":{},"\U0001f600":0},"kind":"a.b"}'
    assert Entry("a.b", 7, fields).to_bytes().decode() == text


def test_decimals_and_large_integers_are_written_as_strings() -> None:
    entry = Entry("a", 0, {"d": Decimal("1.50"), "e": Decimal("1E+3"), "i": 2**53, "j": 2**53 - 1})
    assert entry.fields == {"d": "1.50", "e": "1000", "i": "9007199254740992", "j": 2**53 - 1}


def test_an_entry_cannot_be_changed_once_made() -> None:
    inner = {"rows": [1]}
    fields = {"inner": inner}
    entry = Entry("a", 0, fields)
    inner["rows"].append(2)
    fields.clear()
    assert entry.fields == {"inner": {"rows": (1,)}}
    with pytest.raises(TypeError):
        entry.fields["inner"] = 1  # type: ignore[index]  # the promise under test


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), b"bytes", {1: 2}, {3}, Decimal("NaN"), "\udc80"]
)
def test_what_is_not_canonical_json_cannot_be_an_entry(value: Any) -> None:
    with pytest.raises(Malformed):
        Entry("a", 0, {"value": value})


@pytest.mark.parametrize(
    "kind", ["", "Query", "query.", ".query", "query decided", "q" * 65, "a\n"]
)
def test_a_kind_is_short_and_plain(kind: str) -> None:
    with pytest.raises(Malformed):
        Entry(kind, 0, {})


@pytest.mark.parametrize("at_ms", [-1, 2**53, True])
def test_a_time_is_milliseconds(at_ms: int) -> None:
    with pytest.raises(Malformed):
        Entry("a", at_ms, {})


def test_an_entry_is_at_most_60000_bytes() -> None:
    overhead = len(Entry("a", 0, {"t": ""}).to_bytes())
    largest = Entry("a", 0, {"t": "x" * (MAX_ENTRY_BYTES - overhead)})
    assert len(largest.to_bytes()) == MAX_ENTRY_BYTES
    with pytest.raises(Malformed):
        Entry("a", 0, {"t": "x" * (MAX_ENTRY_BYTES - overhead + 1)})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 30_000,
        b'{"at_ms":0,"fields":{},"kind":"a"} ',
        b' {"at_ms":0,"fields":{},"kind":"a"}',
        b'{"kind":"a","at_ms":0,"fields":{}}',
        b'{"at_ms":0,"fields":{},"kind":"a","more":1}',
        b'{"at_ms":0,"at_ms":0,"fields":{},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":1,"a":1},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":1.0},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":-0},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":1e3},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":NaN},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":9007199254740992},"kind":"a"}',
        b'{"at_ms":"0","fields":{},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":"\\u0061"},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":"\\/"},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":"\\ud800"},"kind":"a"}',
        b'{"at_ms":0,"fields":[],"kind":"a"}',
        b'{"at_ms":0,"fields":{},"kind":1}',
        b'{"at_ms":0,"fields":{},"kind":"A"}',
        b'{"at_ms":0,"fields":{"a":' + b"9" * 5000 + b'},"kind":"a"}',
        b'{"at_ms":0,"fields":{"a":"' + b"x" * MAX_ENTRY_BYTES + b'"},"kind":"a"}',
    ],
)
def test_an_entry_in_any_other_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(Unverified):
        Entry.from_bytes(data)


def test_a_commitment_is_sha256_over_salt_and_value() -> None:
    salt = bytes(range(32))
    assert commitment(salt, b"value") == hashlib.sha256(salt + b"value").digest()


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_salt_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(Malformed):
        commitment(bytes(length), b"value")
