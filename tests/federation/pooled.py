"""The reference: the same SQL over the pooled table, in plain DuckDB.

Shares no code with the project. A region shows a cell where five distinct subjects stand
behind it and behind every column aggregated in it; the pooled answer is the SQL over the
rows of the cells that their regions show.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

MIN_SUBJECTS = 5

_FIGURE = re.compile(r"\b(?:count|sum|avg|var_samp|stddev_samp)\((?:t\.)?(\w+)\)")


@dataclass(frozen=True)
class Question:
    """A SELECT in its parts. `group` holds the keys, which stand first in `select`."""

    select: str
    where: str = ""
    group: tuple[str, ...] = ()
    tail: str = ""  # HAVING, ORDER BY, LIMIT
    source: str = "trial"
    written_group: str = ""  # where GROUP BY is written by place or alias

    @property
    def sql(self) -> str:
        """What is asked of the space."""
        where = f" WHERE {self.where}" if self.where else ""
        keys = self.written_group or ", ".join(self.group)
        group = f" GROUP BY {keys}" if keys else ""
        return f"SELECT {self.select} FROM {self.source}{where}{group} {self.tail}".strip()

    @property
    def region(self) -> str | None:
        """The one region that FROM names."""
        return self.source.partition(".")[0] if "." in self.source else None

    @property
    def figures(self) -> frozenset[str]:
        """The columns that are aggregated."""
        return frozenset(_FIGURE.findall(f"{self.select} {self.tail}"))


@dataclass(frozen=True)
class Expected:
    """Rows of the pooled answer, in order, and the regions behind each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    shown_by: tuple[tuple[str, ...], ...]
    shown_cells: int  # before HAVING and LIMIT


def pooled_table(file: Path, region_of: str) -> duckdb.DuckDBPyConnection:
    """A database whose table `pool` is the CSV with `person` and `region`; `region_of` is SQL."""
    database = duckdb.connect()
    database.execute(
        f"CREATE TABLE pool AS SELECT pidnum AS person, {region_of} AS region, * EXCLUDE (pidnum) "
        "FROM read_csv(?, header = true, nullstr = 'NA')",
        [str(file)],
    )
    return database


def expected(database: duckdb.DuckDBPyConnection, question: Question) -> Expected:
    """The pooled answer over the regions that may show each cell."""
    name = question.source.rpartition(".")[2]
    alias = name.partition(" ")[2].strip() or name
    database.execute(f"CREATE OR REPLACE TEMP VIEW shown_rows AS {_shown_rows(question, alias)}")
    group = ", ".join(question.group) or "()"
    regions = "list_sort(list(DISTINCT region))"
    # Without keys and rows SQL still yields a row of nothing; a cell that nobody shows is none.
    having = "" if question.group else "HAVING count(*) > 0"
    tail = question.tail if question.group else f"{having} {question.tail}"
    found = database.execute(
        f"SELECT {question.select}, {regions} FROM shown_rows AS {alias} GROUP BY {group} {tail}"
    )
    columns = tuple(column[0] for column in found.description or ())[:-1]
    rows = found.fetchall()
    cells = database.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM shown_rows AS {alias} GROUP BY {group} "
        "HAVING count(*) > 0)"
    ).fetchone()
    assert cells is not None
    return Expected(
        columns, tuple(row[:-1] for row in rows), tuple(tuple(row[-1]) for row in rows), cells[0]
    )


def _shown_rows(question: Question, alias: str) -> str:
    """The rows under WHERE whose own region may show the cell they fall in."""
    keys = ", ".join([*question.group, "region"])
    persons = "count(DISTINCT CASE WHEN {} IS NOT NULL THEN person END)"
    enough = [
        f"{persons.format(column)} OVER cell >= {MIN_SUBJECTS}"
        for column in ["person", *sorted(question.figures)]
    ]
    where = [f"({question.where})"] if question.where else []
    where += [f"region = '{question.region}'"] if question.region else []
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    return (
        f"SELECT * FROM pool AS {alias} {condition} "
        f"WINDOW cell AS (PARTITION BY {keys}) QUALIFY {' AND '.join(enough)}"
    )
