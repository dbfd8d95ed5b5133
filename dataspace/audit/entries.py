"""Entries of the audit log: canonical JSON, small, without values or identities. Pure.

    entry = JCS( { "at_ms": milliseconds since 1970, "fields": {...}, "kind": "a.b" } )

Canonical JSON is RFC 8785. Numbers are integers within ±(2^53 - 1); larger integers and
decimals are written as strings, floats are refused. At most 60,000 bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import NoReturn, TypeAlias

import rfc8785

from dataspace.errors import Malformed, Unverified

MAX_ENTRY_BYTES = 60_000
SALT_BYTES = 32
_MAX_INTEGER = 2**53 - 1
_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", re.ASCII)
_MAX_KIND = 64
_KEYS = {"at_ms", "fields", "kind"}

FieldValue: TypeAlias = (
    "str | int | bool | Decimal | Sequence[FieldValue] | Mapping[str, FieldValue] | None"
)


@dataclass(frozen=True)
class Entry:
    """One record: what happened (`query.decided`), when, and the digests and codes of it.

    Fields are frozen when the entry is made: lists become tuples, decimals and integers
    beyond 2^53 become strings, so that an entry equals what is read back of it.
    """

    kind: str
    at_ms: int
    fields: Mapping[str, FieldValue]
    _encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.kind) > _MAX_KIND or not _KIND.fullmatch(self.kind):
            raise Malformed("an entry's kind reads like query.decided", code="entry-kind")
        if isinstance(self.at_ms, bool) or not 0 <= self.at_ms <= _MAX_INTEGER:
            raise Malformed("an entry's time is in milliseconds since 1970", code="entry-time")
        frozen = _freeze(self.fields)
        object.__setattr__(self, "fields", frozen)
        object.__setattr__(self, "_encoded", _encode(self.kind, self.at_ms, frozen))

    def to_bytes(self) -> bytes:
        """The canonical bytes: what is hashed and kept."""
        return self._encoded

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """The entry in canonical bytes; `Unverified` for any other spelling of it."""
        if len(data) > MAX_ENTRY_BYTES:
            raise _unverified("is longer than 60,000 bytes")
        try:
            read = json.loads(data.decode(), parse_float=_refuse, parse_constant=_refuse)
            if not isinstance(read, dict) or read.keys() != _KEYS:
                raise _unverified("does not have exactly a kind, a time and fields")
            entry = cls(read["kind"], read["at_ms"], read["fields"])
        except (ValueError, TypeError, RecursionError, Malformed):
            raise _unverified("is not canonical JSON") from None
        # INVARIANT: one entry has one spelling, so that one digest stands for it.
        if entry.to_bytes() != data:
            raise _unverified("is not canonical JSON")
        return entry


def commitment(salt: bytes, value: bytes) -> bytes:
    """SHA-256(salt ‖ value). The salt is 32 fresh random bytes, kept with the value.

    Without the salt nobody can test guesses at the value; erasing both unbinds the entry.
    """
    if len(salt) != SALT_BYTES:
        raise Malformed("a commitment's salt has 32 bytes", code="salt")
    return hashlib.sha256(salt + value).digest()


def _freeze(value: object) -> FieldValue:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_INTEGER else str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, (list, tuple)):
        return tuple(map(_freeze, value))
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return MappingProxyType({key: _freeze(each) for key, each in value.items()})
    raise Malformed(
        f"an entry holds text, integers, decimals, lists and maps, not {type(value).__name__}",
        code="entry-value",
    )


def _thaw(value: FieldValue) -> object:
    """What the JSON library takes: plain dicts and lists."""
    if isinstance(value, Mapping):
        return {key: _thaw(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_thaw(each) for each in value]
    return value


def _encode(kind: str, at_ms: int, fields: FieldValue) -> bytes:
    if not isinstance(fields, Mapping):
        raise Malformed("an entry's fields are a map", code="entry-value")
    content = {"at_ms": at_ms, "fields": _thaw(fields), "kind": kind}
    try:
        encoded = rfc8785.dumps(content)  # type: ignore[arg-type]  # built above of its types
    except rfc8785.CanonicalizationError:
        raise Malformed("an entry's text is not valid Unicode", code="entry-value") from None
    if len(encoded) > MAX_ENTRY_BYTES:
        raise Malformed("an entry has at most 60,000 bytes", code="entry-size")
    return encoded


def _refuse(_: str) -> NoReturn:
    raise ValueError("an entry has no floats")


def _unverified(problem: str) -> Unverified:
    return Unverified(f"the entry {problem}", code="entry")
