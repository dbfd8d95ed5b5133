"""One page of a search: the statement for it, and how far it got. Rim: reads SQLite.

The rarest term drives; each other one is looked up. Blocks of 256 entries say which part of
the log a time can be in, so that neither a clock that goes backwards nor the log's length
makes a page slow or wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_ENOUGH = 20_000  # beyond this a term is frequent, and exactly how frequent matters little


@dataclass(frozen=True)
class Search:
    """What to find. `size` is the log's size as of the request: nothing beyond is looked at.

    `next` is where an earlier page ended: the first index to look at, or with `newest_first`
    the first not to look at; None begins anew. `terms` are columns and the value that each has,
    `without` those that it has not.
    """

    size: int
    limit: int
    terms: Mapping[str, str] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    from_ms: int = 0
    until_ms: int = 2**62
    newest_first: bool = False
    next: int | None = None


@dataclass(frozen=True)
class Found:
    """Indices in order; `next` begins the page after this one; `more` says there is one."""

    indices: tuple[int, ...]
    next: int
    more: bool


@dataclass(frozen=True)
class _Term:
    table: str
    column: int
    value: str
    frequency: int


def find(
    reading: sqlite3.Connection,
    search: Search,
    place: Callable[[str], tuple[int, bool]],
    block: int,
) -> Found:
    """The page of a search."""
    low, high = _range(reading, search, block)
    terms = _by_rarity(reading, search, place)
    without = [_Term(*_place(place, name), value, 0) for name, value in search.without.items()]
    statement, values = _statement(terms, without, newest_first=search.newest_first)
    times = [search.from_ms, search.until_ms]
    found = [
        int(row[0])
        for row in reading.execute(statement, [low, high, *times, *values, search.limit + 1])
    ]
    more = len(found) > search.limit
    indices = tuple(found[: search.limit])
    if search.newest_first:
        return Found(indices, indices[-1] if more else 0, more)
    return Found(indices, indices[-1] + 1 if more else search.size, more)


def count(
    reading: sqlite3.Connection,
    search: Search,
    place: Callable[[str], tuple[int, bool]],
    block: int,
) -> int:
    """How many entries a search finds in all."""
    low, high = _range(reading, search, block)
    statement, values = _statement(_by_rarity(reading, search, place), [], newest_first=False)
    times = [search.from_ms, search.until_ms]
    (found,) = reading.execute(
        f"SELECT count(*) FROM ({statement})", [low, high, *times, *values, -1]
    ).fetchone()
    return int(found)


def _by_rarity(
    reading: sqlite3.Connection, search: Search, place: Callable[[str], tuple[int, bool]]
) -> list[_Term]:
    return sorted(
        (_term(reading, *_place(place, name), value) for name, value in search.terms.items()),
        key=lambda term: term.frequency,
    )


def _range(reading: sqlite3.Connection, search: Search, block: int) -> tuple[int, int]:
    """The first index that may fit, and the first that may not any more."""
    first, last = reading.execute(
        "SELECT min(number), max(number) FROM blocks WHERE high_ms >= ? AND low_ms < ?",
        (search.from_ms, search.until_ms),
    ).fetchone()
    if first is None:
        return 0, 0
    low, high = first * block, min((last + 1) * block, search.size)
    if search.next is None:
        return low, high
    return (low, min(high, search.next)) if search.newest_first else (max(low, search.next), high)


def _place(place: Callable[[str], tuple[int, bool]], name: str) -> tuple[str, int]:
    column, of_body = place(name)
    return ("body_postings" if of_body else "postings"), column


def _term(reading: sqlite3.Connection, table: str, column: int, value: str) -> _Term:
    (frequency,) = reading.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE col = ? AND value = ? LIMIT {_ENOUGH})",
        (column, value),
    ).fetchone()
    return _Term(table, column, value, frequency)


def _statement(
    terms: list[_Term], without: list[_Term], *, newest_first: bool
) -> tuple[str, list[object]]:
    order = "DESC" if newest_first else "ASC"
    values: list[object] = []
    # CROSS JOIN keeps SQLite from choosing another driver.
    source, driven = "entries e", ""
    if terms:
        source = f"{terms[0].table} d CROSS JOIN entries e ON e.idx = d.idx"
        driven = " AND d.col = ? AND d.value = ?"
        values += [terms[0].column, terms[0].value]
    at = "d" if terms else "e"
    looked_up = ""
    for wanted, each in [*((True, t) for t in terms[1:]), *((False, t) for t in without)]:
        looked_up += (
            f" AND {'' if wanted else 'NOT '}EXISTS (SELECT 1 FROM {each.table} o "
            f"WHERE o.col = ? AND o.value = ? AND o.idx = {at}.idx)"
        )
        values += [each.column, each.value]
    return (
        f"SELECT {at}.idx FROM {source} WHERE {at}.idx >= ? AND {at}.idx < ? "
        f"AND e.at_ms >= ? AND e.at_ms < ?{driven}{looked_up} ORDER BY {at}.idx {order} LIMIT ?",
        values,
    )
