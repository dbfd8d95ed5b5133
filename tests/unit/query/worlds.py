"""Generated regions in one process, beside one plain DuckDB over their pooled rows.

A world has one or two products, joined on person, with columns of every type; nulls and
extremes are in the data, and some regions are empty.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dataspace.disclosure.cells import disclose
from dataspace.query.bind import bind_query
from dataspace.query.combine import Answer, combine, key_names, state_names
from dataspace.query.parse import parse_query
from dataspace.query.partials import Share, read_share, write_share
from dataspace.query.product import Column, ColumnType, Disclosure, Offer, Role, Title
from dataspace.query.render import render
from dataspace.v1.query_pb2 import Partial
from node.warehouse.engine import Engine, Limits

REGIONS = ("dongguan", "guangzhou", "hongkong", "macao", "shenzhen")
LIMITS = Limits(threads=1, memory="256MB", seconds=20)
SQL_TYPES = {
    "text": "VARCHAR", "code": "BIGINT", "flag": "BOOLEAN", "day": "DATE", "moment": "TIMESTAMP",
    "grade": "DECIMAL(9, 2)", "ratio": "DOUBLE", "whole": "BIGINT", "broken": "DOUBLE",
    "wild": "DOUBLE", "money": "DECIMAL(18, 4)", "riches": "DECIMAL(38, 10)", "bounded": "DOUBLE",
    "few": "BIGINT",
}  # fmt: skip
_TYPES = {
    "VARCHAR": ColumnType.VARCHAR, "BIGINT": ColumnType.INTEGER, "BOOLEAN": ColumnType.BOOLEAN,
    "DATE": ColumnType.DATE, "TIMESTAMP": ColumnType.TIMESTAMP, "DOUBLE": ColumnType.DOUBLE,
}  # fmt: skip
DIMENSIONS = ("text", "code", "flag", "day", "moment", "grade", "ratio")
MEASURES = ("whole", "broken", "wild", "money", "riches", "bounded", "few")
BOUNDS = {"bounded": (-20.0, 120.0), "few": (0.0, 3.0)}


@dataclass(frozen=True)
class Product:
    """A product of a world; a column is named by its kind and a number."""

    name: str
    kinds: Mapping[str, str]

    def offer(self, disclosure: Disclosure) -> Offer:
        """What its regions publish."""
        columns = {name: _column(kind) for name, kind in self.kinds.items()}
        return Offer(product=self.name, title=Title(en=""), columns=columns, disclosure=disclosure)

    @property
    def columns_sql(self) -> str:
        """Its columns as CREATE TABLE takes them."""
        own = [f"{name} {SQL_TYPES[kind]}" for name, kind in self.kinds.items()]
        return ", ".join(["person VARCHAR", *own])


def _column(kind: str) -> Column:
    sql = SQL_TYPES[kind]
    return Column(
        type=_TYPES.get(sql, ColumnType.DECIMAL),
        role=Role.DIMENSION if kind in DIMENSIONS else Role.MEASURE,
        bounds=BOUNDS.get(kind),
    )


Table = list[tuple[Any, ...]]
Rows = dict[str, Table]  # by product


@dataclass(frozen=True, repr=False)
class World:
    """Regions with an engine each; `pooled` has a table for each product, with `region`."""

    products: tuple[Product, ...]
    engines: Mapping[str, Engine]
    pooled: duckdb.DuckDBPyConnection

    def share(self, region: str, sql: str, disclosure: Disclosure) -> Share:
        """What one node would sign, as it comes off the wire."""
        offers = [product.offer(disclosure) for product in self.products]
        query = bind_query(parse_query(sql), *offers)
        raw = self.engines[region].run(query, render(query, region), lambda _: None)
        share = Share(
            region=region,
            key_names=key_names(query),
            aggregates=state_names(query),
            cells=disclose(raw, disclosure),
            round_to=disclosure.round_to,
        )
        wire = Partial()
        write_share(share, wire)
        return read_share(Partial.FromString(wire.SerializeToString()))

    def ask(self, sql: str, disclosure: Disclosure, order: Sequence[str] | None = None) -> Answer:
        """The combined answer; `order` is the order in which the shares come."""
        offers = [product.offer(disclosure) for product in self.products]
        shares = [self.share(region, sql, disclosure) for region in order or self.engines]
        return combine(bind_query(parse_query(sql), *offers), shares, list(self.engines))


@contextmanager
def world(products: Sequence[Product], split: Mapping[str, Rows]) -> Iterator[World]:
    """A world whose regions hold these rows."""
    folder = Path(tempfile.mkdtemp(prefix="world"))
    # As at the nodes: over columns without values DuckDB 2.0 fails with this optimizer.
    config: Any = {"threads": "1", "disabled_optimizers": "statistics_propagation"}
    pooled = duckdb.connect(config=config)
    engines: dict[str, Engine] = {}
    try:
        for product in products:
            pooled.execute(f"CREATE TABLE {product.name} (region VARCHAR, {product.columns_sql})")
            _insert(pooled, product, split)
        for region in split:
            _write(pooled, products, region, folder)
            engines[region] = Engine(folder / f"{region}.duckdb", LIMITS)
        yield World(tuple(products), engines, pooled)
    finally:
        pooled.close()
        for engine in engines.values():
            engine.close()
        shutil.rmtree(folder)


def _insert(pooled: duckdb.DuckDBPyConnection, product: Product, split: Mapping[str, Rows]) -> None:
    rows = [(region, *row) for region, own in split.items() for row in own[product.name]]
    if not rows:
        return
    names = ["region", "person", *product.kinds]
    texts = [
        [None if value is None else str(value) for value in column]
        for column in zip(*rows, strict=True)
    ]
    pooled.register("incoming", pa.table([pa.array(text, pa.string()) for text in texts], names))
    types = ["VARCHAR", "VARCHAR", *(SQL_TYPES[kind] for kind in product.kinds.values())]
    casts = [f"{name}::{kind}" for name, kind in zip(names, types, strict=True)]
    pooled.execute(f"INSERT INTO {product.name} SELECT {', '.join(casts)} FROM incoming")
    pooled.unregister("incoming")


def _write(
    pooled: duckdb.DuckDBPyConnection, products: Sequence[Product], region: str, folder: Path
) -> None:
    """What one region holds, to a file of its own."""
    pooled.execute(f"ATTACH '{folder / region}.duckdb' AS own; CREATE SCHEMA own.offered")
    for product in products:
        pooled.execute(
            f'CREATE TABLE own.offered."offer:{product.name}" AS '
            f"SELECT * EXCLUDE region FROM {product.name} WHERE region = '{region}'"
        )
    pooled.execute("DETACH own")


def people(draw: random.Random, products: Sequence[Product], count: int, mark: str) -> Rows:
    """Rows of so many persons: each has one or two rows in most products, and none in some."""
    rows: Rows = {product.name: [] for product in products}
    for number in range(count):
        for index, product in enumerate(products):
            times = draw.choice((1, 1, 1, 2) if index == 0 else (0, 1, 1, 2))
            for _ in range(times):
                values = [_maybe(draw, kind) for kind in product.kinds.values()]
                rows[product.name].append((f"{mark}-{number}", *values))
    return rows


def _maybe(draw: random.Random, kind: str) -> Any:
    return None if draw.random() < 0.08 else _value(draw, kind)


def _value(draw: random.Random, kind: str) -> Any:
    match kind:
        case "text":
            return draw.choice(("F", "M", "Ünïcode 陳", ""))
        case "code":
            return draw.choice((-1, 0, 1, 2))
        case "flag":
            return draw.random() < 0.5
        case "day":
            return draw.choice(("2010-01-31", "2010-02-01", "2011-02-28", "1969-12-29"))
        case "moment":
            return draw.choice(("2020-01-31 23:59:59.5", "2020-02-01 00:00", "1969-12-31 12:00"))
        case "grade":
            return draw.choice(("-0.50", "0.00", "2.25"))
        case "ratio":
            return draw.choice((-0.5, 0.0, 2.5))
        case "whole":
            return draw.choice((draw.randint(-20, 90), draw.randint(-20, 90), 10**12, -(10**12)))
        case "few":
            return draw.randint(0, 3)
        case "broken":
            return draw.choice((draw.uniform(40, 100), draw.uniform(40, 100), 0.1))
        case "wild":
            return draw.gauss(0, 1) * 10.0 ** draw.randint(-6, 9)
        case "money":
            return f"{draw.randint(-999, 99999)}.{draw.randint(0, 9999):04}"
        case "riches":
            return f"{draw.randint(-(10**24), 10**24)}.{draw.randint(0, 10**10 - 1):010}"
        case "bounded":
            return draw.choice((draw.uniform(0, 100), draw.gauss(50, 5), -20.0, 120.0))
    raise ValueError(kind)
