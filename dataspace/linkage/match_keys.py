"""From a table's columns to match keys: for each subject a tuple of slots.

A slot holds 32 bytes for one match list, or nothing where a field is missing or invalid:

    SHA-256( "gba-match-key-v1" ‖ for each kind of the list, sorted:
             u16 length ‖ kind ‖ u32 length ‖ value )          all integers big-endian

The place of a list in the product file is not in it, so that regions with different
orders agree. SECURITY: these digests are guessable (all identity numbers hash in seconds)
and never leave the node: they are what blinding begins with.

Several rows of one subject, or several columns of one kind, are one subject: a list then
has as many slots as the subject with the most values needs, `MOST_VALUES` at most.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataspace.errors import Malformed
from dataspace.linkage.field_forms import FUZZY, PLAIN, Form
from dataspace.linkage.match_lists import MatchList

MOST_VALUES = 4
DOMAIN = b"gba-match-key-v1"

Ints = npt.NDArray[np.int64]
Digests = npt.NDArray[np.uint8]
Columns = Mapping[str, Sequence[pa.Array | pa.ChunkedArray]]
"""By kind of field (`hkid`, `surname`): one column, or several."""


@dataclass(frozen=True)
class Slots:
    """`digests` has shape (subjects, slots, 32), zeros where not `present` (subjects, slots).

    `subjects` are distinct, in the order of their first rows; `serves[slot]` is the place
    in `lists` of the list that a slot is for.
    """

    subjects: pa.Array
    lists: tuple[MatchList, ...]
    serves: Ints
    digests: Digests
    present: npt.NDArray[np.bool_]


def slots(
    subject: pa.Array | pa.ChunkedArray,
    columns: Columns,
    lists: Sequence[MatchList],
    *,
    values_per_list: int | None = None,
) -> Slots:
    """The slots of all subjects, in whole columns.

    `values_per_list` fixes the number of slots of each list, so that it says nothing of the
    data; further values of a subject are left out, in the order of rows. A row without a
    subject is left out. Raises `Malformed` where a list names a kind without a column.
    """
    encoded = pc.dictionary_encode(_whole(subject))
    person = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    count = len(encoded.dictionary)
    forms = _Forms(columns)
    parts = [
        _list_slots(person, count, _keys(forms, one, len(person)), values_per_list) for one in lists
    ]
    widths = [part.shape[1] for part, _ in parts]
    empty = np.zeros((count, 0, 32), np.uint8), np.zeros((count, 0), np.bool_)
    return Slots(
        encoded.dictionary,
        tuple(lists),
        np.repeat(np.arange(len(parts), dtype=np.int64), widths),
        np.concatenate([empty[0], *(digests for digests, _ in parts)], axis=1),
        np.concatenate([empty[1], *(present for _, present in parts)], axis=1),
    )


@dataclass(frozen=True)
class _Keys:
    """Keys of one list: which row has which; a row may have several."""

    rows: Ints
    digests: Digests


@dataclass(frozen=True)
class _Column:
    """One column in normal form: `values[codes[row]]`, framed; None where a row has none."""

    values: list[bytes | None]
    codes: Ints

    def rows(self) -> list[bytes | None]:
        return list(map(self.values.__getitem__, self.codes.tolist()))


class _Forms:
    """Columns in the forms that lists ask for, each made once."""

    def __init__(self, columns: Columns) -> None:
        self._columns = dict(columns)
        self._made: dict[str, list[list[bytes | None]]] = {}

    def __getitem__(self, kind: str) -> list[list[bytes | None]]:
        if kind not in self._made:
            form = PLAIN[kind] if kind in PLAIN else FUZZY[kind.removesuffix("~")]
            self._made[kind] = [
                _column(kind, form, column).rows() for column in self._raw(kind.removesuffix("~"))
            ]
        return self._made[kind]

    def _raw(self, kind: str) -> Sequence[pa.Array | pa.ChunkedArray]:
        if kind in self._columns:
            return self._columns[kind]
        if kind == "full_name" and {"surname", "given_name"} <= set(self._columns):
            pairs = itertools.product(self._columns["surname"], self._columns["given_name"])
            return [_joined(family, given) for family, given in pairs]
        raise Malformed(
            f"no column serves {kind}, which a match list names; add it under linkage.fields",
            code="match-list",
        )


def _column(kind: str, form: Form, column: pa.Array | pa.ChunkedArray) -> _Column:
    encoded = pc.dictionary_encode(_text(column))
    head = len(kind).to_bytes(2, "big") + kind.encode()
    values = [_framed(head, form(text)) for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return _Column([*values, None], codes.astype(np.int64))


def _framed(head: bytes, value: str | None) -> bytes | None:
    if value is None:
        return None
    text = value.encode()
    return head + len(text).to_bytes(4, "big") + text


def _keys(forms: _Forms, one: MatchList, rows: int) -> _Keys:
    """All keys of one list: for several columns of a kind, every combination."""
    found = [
        _digested(choice, rows) for choice in itertools.product(*(forms[k] for k in one.kinds))
    ]
    return _Keys(
        np.concatenate([keys.rows for keys in found]),
        np.concatenate([keys.digests for keys in found]),
    )


def _digested(columns: Sequence[list[bytes | None]], rows: int) -> _Keys:
    sha256 = hashlib.sha256
    digests = bytearray()
    at: list[int] = []
    for row, values in _complete(columns):
        digests += sha256(DOMAIN + b"".join(values)).digest()
        at.append(row)
    return _Keys(np.array(at, np.int64), np.frombuffer(bytes(digests), np.uint8).reshape(-1, 32))


def _complete(columns: Sequence[list[bytes | None]]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """Rows where no field is missing."""
    for row, values in enumerate(zip(*columns, strict=True)):
        if None not in values:
            yield row, values


def _list_slots(
    person: Ints, count: int, keys: _Keys, fixed: int | None
) -> tuple[Digests, npt.NDArray[np.bool_]]:
    """One list's slots, shapes (subjects, width, 32) and (subjects, width)."""
    known = person[keys.rows] >= 0
    owner, digests = person[keys.rows][known], keys.digests[known]
    place = _places(owner, digests)
    width = fixed or min(int(place.max(initial=0)) + 1, MOST_VALUES)
    kept = (place >= 0) & (place < width)
    table = np.zeros((count, width, 32), np.uint8)
    present = np.zeros((count, width), np.bool_)
    table[owner[kept], place[kept]] = digests[kept]
    present[owner[kept], place[kept]] = True
    return table, present


def _places(owner: Ints, digests: Digests) -> Ints:
    """The how-manieth different key of its owner each is, in order; -1 for a repetition."""
    if not len(owner):
        return owner
    words = np.ascontiguousarray(digests).view(np.uint64).reshape(-1, 4)
    order = np.lexsort((words[:, 3], words[:, 2], words[:, 1], words[:, 0], owner))
    same = (owner[order][1:] == owner[order][:-1]) & np.all(
        words[order][1:] == words[order][:-1], axis=1
    )
    first = np.ones(len(owner), np.bool_)
    first[order[1:]] = ~same
    place = np.full(len(owner), -1, np.int64)
    firsts = np.flatnonzero(first)
    by_owner = firsts[np.argsort(owner[firsts], kind="stable")]
    owners = owner[by_owner]
    begins = np.searchsorted(owners, owners)
    place[by_owner] = np.arange(len(by_owner)) - begins
    return place


def _joined(family: pa.Array, given: pa.Array) -> pa.Array:
    """`family,given`; null unless both are there."""
    return pc.binary_join_element_wise(_text(family), _text(given), ",")


def _text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return _whole(column).cast(pa.string())


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole
