"""Small regions with a known person map, and a pooled DuckDB that asks them as if they were one.

What the regions' nodes and the broker do is done here as they do it: each side's own SQL, codes
for its groups, counts by combinations of codes; the reference is the same question asked of one
database in which a person is the human being.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from dataspace.disclosure.overlaps import release_overlaps
from dataspace.linkage.counting import ABSENT as NO_CODE
from dataspace.linkage.counting import Counts, margin_counts, outer_counts
from dataspace.linkage.resolving import Resolution
from dataspace.query.combine import Answer
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.overlap_cells import (
    ABSENT,
    OverlapCell,
    OverlapShape,
    OverlapTable,
    candidate_cells,
)
from dataspace.query.product import Disclosure
from dataspace.query.questions import parse_question, union_question
from dataspace.query.render_overlap import render_side
from dataspace.query.tabulate import GroupCell, overlap_labels, tabulate
from dataspace.query.tree import Query
from tests.unit.query.samples import offer, visits

TRIAL = "person VARCHAR, sex VARCHAR, arm BIGINT, smoker BOOLEAN, age BIGINT, ward VARCHAR"
VISITS = "person VARCHAR, kind VARCHAR, arm BIGINT, stay BIGINT"
TABLES = {"trial": TRIAL, "visits": VISITS}

Rows = Mapping[tuple[str, str], Sequence[tuple[Any, ...]]]  # by region and product
People = Mapping[tuple[str, str], int]  # by region and person: which human being


@dataclass(frozen=True)
class Pool:
    """Rows of regions, and who is who. The first column of a row is its person."""

    rows: Rows
    people: People

    def ask(self, sql: str, settings: Disclosure | None = None, *, union: bool = False) -> Answer:
        """Through codes; without settings before disclosure control."""
        query = self.question(sql, union=union)
        table, labels = self.counted(query)
        shape = OverlapShape.of(query)
        if settings is None:
            return tabulate(candidate_cells(table, shape), labels, query)
        cells = release_overlaps(table, shape, settings)
        told = {
            region: {
                code: own
                for code, own in labels[region].items()
                if any(cell.codes[place] == code for cell in cells)
            }
            for place, region in enumerate(query.regions)
        }
        return tabulate(cells, told, query)

    def question(self, sql: str, *, union: bool = False) -> OverlapQuery:
        """Parsed and bound."""
        question = parse_question(sql)
        if isinstance(question, Query):
            assert union
            product = question.sources[0].product
            regions = sorted({region for region, name in self.rows if name == product})
            question = union_question(question, regions)
        return bind_overlap(question, offer(), visits())

    def counted(
        self, query: OverlapQuery
    ) -> tuple[OverlapTable, dict[str, dict[bytes, tuple[Any, ...]]]]:
        """What the broker counts, and what each node knows its codes to stand for."""
        groups = {region: self._groups(query, region) for region in query.regions}
        people = [
            np.array(
                [self.people[region, person] for cell in groups[region] for person in cell.persons],
                np.int64,
            )
            for region in query.regions
        ]
        codes = [
            np.array([at for at, cell in enumerate(groups[region]) for _ in cell.persons], np.int64)
            for region in query.regions
        ]
        resolution = _resolution(people)
        named = [
            [_code(region, at) for at in range(len(groups[region]))] for region in query.regions
        ]
        brought = tuple(
            {
                code: len(cell.persons)
                for code, cell in zip(named[place], groups[region], strict=True)
            }
            for place, region in enumerate(query.regions)
        )
        table = OverlapTable(
            _cells(outer_counts(resolution, codes), named),
            _cells(margin_counts(resolution, codes), named),
            brought,
        )
        labels = {
            region: {
                code: cell.labels for code, cell in zip(named[place], groups[region], strict=True)
            }
            for place, region in enumerate(query.regions)
        }
        return table, labels

    def _groups(self, query: OverlapQuery, region: str) -> tuple[GroupCell, ...]:
        side = query.side(region)
        statement = render_side(side)
        with duckdb.connect() as own:
            own.execute("CREATE SCHEMA offered")
            _fill(own, f'offered."offer:{side.product}"', side.product, self._of(region, side))
            found = own.execute(statement.sql, list(statement.parameters)).fetchall()
        return overlap_labels(found, len(side.keys))

    def _of(self, region: str, side: Any) -> Sequence[tuple[Any, ...]]:
        return self.rows.get((region, side.product), ())

    def pooled(self, sql: str) -> list[tuple[Any, ...]]:
        """The same question where a person is the human being."""
        with duckdb.connect() as own:
            for (region, product), rows in self.rows.items():
                own.execute(f"CREATE SCHEMA IF NOT EXISTS {region}")
                human = [(str(self.people[region, row[0]]), *row[1:]) for row in rows]
                _fill(own, f"{region}.{product}", product, human)
            return own.execute(sql).fetchall()


def _fill(own: Any, table: str, product: str, rows: Sequence[tuple[Any, ...]]) -> None:
    own.execute(f"CREATE TABLE {table} ({TABLES[product]})")
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        own.executemany(f"INSERT INTO {table} VALUES ({marks})", list(rows))


def _resolution(people: list[Any]) -> Resolution:
    known, numbers = np.unique(np.concatenate(people), return_inverse=True)
    starts = np.cumsum([len(each) for each in people])[:-1]
    return Resolution(tuple(np.split(numbers.astype(np.int64), starts)), len(known), ())


def _cells(counts: Counts, named: Sequence[Sequence[bytes]]) -> tuple[OverlapCell, ...]:
    return tuple(
        OverlapCell(
            tuple(
                ABSENT if code == NO_CODE else own[code]
                for code, own in zip(row, named, strict=True)
            ),
            int(people),
        )
        for row, people in zip(counts.codes.tolist(), counts.people, strict=True)
    )


def _code(region: str, at: int) -> bytes:
    return hashlib.sha256(f"{region} {at}".encode()).digest()[:16]
