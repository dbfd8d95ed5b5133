"""FEBRL's data sets (tests/data/febrl): people, their duplicates, the truth.

febrl1, 2 and 3 are one file each with duplicates in it, febrl4 two files of the same
people. `soc_sec_id` is taken for `other_id` and `address_1`, the street, for `address`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataspace.linkage.match_keys import slots
from dataspace.linkage.match_lists import MatchList, match_lists
from dataspace.linkage.resolving import Resolution, resolve, resolve_duplicates
from tests.blinding import Blinding, hashed, side

DATA = Path(__file__).parent / "data/febrl"
FIELDS = {
    "other_id": "soc_sec_id",
    "surname": "surname",
    "given_name": "given_name",
    "birth_date": "date_of_birth",
    "postcode": "postcode",
    "address": "address_1",
}
PLAIN_LISTS = match_lists([
    ["other_id"],
    ["full_name", "birth_date"],
    ["birth_date", "postcode"],
])  # fmt: skip
LISTS = match_lists([
    ["other_id"],
    ["full_name~", "birth_date"],
    ["birth_date", "postcode"],
    ["birth_date", "address~"],
    ["other_id~", "birth_date"],
    ["other_id~", "surname~", "postcode~"],
    ["surname~", "postcode~", "address~"],
    ["given_name~", "postcode", "address~"],
])  # fmt: skip
"""The recommendation of docs/linkage.md for data of this kind. Beside the number itself each
list asks that two things agree of which one is exact, or three; given names are few, so that
theirs asks for the exact postcode."""

Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class Dataset:
    """`frames` has one file or two; `truth` the pairs of record ids of one person."""

    name: str
    frames: tuple[pa.Table, ...]
    truth: Pairs


@dataclass(frozen=True)
class Quality:
    """What was found, and how much of it is true."""

    found: Pairs
    truth: Pairs

    @property
    def recall(self) -> float:
        """Of the true pairs, the share that was found."""
        return len(self.found & self.truth) / len(self.truth)

    @property
    def precision(self) -> float:
        """Of the pairs found, the share that is true."""
        return len(self.found & self.truth) / max(len(self.found), 1)


def dataset(number: int) -> Dataset:
    """febrl1 to febrl4."""
    files = sorted(DATA.glob(f"dataset{number}*.csv"))
    frames = tuple(_read(file) for file in files)
    people: dict[str, list[tuple[int, str]]] = {}
    for at, frame in enumerate(frames):
        for record in frame["rec_id"].to_pylist():
            people.setdefault(record.split("-")[1], []).append((at, record))
    truth = {
        _pair(one, other)
        for records in people.values()
        for (left, one), (right, other) in combinations(records, 2)
        if left != right or len(frames) == 1
    }
    return Dataset(f"febrl{number}", frames, truth)


def _read(file: Path) -> pa.Table:
    """All columns as text, without the blanks that stand before each value; empty is missing."""
    lines = file.read_text().splitlines()
    names, *rows = ([value.strip() for value in line.split(",")] for line in lines)
    columns = zip(*rows, strict=True)
    return pa.table(
        {
            name: pa.array([value or None for value in column], pa.string())
            for name, column in zip(names, columns, strict=True)
        }
    )


def quality(data: Dataset, lists: Sequence[MatchList] = LISTS, blind: Blinding = hashed) -> Quality:
    """Match `data` by tokens alone, and hold what was found against the truth."""
    rng = np.random.default_rng(len(data.truth))
    sides = [side(_slots(frame, lists), rng, blind) for frame in data.frames]
    if len(sides) == 1:
        return Quality(_within(data.frames[0], resolve_duplicates(sides[0], lists)), data.truth)
    found = resolve(sides, lists).pairs(0, 1)
    left, right = (frame["rec_id"].to_pylist() for frame in data.frames)
    return Quality({_pair(left[one], right[other]) for one, other in found.tolist()}, data.truth)


def _slots(frame: pa.Table, lists: Sequence[MatchList]) -> Any:
    columns = {kind: [frame[column]] for kind, column in FIELDS.items()}
    return slots(frame["rec_id"], columns, lists)


def _within(frame: pa.Table, resolution: Resolution) -> Pairs:
    people: dict[int, list[str]] = {}
    for record, person in zip(
        frame["rec_id"].to_pylist(), resolution.people[0].tolist(), strict=True
    ):
        people.setdefault(person, []).append(record)
    return {_pair(*two) for records in people.values() for two in combinations(records, 2)}


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
