"""A node with rows that nobody may see, and a gate whose engine's SQL is written down.

The gatekeeper, ledger, log, policies and engine are the real ones; only the wire is left
out. One subject of `trial` stands apart in every column.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb

from dataspace.disclosure.cells import RawCell
from dataspace.home import PartyHome
from dataspace.query.bind import bind_query
from dataspace.query.expressions import view_name
from dataspace.query.parse import parse_query
from dataspace.query.partials import Share, read_share
from dataspace.query.product import Column, ColumnType, Disclosure, Product, Role, Title
from dataspace.query.render import render
from dataspace.query.tree import Query
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.catalogue import Catalogue, Published
from node.gatekeeper import Cancellation, Gatekeeper, now_ms
from node.service import Node
from node.warehouse.engine import Engine, Limits
from tests.attacks.forgery import Asker, make_request
from tests.federation.copies import still_copy
from tests.revocations import fresh_lists

# What only one subject has. No attack writes any of it but a fragment.
PERSON, WARD, NOTE, KIND = "pid-9184-wren", "Quixotry", "marmalade-77", "rarest"
COST, WEIGHT, AGE, SCORE, SINCE = 7391.4242, 990.8173, 117, 6173.0909, "1931-07-13"
TEXTS = (PERSON, NOTE, SINCE, "7391.4", "990.81", "6173.09", "marmalade")
NUMBERS = tuple(map(Decimal, ("7391.4242", "990.8173", "6173.0909")))
PEOPLE = 120

_D, _M = Role.DIMENSION, Role.MEASURE
_TRIAL = {
    "sex": Column(type=ColumnType.VARCHAR, role=_D, levels=("F", "M")),
    "arm": Column(type=ColumnType.INTEGER, role=_D, levels=(0, 1, 2)),
    "ward": Column(type=ColumnType.VARCHAR, role=_D, text_search=True),
    "smoker": Column(type=ColumnType.BOOLEAN, role=_D),
    "flag": Column(type=ColumnType.INTEGER, role=_D),
    "code": Column(type=ColumnType.INTEGER, role=_D),
    "level": Column(type=ColumnType.DOUBLE, role=_D),
    "since": Column(type=ColumnType.DATE, role=_D),
    "age": Column(type=ColumnType.INTEGER, role=_M, bounds=(0, 120)),
    "weight": Column(type=ColumnType.DOUBLE, role=_M, bounds=(0, 1000)),
    "cost": Column(type=ColumnType.DOUBLE, role=_M),
    "note": Column(type=ColumnType.VARCHAR, role=Role.WITHHELD),
}
_VISITS = {
    "kind": Column(type=ColumnType.VARCHAR, role=_D),
    "score": Column(type=ColumnType.DOUBLE, role=_M),
}


def _product(
    name: str, columns: dict[str, Column], disclosure: Disclosure | None = None, space: str = "x"
) -> Product:
    return Product(
        product=name,
        title=Title(en=name),
        columns=columns,
        disclosure=disclosure or Disclosure(),
        source="select 1",
        subject="pid",
        subject_space=space,
    )


PRODUCTS = (
    _product("trial", _TRIAL),
    _product("visits", _VISITS),
    _product("exact", _TRIAL, Disclosure(round_to=1)),
    _product("elsewhere", _VISITS, space="y"),
)


@dataclass
class Seen:
    """What an engine was handed, statement by statement."""

    statements: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)


@dataclass(frozen=True)
class _Twin:
    """A connection or cursor that writes down what it is handed, whoever uses it."""

    inner: Any
    seen: Seen

    def cursor(self) -> _Twin:
        return _Twin(self.inner.cursor(), self.seen)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> _Twin:
        self.seen.statements.append((sql, tuple(parameters)))
        self.inner.execute(sql, list(parameters))
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass(frozen=True)
class Told:
    """All that came of one statement."""

    outcome: str
    code: str
    share: Share | None
    signed: bytes
    entry: bytes
    body: bytes
    seen: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True)
class World:
    """One node of `macao` with its planted rows, and somebody who asks."""

    node: Node
    gatekeeper: Gatekeeper
    asker: Asker
    seen: Seen

    def ask(self, sql: str, **fields: Any) -> Told:
        """Sign a statement and hand it to the gate."""
        self.seen.statements.clear()
        envelope = self.asker.seal(make_request(sql, **fields))
        answer = self.gatekeeper.answer(envelope, lambda *_: None, Cancellation())
        outcome, code, share = _read(answer.body)
        entry = answer.receipt.entry
        return Told(
            outcome, code, share, answer.body.payload, entry, self._body(entry),
            tuple(self.seen.statements),
        )  # fmt: skip

    def rendered(self, sql: str) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """What an engine may be handed for a statement: the tree's own SQL."""
        made = render(_bound(sql), "macao")
        more = [(each.sql, tuple(each.parameters)) for each in made.labels]
        return ((made.sql, tuple(made.parameters)), *more)

    def raw(self, sql: str) -> tuple[RawCell, ...]:
        """The cells before disclosure control, which no gate hands out."""
        engine = self.gatekeeper.catalogue.engine
        assert engine is not None
        query = _bound(sql)
        return engine.run(query, render(query, "macao"), lambda _: None)

    def _body(self, entry: bytes) -> bytes:
        found = re.search(rb'"context":"([0-9a-f]{64})"', entry)
        assert found is not None
        return self.gatekeeper.recorder.bodies.get(found.group(1).decode()) or b""


def _bound(sql: str) -> Query:
    query = parse_query(sql)
    return bind_query(query, *(each for each in PRODUCTS if each.product in query.products))


def _read(body: Envelope) -> tuple[str, str, Share | None]:
    if body.payload_type.endswith(".partial.v1+protobuf"):
        share = read_share(query_pb2.Partial.FromString(body.payload))
        return "answered" if share.cells else "hidden", "", share
    status = query_pb2.Refusal.FromString(body.payload).status
    return status.error, status.code, None


@contextmanager
def planted_world(folder: Path) -> Iterator[World]:
    """A world in that folder."""
    space = still_copy(folder)
    node = Node.open(PartyHome(space.home / "macao"))
    node.in_force.take(fresh_lists(space.home, now_ms()))
    file = folder / "planted.duckdb"
    _fill(file)
    seen = Seen()
    connect = duckdb.connect

    def watched(*arguments: Any, **settings: Any) -> Any:
        return _Twin(connect(*arguments, **settings), seen)

    with patch.object(duckdb, "connect", watched):
        engine = Engine(file, Limits(threads=1, memory="256MB", seconds=20))
    published = {each.product: Published(each, Envelope()) for each in PRODUCTS}
    catalogue = Catalogue("g000001", published, engine, bytes(32))
    try:
        gatekeeper = replace(node.gatekeeper, catalogue=catalogue)
        yield World(node, gatekeeper, Asker.of(space), seen)
    finally:
        engine.close()
        node.close()


def _fill(file: Path) -> None:
    trial, visits = _trial(), _visits()
    with duckdb.connect(str(file)) as own:
        own.execute("CREATE SCHEMA offered")
        for name in ("trial", "exact"):
            view = view_name(name)
            own.execute(
                f"CREATE TABLE {view} (person VARCHAR, sex VARCHAR, arm BIGINT, ward VARCHAR, "
                "smoker BOOLEAN, flag BIGINT, code BIGINT, level DOUBLE, since DATE, age BIGINT, "
                "weight DOUBLE, cost DOUBLE, note VARCHAR)"
            )
            own.executemany(f"INSERT INTO {view} VALUES ({', '.join('?' * 13)})", trial)
        for name in ("visits", "elsewhere"):
            view = view_name(name)
            own.execute(f"CREATE TABLE {view} (person VARCHAR, kind VARCHAR, score DOUBLE)")
            own.executemany(f"INSERT INTO {view} VALUES (?, ?, ?)", visits)


def _trial() -> list[tuple[Any, ...]]:
    draw = random.Random(11)
    rows: list[tuple[Any, ...]] = [
        (
            f"pid-{number:04}", "FM"[number % 2], number % 3, ("Fern", "Gorse")[number % 2],
            number % 4 == 0, 0, 1, 0.5, f"20{number % 10 + 10}-0{number % 3 + 1}-11",
            20 + number % 60, round(draw.uniform(40, 100), 4), round(draw.uniform(10, 60), 4),
            "plain",
        )
        for number in range(PEOPLE)
    ]  # fmt: skip
    rows.append((PERSON, "F", 2, WARD, None, 1, 2, 1e100, SINCE, AGE, WEIGHT, COST, NOTE))
    return rows


def _visits() -> list[tuple[Any, ...]]:
    draw = random.Random(12)
    rows = [
        (f"pid-{number:04}", ("first", "second")[again], round(draw.uniform(1, 9), 4))
        for number in range(60)
        for again in range(2)
    ]
    return rows + [(PERSON, KIND, SCORE)] * 40
