"""Regions in one process, beside one plain DuckDB over their pooled rows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from dataspace.disclosure.cells import disclose
from dataspace.query.combine import Answer, combine, key_names, state_names
from dataspace.query.partials import Share, read_share, write_share
from dataspace.query.product import Offer
from dataspace.query.render import render
from dataspace.query.tree import Query
from dataspace.v1.query_pb2 import Partial
from node.warehouse.engine import Engine, Limits

NAMES = ("guangzhou", "hongkong", "macao", "shenzhen")
COLUMNS = (
    "person VARCHAR, sex VARCHAR, arm BIGINT, smoker BOOLEAN, since DATE, level DOUBLE, "
    "age BIGINT, weight DOUBLE, cost DECIMAL(38, 10)"
)
LIMITS = Limits(threads=1, memory="256MB", seconds=20)


@dataclass(frozen=True, repr=False)
class Federation:
    """Some regions, each with its own locked engine; `pooled` holds all rows with `region`."""

    engines: dict[str, Engine]
    pooled: duckdb.DuckDBPyConnection

    def share(self, region: str, query: Query, offer: Offer) -> Share:
        """What one node would sign, as it comes off the wire."""
        raw = self.engines[region].run(query, render(query, region), lambda _: None)
        share = Share(
            region=region,
            key_names=key_names(query),
            aggregates=state_names(query),
            cells=disclose(raw, offer.disclosure),
            round_to=offer.disclosure.round_to,
        )
        wire = Partial()
        write_share(share, wire)
        return read_share(Partial.FromString(wire.SerializeToString()))

    def ask(self, query: Query, offer: Offer, order: Sequence[str] | None = None) -> Answer:
        """The combined answer; `order` is the order in which the shares come."""
        shares = [self.share(region, query, offer) for region in order or self.engines]
        return combine(query, shares, list(self.engines))


@contextmanager
def federation(seed: int, folder: Path) -> Iterator[Federation]:
    """One to four regions with rows of that seed; some regions are empty."""
    draw = random.Random(seed)
    pooled = duckdb.connect()
    pooled.execute(f"CREATE TABLE all_rows (region VARCHAR, {COLUMNS})")
    engines = {}
    for number in range(1 + seed % 4):
        rows = _rows(draw, number)
        file = folder / f"{seed}-{number}.duckdb"
        with duckdb.connect(str(file)) as own:
            own.execute(f'CREATE SCHEMA offered; CREATE TABLE offered."offer:trial" ({COLUMNS})')
            marks = ", ".join("?" * 9)
            if rows:
                own.executemany(f'INSERT INTO offered."offer:trial" VALUES ({marks})', rows)
                pooled.executemany(
                    f"INSERT INTO all_rows VALUES ('{NAMES[number]}', {marks})", rows
                )
        engines[NAMES[number]] = Engine(file, LIMITS)
    try:
        yield Federation(engines, pooled)
    finally:
        pooled.close()
        for engine in engines.values():
            engine.close()


def _rows(draw: random.Random, number: int) -> list[tuple[Any, ...]]:
    people = draw.choice([0, 3, 12, 40, 90])
    owners = [person for person in range(people) for _ in range(draw.choice([1, 1, 2]))]
    return [_row(draw, f"{number}-{person}") for person in owners]


def _row(draw: random.Random, person: str) -> tuple[Any, ...]:
    maybe = partial(_maybe, draw)
    weight = draw.choice([draw.uniform(40, 100), draw.gauss(0, 1) * 10.0 ** draw.randint(-3, 6)])
    return (
        person,
        maybe(draw.choice(["F", "M", "Ünïcode 陳"])),
        maybe(draw.randint(-1, 2)),
        maybe(draw.random() < 0.5),
        maybe(f"20{draw.randint(10, 12)}-0{draw.randint(1, 3)}-11"),
        maybe(draw.choice([-0.5, 0.0, 2.5])),
        maybe(draw.randint(-20, 90)),
        maybe(weight),
        maybe(f"{draw.randint(-99, 9999)}.{draw.randint(0, 99):02}"),
    )


def _maybe(draw: random.Random, value: Any) -> Any:
    return None if draw.random() < 0.1 else value
