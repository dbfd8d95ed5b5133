"""The reference: plain DuckDB over the pooled rows of the cells that their regions show.

A region shows a cell where enough persons are in it, behind every figure's values, and
inside and outside every FILTER and every branch of a CASE.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from tests.unit.query.language import TWO, Question, Value

_TINY = 1e-12  # what doubles lose of the largest value, in sums over some hundred rows


@dataclass(frozen=True)
class Scale:
    """How large the values behind a figure are, by which rounding errors are judged."""

    x: float
    y: float
    spread_x: float
    spread_y: float
    count: int

    @property
    def conditioned(self) -> bool:
        """Whether slopes and correlations of these values mean anything in doubles."""
        return self.spread_x > 1e-6 * self.x**2 and self.spread_y > 1e-6 * self.y**2


@dataclass(frozen=True)
class Expected:
    """The pooled answer: rows in order under LIMIT, every row by its keys, and their scales."""

    rows: list[tuple[Any, ...]]
    by_keys: dict[tuple[Any, ...], tuple[Any, ...]]
    scales: dict[tuple[Any, ...], tuple[Scale | None, ...]]
    shown_by: dict[tuple[Any, ...], tuple[str, ...]]


def expected(pooled: duckdb.DuckDBPyConnection, question: Question, least: int) -> Expected | None:
    """The pooled answer over shown cells; None where no region shows any."""
    if not _find_shown(pooled, question, least):
        return None
    same = "".join(
        f" AND s.k{n} IS NOT DISTINCT FROM ({key})" for n, key in enumerate(question.keys)
    )
    shown = f"EXISTS (SELECT 1 FROM shown s WHERE s.home = t.region{same})"
    width, values = len(question.keys), len(question.values)
    rows = pooled.execute(question.written(shown, question.tail)).fetchall()
    more = [sql for value in question.values for sql in _scale_sql(value)]
    every = pooled.execute(
        question.written(shown, more=[*more, "list_sort(list(DISTINCT t.region))"])
    ).fetchall()
    by_keys, scales, shown_by = {}, {}, {}
    for row in every:
        keys = tuple(map(plain, row[:width]))
        by_keys[keys] = tuple(map(plain, row[: width + 1 + values]))
        rest = list(row[width + 1 + values :])
        shown_by[keys] = tuple(rest.pop())
        scales[keys] = tuple(_scale(value, rest) for value in question.values)
    assert len(by_keys) == len(every)
    return Expected([tuple(map(plain, row)) for row in rows], by_keys, scales, shown_by)


def _find_shown(pooled: duckdb.DuckDBPyConnection, question: Question, least: int) -> bool:
    persons = "count(DISTINCT t.person) FILTER (WHERE {})"
    enough = [f"count(DISTINCT t.person) >= {least}"]
    for behind in question.behind:
        kept = [f"({behind.where})"] if behind.where else []
        kept += [f"{column} IS NOT NULL" for column in behind.there]
        if kept:
            enough.append(f"{persons.format(' AND '.join(kept))} >= {least}")
        if behind.where and not behind.alone:
            enough.append(f"{persons.format(f'({behind.where}) IS NOT TRUE')} >= {least}")
    keys = [f"{key} AS k{n}" for n, key in enumerate(question.keys)]
    where = f" WHERE {question.where}" if question.where else ""
    pooled.execute(
        f"CREATE OR REPLACE TEMP TABLE shown AS {question.cte}"
        f"SELECT {', '.join(['t.region AS home', *keys])} FROM {question.origin}{where} "
        f"GROUP BY {', '.join(['t.region', *question.keys])} HAVING {' AND '.join(enough)}"
    )
    found = pooled.execute("SELECT count(*) FROM shown").fetchone()
    return bool(found and found[0])


def _scale_sql(value: Value) -> list[str]:
    if not value.name:
        return []
    first = value.x
    second = value.y or value.x
    there = f"({first}) IS NOT NULL AND ({second}) IS NOT NULL"
    kept = f" FILTER (WHERE {f'({value.where}) AND ' if value.where else ''}{there})"
    return [
        f"{sql}{kept}"
        for x in (first, second)
        for sql in (f"max(abs(({x})::DOUBLE))", f"var_pop(({x})::DOUBLE)")
    ] + [f"count(*){kept}"]


def _scale(value: Value, rest: list[Any]) -> Scale | None:
    if not value.name:
        return None
    x, spread_x, y, spread_y, count = (rest.pop(0) or 0 for _ in range(5))
    return Scale(x, y, spread_x, spread_y, count)


def plain(value: Any) -> Any:
    """A value of DuckDB as an answer holds it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if hasattr(value, "isoformat") else value


def same(ours: Any, theirs: Any, value: Value | None = None, scale: Scale | None = None) -> bool:
    """Whole numbers, decimals, texts and dates are equal; doubles are close."""
    if value is not None and value.name in TWO and scale is not None and not scale.conditioned:
        return ours is None or isinstance(ours, float)
    if ours is None or theirs is None or isinstance(ours, bool | str):
        return ours is theirs or (isinstance(ours, bool | str) and bool(ours == theirs))
    if isinstance(theirs, int | Decimal) and not isinstance(theirs, bool):
        if isinstance(ours, int | Decimal):
            return bool(ours == theirs)
        # No sum of theirs that is a decimal is a double of ours.
        summed = value is not None and value.name == "sum"
        return not summed and math.isclose(ours, theirs, rel_tol=1e-11)
    return bool(abs(float(ours) - theirs) <= _allowed(float(theirs), value, scale))


def _allowed(theirs: float, value: Value | None, scale: Scale | None) -> float:
    relative = 1e-9 * abs(theirs)
    if value is None or scale is None:
        return relative + 1e-12
    match value.name:
        case "sum":
            return relative + scale.count * scale.x * _TINY
        case "avg":
            return relative + scale.x * _TINY
        case "var_samp":
            return relative + scale.x**2 * _TINY
        case "stddev_samp":
            lost = scale.x**2 * _TINY
            return relative + min(math.sqrt(lost), lost / theirs if theirs else math.inf)
        case "covar_samp":
            return relative + scale.x * scale.y * _TINY
    # Of what the language calls (y, x), the scale holds y first.
    slope = 2e-9 * math.sqrt(scale.spread_x / scale.spread_y)
    match value.name:
        case "regr_slope":
            return relative + slope
        case "regr_intercept":
            return relative + slope * scale.y + scale.x * 1e-9
    return relative + 1e-8


def widest(scales: Sequence[Scale | None]) -> Scale | None:
    """The scale of the largest values."""
    return max((each for each in scales if each), key=lambda each: each.x, default=None)


def rows_same(question: Question, ours: Sequence[Any], theirs: Expected) -> str:
    """What is wrong with a row of ours; empty where nothing is."""
    width = len(question.keys)
    keys = tuple(ours[:width])
    match_ = next((found for found in theirs.by_keys if _keys_same(found, keys)), None)
    if match_ is None:
        return f"no cell {keys}"
    wanted, scales = theirs.by_keys[match_], theirs.scales[match_]
    judged = [None] * (width + 1) + list(question.values)
    sized = [None] * (width + 1) + list(scales)
    for got, want, value, scale in zip(ours, wanted, judged, sized, strict=True):
        if not same(got, want, value, scale):
            return f"{got!r} is not {want!r} ({value}, {scale})"
    return ""


def _keys_same(theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> bool:
    return all(
        isinstance(a, bool) == isinstance(b, bool) and a == b
        for a, b in zip(theirs, ours, strict=True)
    )
