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
    the first not to look at; None begins anew. `terms` are columns and the value of each.
    """

    size: int
    limit: int
    terms: Mapping[str, str] = field(default_factory=dict)
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
    statement, values = _statement(terms, newest_first=search.newest_first)
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
    statement, values = _statement(_by_rarity(reading, search, place), newest_first=False)
    times = [search.from_ms, search.until_ms]
    (found,) = reading.execute(
        f"SELECT count(*) FROM ({statement})", [low, high, *times, *values, -1]
    ).fetchone()
    return int(found)


def _by_rarity(
    reading: sqlite3.Connection, search: Search, place: Callable[[str], tuple[int, bool]]
) -> list[_Term]:
    return sorted(
        (_term(reading, *place(name), value) for name, value in search.terms.items()),
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


def _term(reading: sqlite3.Connection, column: int, of_body: bool, value: str) -> _Term:
    table = "body_postings" if of_body else "postings"
    (frequency,) = reading.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE col = ? AND value = ? LIMIT {_ENOUGH})",
        (column, value),
    ).fetchone()
    return _Term(table, column, value, frequency)


def _statement(terms: list[_Term], *, newest_first: bool) -> tuple[str, list[object]]:
    order = "DESC" if newest_first else "ASC"
    if not terms:
        return (
            "SELECT idx FROM entries WHERE idx >= ? AND idx < ? AND at_ms >= ? AND at_ms < ? "
            f"ORDER BY idx {order} LIMIT ?",
            [],
        )
    driver, *others = terms
    values: list[object] = [driver.column, driver.value]
    looked_up = ""
    for each in others:
        looked_up += (
            f" AND EXISTS (SELECT 1 FROM {each.table} o "
            "WHERE o.col = ? AND o.value = ? AND o.idx = d.idx)"
        )
        values += [each.column, each.value]
    return (
        # CROSS JOIN keeps SQLite from choosing another driver.
        f"SELECT d.idx FROM {driver.table} d CROSS JOIN entries e ON e.idx = d.idx "
        "WHERE d.idx >= ? AND d.idx < ? AND e.at_ms >= ? AND e.at_ms < ? "
        f"AND d.col = ? AND d.value = ?{looked_up} ORDER BY d.idx {order} LIMIT ?",
        values,
    )
