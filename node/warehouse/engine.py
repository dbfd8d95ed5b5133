"""DuckDB, read-only and locked. Runs what `render` made, within a time limit. Rim.

Settings after DuckDB's page "Securing DuckDB": no external access, no extensions, no
Python replacement scans, no secrets, bounded threads and memory, configuration locked.
Errors of the engine leave as a code: their text may quote values.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import structlog

from dataspace.disclosure.cells import RawAggregate, RawCell, RawFigures
from dataspace.disclosure.labels import RawLabel
from dataspace.errors import Unavailable
from dataspace.home import PartyConfig
from dataspace.query.expressions import Parameter
from dataspace.query.partials import identity_of
from dataspace.query.product import ColumnType
from dataspace.query.render import Rendered
from dataspace.query.tree import Line, Query

_LOG = structlog.get_logger("node.engine")

_INTERRUPT_AGAIN = 0.05
_EXACTLY = Context(prec=60)
_LOOK_SECONDS = 0.2  # how often a query that runs is asked how far it is
_STEP = 0.05  # progress is told in steps: it is an estimate, and finer would tell of rows
_LOCKED_DOWN = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    # SECURITY: in DuckDB 2.0 it fails over columns that hold no value where a CASE tests that,
    # and an error would tell so: `x LEFT JOIN y … CASE WHEN y.z IS NOT NULL THEN 'a' END = 'b'`.
    "disabled_optimizers": "statistics_propagation",
}
# A cursor's own settings; progress is kept, and printed nowhere.
_PROGRESS = (
    "SET enable_progress_bar = true",
    "SET enable_progress_bar_print = false",
    "SET progress_bar_time = 0",
)
# SECURITY: rows are in no other file than the snapshot: what does not fit in memory is refused.
# (Encrypted spilling needs a module that this engine may not load; as a setting of `connect`
# the size is shown, and not heeded.)
_NO_SPILLING = "SET max_temp_directory_size = '0 bytes'"
_LOCK = "SET lock_configuration = true"


class Statement(Protocol):
    """SQL with `?` for each parameter, of our own rendering."""

    @property
    def sql(self) -> str:
        """Made of catalogue names."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The values."""


@dataclass(frozen=True)
class Limits:
    """What one engine may take. `memory` as DuckDB writes it, `seconds` a query, and how
    many `queries` at once."""

    threads: int
    memory: str
    seconds: float
    queries: int = 4

    @classmethod
    def of(cls, config: PartyConfig) -> Limits:
        """Those of a node's party.toml."""
        return cls(
            config.threads, config.memory_limit, config.query_seconds, config.running_queries
        )


class Engine:
    """One open snapshot. Safe for any number of threads: so many queries as it has cursors run,
    the others wait their turn."""

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
            self._cursors: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()
            # Whoever opens a snapshot twice in one process finds it locked: no progress then.
            settings = () if _is_locked(self._connection) else _PROGRESS
            for _ in range(limits.queries):
                cursor = self._connection.cursor()
                for setting in settings:
                    cursor.execute(setting)
                self._cursors.put(cursor)
            if settings:
                self._connection.execute(_NO_SPILLING)
                # SECURITY: from here on nothing can be set any more, by nobody.
                self._connection.execute(_LOCK)
        except duckdb.Error:
            raise Unavailable("the warehouse cannot be opened", code="warehouse") from None
        self._closed = False

    def close(self) -> None:
        """Let go of the snapshot; a query that runs still lets go when it ends."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                self._cursors.get_nowait().close()
        self._connection.close()

    @property
    def running(self) -> int:
        """How many queries run now."""
        return 0 if self._closed else self._limits.queries - self._cursors.qsize()

    def run(
        self,
        query: Query,
        rendered: Rendered,
        register: Callable[[Callable[[], None]], None],
        seconds: float | None = None,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> tuple[RawCell, ...]:
        """Run one rendered query and return raw cells, which never leave the node.

        `register` gets a function that interrupts the query; `seconds` is what the caller
        will wait, where that is less than the engine's own limit; `on_progress` hears 0 when
        the query begins, and then the engine's estimate of the share that is done, rising.
        Raises `Unavailable` with code `query-timeout`, `query-cancelled`, `query-memory` or
        `engine-error`.
        """
        with self._running(register, seconds, on_progress) as cursor:
            rows = cursor.execute(rendered.sql, list(rendered.parameters)).fetchall()
            labels = [
                (each.state, cursor.execute(each.sql, list(each.parameters)).fetchall())
                for each in rendered.labels
            ]
        found = _labels_by_cell(len(query.keys), labels)
        return tuple(_raw_cell(query, rendered, row, found) for row in rows)

    def rows(
        self,
        sql: str,
        parameters: Sequence[object],
        register: Callable[[Callable[[], None]], None],
        seconds: float | None = None,
    ) -> list[tuple[Any, ...]]:
        """Rows of our own statement over few people, which bounds them. Raises as `run` does."""
        with self._running(register, seconds, lambda _: None) as cursor:
            return cursor.execute(sql, list(parameters)).fetchall()

    def tables(
        self,
        statements: Sequence[Statement],
        register: Callable[[Callable[[], None]], None],
        seconds: float | None = None,
    ) -> list[pa.Table]:
        """Rows of rendered statements, which never leave the node: what linkage hashes.

        Limits, cancelling and errors are those of `run`.
        """
        with self._running(register, seconds, lambda _: None) as cursor:
            return [
                cursor.sql(each.sql, params=list(each.parameters)).to_arrow_table()
                for each in statements
            ]

    @contextmanager
    def _running(
        self,
        register: Callable[[Callable[[], None]], None],
        seconds: float | None,
        on_progress: Callable[[float], None],
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor whose query is watched; what the engine raises leaves as a code."""
        allowed = self._limits.seconds if seconds is None else min(seconds, self._limits.seconds)
        watch = _Watch(allowed, on_progress)
        register(watch.cancel)
        cursor = self._borrow(watch)
        try:
            on_progress(0.0)
            watch.start(cursor)
            yield cursor
        except duckdb.InterruptException:
            raise watch.reason() from None
        except duckdb.OutOfMemoryException:
            raise Unavailable(
                f"the query needs more memory than this node gives one "
                f"({self._limits.memory}); join fewer products, or ask for less",
                code="query-memory",
            ) from None
        except duckdb.Error:
            # SECURITY: the engine's text may quote values of rows.
            raise Unavailable("the engine could not answer", code="engine-error") from None
        finally:
            watch.finish()
            self._give_back(cursor)
            _LOG.info("engine.ran", ms=watch.milliseconds())

    def batches(self, sql: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """All rows of a statement of the node's own, so many at a time; no caller's comes here.

        On a cursor beside those of the queries. Raises `Unavailable` with code `engine-error`.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                while found := cursor.fetchmany(rows):
                    yield found
        except duckdb.Error:
            # SECURITY: the engine's text may quote values of rows.
            raise Unavailable("the engine could not answer", code="engine-error") from None

    def _borrow(self, watch: _Watch) -> duckdb.DuckDBPyConnection:
        """A free cursor. Raises where the caller has gone, or waits no longer, before one is."""
        while not watch.is_over():
            with suppress(queue.Empty):
                return self._cursors.get(timeout=min(_INTERRUPT_AGAIN, watch.remaining()))
        raise watch.reason()

    def _give_back(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if self._closed:
            cursor.close()
        else:
            self._cursors.put(cursor)


def _is_locked(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute("SELECT current_setting('lock_configuration')").fetchone()
    return found is not None and found[0] is True


class _Watch:
    """Interrupts a cursor when it is late or cancelled, again and again until it has ended:
    an interrupt that comes before the engine has begun is lost on it. Tells how far it is."""

    def __init__(self, seconds: float, on_progress: Callable[[float], None]) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._on_progress = on_progress
        self._told = 0.0
        self._cancelled = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Watch over what this cursor runs next."""
        self._thread = threading.Thread(target=self._run, args=(cursor,), daemon=True)
        self._thread.start()

    def remaining(self) -> float:
        """Seconds until it is late; never negative."""
        return max(0.0, self._deadline - time.monotonic())

    def milliseconds(self) -> int:
        """Since the query asked for its turn."""
        return int((time.monotonic() - self._deadline + self._seconds) * 1000)

    def is_over(self) -> bool:
        """Whether it is cancelled or late."""
        return self._cancelled or self.remaining() == 0

    def reason(self) -> Unavailable:
        """Why it was stopped."""
        if self._cancelled:
            return Unavailable("the query was cancelled", code="query-cancelled")
        return Unavailable(
            f"the query took longer than {self._seconds:.3g} s; ask for less", code="query-timeout"
        )

    def cancel(self) -> None:
        """The caller has gone. Does nothing once the query has ended."""
        self._cancelled = True
        self._wake.set()

    def finish(self) -> None:
        """The query has ended; nothing touches the cursor afterwards."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, cursor: duckdb.DuckDBPyConnection) -> None:
        while not self._wake.wait(min(_LOOK_SECONDS, self.remaining())) and self.remaining():
            self._tell(cursor.query_progress() / 100)
        while not self._ended.is_set():
            cursor.interrupt()
            self._ended.wait(_INTERRUPT_AGAIN)

    def _tell(self, share: float) -> None:
        """Pass on progress; it never falls back, though the engine's estimate does."""
        if self._told + _STEP <= share < 1:
            self._told = share - share % _STEP
            self._on_progress(self._told)


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
                rest=values.get("rest"),
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
    total = _decimal(values[f"{prefix}sum"]) or Decimal(0)
    fraction = _decimal(values.get(f"{prefix}fraction")) or Decimal(0)
    return RawFigures(
        sum=_EXACTLY.add(total, fraction),
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
