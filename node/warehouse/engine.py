"""DuckDB, read-only and locked. Runs what `render` made, within a time limit. Rim.

Settings after DuckDB's page "Securing DuckDB": no external access, no extensions, no
Python replacement scans, no secrets, bounded threads and memory, configuration locked.
Errors of the engine leave as a code: their text may quote values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import duckdb

from dataspace.disclosure.cells import RawAggregate, RawCell, RawFigures
from dataspace.disclosure.labels import RawLabel
from dataspace.errors import Unavailable
from dataspace.query.partials import identity_of
from dataspace.query.product import ColumnType
from dataspace.query.render import Rendered
from dataspace.query.tree import Line, Query

_INTERRUPT_AGAIN = 0.05
_LOCKED_DOWN = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "temp_file_encryption": "true",
    "lock_configuration": "true",
}


@dataclass(frozen=True)
class Limits:
    """What one engine may take. `memory` as DuckDB writes it, `seconds` a query."""

    threads: int
    memory: str
    seconds: float


class Engine:
    """One open snapshot. Safe for any number of threads; each query has its own cursor."""

    def __init__(self, database: Path, limits: Limits) -> None:
        self._limits = limits
        config: dict[str, str | bool | int | float | list[str]] = {
            "access_mode": "READ_ONLY",
            "threads": str(limits.threads),
            "memory_limit": limits.memory,
            **_LOCKED_DOWN,
        }
        try:
            self._connection = duckdb.connect(str(database), config=config)
        except duckdb.Error:
            raise Unavailable("the warehouse cannot be opened", code="warehouse") from None

    def close(self) -> None:
        """Let go of the snapshot."""
        self._connection.close()

    def run(
        self,
        query: Query,
        rendered: Rendered,
        register: Callable[[Callable[[], None]], None],
        seconds: float | None = None,
    ) -> tuple[RawCell, ...]:
        """Run one rendered query and return raw cells, which never leave the node.

        `register` gets a function that interrupts the query; `seconds` is what the caller
        will wait, where that is less than the engine's own limit. Raises `Unavailable` with code
        `query-timeout`, `query-cancelled` or `engine-error`.
        """
        cursor = self._connection.cursor()
        allowed = self._limits.seconds if seconds is None else min(seconds, self._limits.seconds)
        watch = _Watch(cursor, allowed)
        try:
            register(watch.cancel)
            watch.start()
            rows = cursor.execute(rendered.sql, list(rendered.parameters)).fetchall()
            labels = [
                (each.state, cursor.execute(each.sql, list(each.parameters)).fetchall())
                for each in rendered.labels
            ]
        except duckdb.InterruptException:
            if watch.late:
                raise Unavailable(
                    f"the query took longer than {allowed:g} s; ask for less",
                    code="query-timeout",
                ) from None
            raise Unavailable("the query was cancelled", code="query-cancelled") from None
        except duckdb.Error:
            # SECURITY: the engine's text may quote values of rows.
            raise Unavailable("the engine could not answer", code="engine-error") from None
        finally:
            watch.finish()
            cursor.close()
        found = _labels_by_cell(len(query.keys), labels)
        return tuple(_raw_cell(query, rendered, row, found) for row in rows)


class _Watch:
    """Interrupts a cursor when it is late or cancelled, again and again until it has ended:
    an interrupt that comes before the engine has begun is lost on it."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self.late = False
        self._cursor = cursor
        self._seconds = seconds
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to count the time."""
        self._thread.start()

    def cancel(self) -> None:
        """The caller has gone. Does nothing once the query has ended."""
        self._wake.set()

    def finish(self) -> None:
        """The query has ended; nothing touches the cursor afterwards."""
        self._ended.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self.late = not self._wake.wait(self._seconds)
        while not self._ended.is_set():
            self._cursor.interrupt()
            self._ended.wait(_INTERRUPT_AGAIN)


_Labels = dict[tuple[int, Any], list[RawLabel]]


def _labels_by_cell(width: int, answers: list[tuple[int, list[tuple[Any, ...]]]]) -> _Labels:
    """Labels by the state and the cell that they are of."""
    found: _Labels = {}
    for state, rows in answers:
        for row in rows:
            value, level, position, count, subjects = row[width:]
            label = RawLabel(value, int(level), int(position), int(count), int(subjects))
            found.setdefault((state, identity_of(row[:width])), []).append(label)
    return found


def _raw_cell(query: Query, rendered: Rendered, row: tuple[Any, ...], labels: _Labels) -> RawCell:
    width = len(query.keys)
    identity = identity_of(row[:width])
    aggregates = []
    for state, (aggregate, part) in enumerate(query.states()):
        values = {name: row[column] for name, column in rendered.layout[state].items()}
        aggregates.append(
            RawAggregate(
                count=int(values["count"]),
                subjects=values.get("subjects"),
                outside=values.get("outside"),
                figures=_figures("", values, part.value),
                other=_figures("other_", values, part.other),
                covariance=_decimal(values.get("covariance")),
                labels=tuple(labels.get((state, identity), ())),
                kind=aggregate.kind,
            )
        )
    return RawCell(tuple(row[:width]), int(row[width]), tuple(aggregates))


def _figures(prefix: str, values: dict[str, Any], line: Line | None) -> RawFigures | None:
    if f"{prefix}sum" not in values:
        return None
    column = line.column if line else None
    integral = column is not None and column.type is ColumnType.INTEGER
    return RawFigures(
        sum=_decimal(values[f"{prefix}sum"]) or Decimal(0),
        low=_decimal(values[f"{prefix}low"]),
        high=_decimal(values[f"{prefix}high"]),
        variance=_decimal(values.get(f"{prefix}variance")),
        integral=integral or values.get(f"{prefix}whole") is True,
    )


def _decimal(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Unavailable("the engine could not answer", code="engine-error") from None
    if not number.is_finite():
        raise Unavailable("a figure is out of range", code="engine-range")
    return number
