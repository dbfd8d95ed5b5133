"""The table of aggregates in docs/query-language.md: measured here, written by `make docs`.

Three regions in one process answer each aggregate with rounding off and with the default
disclosure settings; one plain DuckDB over their pooled rows says what is true.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dataspace.query.bind import bind_query
from dataspace.query.parse import parse_query
from dataspace.query.product import Column, ColumnType, Disclosure, Offer, Role, Title
from dataspace.query.tree import AggregateKind
from node.warehouse.engine import Engine
from tests.unit.query.federation import LIMITS, Federation

DOCUMENT = Path(__file__).parents[3] / "docs/query-language.md"
BEGIN, END = "<!-- the table is written by `make docs` -->\n", "<!-- end of the table -->\n"

EXACT = Disclosure(min_subjects=5, round_to=1)
DEFAULT = Disclosure()
SIZES = {"guangzhou": 2_000, "hongkong": 1_200, "macao": 800}
EDGES = (60.0, 70.0, 80.0)
_TABLE = "person VARCHAR, arm BIGINT, ward VARCHAR, age BIGINT, weight DOUBLE, dose DOUBLE"
_DIGITS = 1e-11


@dataclass(frozen=True)
class Shown:
    """A line of the table. `sql` is what is measured, `pooled` DuckDB's own form of it."""

    kind: AggregateKind
    forms: tuple[str, ...]
    gives: str
    bound: str
    sql: str
    pooled: str = ""


_TWO = "2 a region"
_MEAN = "0.05 % a region; whole numbers: 1.25 / n more"
_ALL_OF = "what the states of the regions have, at 4 digits each"
LINES = (
    Shown(AggregateKind.COUNT_ROWS, ("count(*)",), "rows", _TWO, "count(*)"),
    Shown(AggregateKind.COUNT, ("count(x)",), "rows whose x is there; x of any type", _TWO,
          "count(weight)"),
    Shown(AggregateKind.COUNT_PERSONS, ("count(distinct person)",),
          "persons; over several regions the sum of theirs, and labelled so", _TWO,
          "count(distinct person)"),
    Shown(AggregateKind.COUNT_DISTINCT, ("count(distinct x)",),
          "levels of a dimension that enough subjects of some region have", "0",
          "count(distinct ward)"),
    Shown(AggregateKind.SUM, ("sum(x)",), "the sum", "as of the mean, and 2 × mean a region",
          "sum(weight)"),
    Shown(AggregateKind.AVG, ("avg(x)",), "the mean, regions weighted by their counts", _MEAN,
          "avg(weight)"),
    Shown(AggregateKind.VAR_SAMP, ("var_samp(x)",), "the sample variance; also `variance(x)`",
          _ALL_OF, "var_samp(weight)"),
    Shown(AggregateKind.STDDEV_SAMP, ("stddev_samp(x)",),
          "the sample standard deviation; also `stddev(x)`", _ALL_OF, "stddev_samp(weight)"),
    Shown(AggregateKind.COVAR_SAMP, ("covar_samp(y, x)",), "the sample covariance", _ALL_OF,
          "covar_samp(weight, dose)"),
    Shown(AggregateKind.CORR, ("corr(y, x)",), "Pearson's correlation, from -1 to 1", _ALL_OF,
          "corr(weight, dose)"),
    Shown(AggregateKind.REGR_SLOPE, ("regr_slope(y, x)",), "the slope of y over x", _ALL_OF,
          "regr_slope(weight, dose)"),
    Shown(AggregateKind.REGR_INTERCEPT, ("regr_intercept(y, x)",), "the line's y at x = 0", _ALL_OF,
          "regr_intercept(weight, dose)"),
    Shown(AggregateKind.REGR_R2, ("regr_r2(y, x)",), "the share of y's variance that x explains",
          _ALL_OF, "regr_r2(weight, dose)"),
    Shown(AggregateKind.QUANTILE, ("median(x)", "quantile(x, q)"),
          "the value below which a share q lies", "told beside each figure", "median(weight)"),
    Shown(AggregateKind.HISTOGRAM, ("histogram(x, [e1, e2, …])",),
          "rows in each bin, of the regions that show it; null where none does",
          "2 a bin and region",
          f"histogram(weight, {list(EDGES)})",
          "list_value(" + ", ".join(
              f"count(*) FILTER (WHERE weight > {low} AND weight <= {high})"
              for low, high in zip((-1.0, *EDGES), (*EDGES, 1000.0), strict=True)) + ")"),
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """How far answers were from the truth, at the worst, and how far they said they might be."""

    absolute: float
    relative: float
    told: float | None = None


def offer(disclosure: Disclosure) -> Offer:
    """The product that is measured."""
    dimension, measure = Role.DIMENSION, Role.MEASURE
    columns = {
        "arm": Column(type=ColumnType.INTEGER, role=dimension, levels=(0, 1, 2, 3)),
        "ward": Column(type=ColumnType.VARCHAR, role=dimension),
        "age": Column(type=ColumnType.INTEGER, role=measure, bounds=(0, 110)),
        "weight": Column(type=ColumnType.DOUBLE, role=measure, bounds=(40, 110)),
        "dose": Column(type=ColumnType.DOUBLE, role=measure),
    }
    return Offer(product="trial", title=Title(en="Trial"), columns=columns, disclosure=disclosure)


@contextmanager
def sample(folder: Path) -> Iterator[Federation]:
    """Three regions, always of the same rows."""
    draw = random.Random(175)
    pooled = duckdb.connect()
    pooled.execute(f"CREATE TABLE trial ({_TABLE})")
    engines = {}
    with ExitStack() as stack:
        stack.callback(pooled.close)
        for region, people in SIZES.items():
            rows = _rows(draw, region, people)
            file = folder / f"{region}.duckdb"
            with duckdb.connect(str(file)) as own:
                own.execute(f'CREATE SCHEMA offered; CREATE TABLE offered."offer:trial" ({_TABLE})')
                own.register("rows", rows)
                own.execute('INSERT INTO offered."offer:trial" SELECT * FROM rows')
            pooled.register("rows", rows)
            pooled.execute("INSERT INTO trial SELECT * FROM rows")
            engines[region] = Engine(file, LIMITS)
            stack.callback(engines[region].close)
        yield Federation(engines, pooled)


def _rows(draw: random.Random, region: str, people: int) -> pa.Table:
    columns = ("person", "arm", "ward", "age", "weight", "dose")
    rows = [(f"{region}-{number}", *_person(draw)) for number in range(people)]
    return pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True)))


def _person(draw: random.Random) -> tuple[Any, ...]:
    arm, age = draw.randrange(4), draw.randint(18, 90)
    dose = round(draw.uniform(0, 50), 2)
    weight = round(45 + 0.4 * dose + draw.uniform(0, 40), 1)
    return arm, draw.choice("abcdef"), age, None if draw.random() < 0.05 else weight, dose


def measure(federation: Federation, line: Shown, disclosure: Disclosure) -> Measured:
    """One aggregate, over all rows and by arm, against the pooled rows."""
    worst: list[Measured] = []
    for keys, group in (("", ""), ("arm, ", " GROUP BY arm ORDER BY arm")):
        own = offer(disclosure)
        query = bind_query(parse_query(f"SELECT {keys}{line.sql} AS f FROM trial{group}"), own)
        answer = federation.ask(query, own)
        pooled = f"SELECT {keys}{line.pooled or line.sql} AS f FROM trial{group}"
        truth = federation.pooled.execute(pooled).fetchall()
        for index, (row, true) in enumerate(zip(answer.rows, truth, strict=True)):
            told = answer.error_bounds[index]["f"] if answer.error_bounds else None
            worst.append(_apart(row[-1], true[-1], told))
    bounds = [each.told for each in worst if each.told is not None]
    return Measured(
        max(each.absolute for each in worst),
        max(each.relative for each in worst),
        max(bounds, default=None),
    )


def _apart(got: Any, true: Any, told: float | None) -> Measured:
    if isinstance(true, list):
        pairs = [(a, b) for a, b in zip(got, true, strict=True) if a is not None]
        return Measured(max(abs(a - b) for a, b in pairs), max(abs(a - b) / b for a, b in pairs))
    off = abs(float(got) - float(true))
    return Measured(off, off / abs(float(true)), told)


def is_exact(measured: Measured) -> bool:
    """Whether all the digits shown are right."""
    return measured.relative <= _DIGITS


def table(federation: Federation) -> str:
    """The table in Markdown."""
    head = (
        "| function | gives | exact with rounding off | bound of the error with rounding on | "
        "measured |"
    )
    lines = [head, "|---|---|---|---|---|"]
    for line in LINES:
        exact, rounded = (measure(federation, line, each) for each in (EXACT, DEFAULT))
        forms = ", ".join(f"`{each}`" for each in line.forms)
        lines.append(
            f"| {forms} | {line.gives} | {_exactness(exact)} | {line.bound} | {_error(rounded)} |"
        )
    return "\n".join(lines) + "\n"


def _exactness(measured: Measured) -> str:
    if is_exact(measured):
        return "yes"
    return f"no: {measured.absolute:.2g} off, ± {measured.told:.2g} told"


def _error(measured: Measured) -> str:
    if measured.told is not None:
        return f"{measured.absolute:.2g} off, ± {measured.told:.2g} told"
    if measured.absolute == int(measured.absolute):
        return f"{int(measured.absolute)} off"
    return f"{100 * measured.relative:.1g} %"


def written(document: str, federation: Federation) -> str:
    """The document with the table as it is now."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(federation)}\n{END}{after}"


def main() -> None:
    """Write the table into its document."""
    with tempfile.TemporaryDirectory() as folder, sample(Path(folder)) as federation:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), federation))
    sys.stdout.write(f"{DOCUMENT.name} is written\n")


if __name__ == "__main__":
    main()
