"""Query tree to SQL for DuckDB. Values go as parameters, identifiers from the catalogue.

The caller's text never reaches an engine: only the tree does, and every name in it has
been resolved against the product before. An inner SELECT computes keys, conditions and
arguments of each row once; the outer one aggregates:

    SELECT k0, count(DISTINCT person), count(*) FILTER (WHERE ok0), sum(v0) FILTER (…) …
    FROM (SELECT t0.person AS person, … AS k0, … AS v0, … AS ok0 FROM … WHERE …)
    GROUP BY k0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataspace.query.aggregates import TABLE
from dataspace.query.expressions import ExpressionWriter, Parameter, view_name
from dataspace.query.product import ColumnType
from dataspace.query.quantiles import LEVELS
from dataspace.query.tree import (
    Aggregate,
    AggregateKind,
    CaseWhen,
    ColumnRef,
    Literal,
    Part,
    Query,
    Scalar,
    Source,
)


@dataclass(frozen=True)
class Labelled:
    """SQL for the labels of one state. Columns: the keys, then the label's value, level and
    position, its rows and its subjects."""

    state: int
    sql: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Rendered:
    """SQL with `?` for each parameter.

    Columns: the group keys, the subjects, then what `layout` says: for each state its
    pieces and the columns they are in. `labels` are further statements.
    """

    sql: str
    parameters: tuple[Parameter, ...]
    layout: tuple[dict[str, int], ...]
    labels: tuple[Labelled, ...]


def render(query: Query, region: str) -> Rendered:
    """The SQL of one node's share of a bound query."""
    rows = _Rows(query, region)
    keys = [f"k{index}" for index in range(len(query.keys))]
    columns = {text: index for index, text in enumerate([*keys, "count(DISTINCT person)"])}
    layout = []
    for state, (aggregate, part) in enumerate(query.states()):
        pieces = _pieces(aggregate, part, rows.slots[state], _rest(query, rows.slots, aggregate))
        layout.append(
            {name: columns.setdefault(text, len(columns)) for name, text in pieces.items()}
        )
    inner, parameters = rows.select()
    # SECURITY: made of catalogue names and our own operators alone; values are parameters.
    sql = f"SELECT {', '.join(columns)} FROM ({inner})"  # noqa: S608
    if keys:
        sql += f" GROUP BY {', '.join(keys)}"
    labels = tuple(
        Labelled(
            state,
            _label_sql(aggregate, rows.slots[state], keys, inner),
            (*_label_parameters(aggregate), *parameters),
        )
        for state, (aggregate, _) in enumerate(query.states())
        if "labels" in TABLE[aggregate.kind].pieces
    )
    return Rendered(sql, parameters, tuple(layout), labels)


@dataclass(frozen=True)
class _Slot:
    """Names of a state's columns in the inner SELECT; empty where there is none."""

    value: str
    other: str
    kept: str
    filtered: str
    within: str  # the FILTER around a CASE, of which `filtered` is a branch


def _rest(query: Query, slots: Sequence[_Slot], aggregate: Aggregate) -> str:
    """Which rows a CASE of several branches gives no value to; empty where it gives all one."""
    case = aggregate.argument
    if len(aggregate.parts) < 2 or not isinstance(case, CaseWhen):
        return ""
    if Literal(None) not in [*(value for _, value in case.branches), case.otherwise]:
        return ""
    owned = [
        slot for (each, _), slot in zip(query.states(), slots, strict=True) if each is aggregate
    ]
    within = [slot.within for slot in owned[:1] if slot.within]
    return " AND ".join([*within, *(f"{slot.filtered} IS NOT TRUE" for slot in owned)])


def _outside(slot: _Slot) -> str:
    """Subjects that a FILTER leaves out, or a branch of a CASE; the fewer of both."""
    persons = "count(DISTINCT person) FILTER (WHERE {} IS NOT TRUE)"
    if not slot.within:
        return persons.format(slot.filtered)
    branch = persons.format(f"{slot.within} AND {slot.filtered}")
    return f"least({branch}, {persons.format(slot.within)})"


def _pieces(aggregate: Aggregate, part: Part, slot: _Slot, rest: str) -> dict[str, str]:
    """What the engine computes for one state; disclosure makes it releasable."""
    kept = f" FILTER (WHERE {slot.kept})" if slot.kept else ""
    persons = f"count(DISTINCT person){kept}"
    pieces = {"count": persons if aggregate.kind is AggregateKind.COUNT_PERSONS else
              f"count(*){kept}"}  # fmt: skip
    if slot.kept:
        pieces["subjects"] = persons
    if rest:
        pieces["rest"] = f"count(DISTINCT person) FILTER (WHERE {rest})"
    if slot.filtered:
        pieces["outside"] = _outside(slot)
    needs = TABLE[aggregate.kind].pieces
    if "sum" in needs and slot.value:
        pieces |= _figures("", part.value.column if part.value else None, slot.value, kept)
    if "other_sum" in needs and slot.other:
        pieces |= _figures("other_", part.other.column if part.other else None, slot.other, kept)
    if "variance" in needs and slot.value:
        pieces["variance"] = f"var_samp({slot.value}::DOUBLE){kept}::VARCHAR"
    if "other_variance" in needs and slot.other:
        pieces["other_variance"] = f"var_samp({slot.other}::DOUBLE){kept}::VARCHAR"
    if "covariance" in needs and slot.value and slot.other:
        both = f"{slot.value}::DOUBLE, {slot.other}::DOUBLE"
        pieces["covariance"] = f"covar_samp({both}){kept}::VARCHAR"
    return pieces


def _figures(prefix: str, column: ColumnRef | None, x: str, kept: str) -> dict[str, str]:
    whole = column is not None and column.type is ColumnType.INTEGER
    decimal = column is not None and column.type is ColumnType.DECIMAL
    # fsum (Kahan) so that the order of summation does not show.
    total = f"sum({x}){kept}" if whole else f"fsum({x}){kept}"
    pieces = {}
    if decimal:
        # SECURITY: a sum of wide decimals may run over, and the error would tell of a row;
        # whole parts and fractions, each added up for itself, do not.
        total = f"sum(trunc({x})::HUGEINT){kept}"
        pieces[f"{prefix}fraction"] = f"sum({x} - trunc({x})){kept}::VARCHAR"
    pieces |= {
        f"{prefix}sum": f"{total}::VARCHAR",
        f"{prefix}low": f"min({x}){kept}::VARCHAR",
        f"{prefix}high": f"max({x}){kept}::VARCHAR",
    }
    if not whole:
        pieces[f"{prefix}whole"] = f"bool_and({x} = floor({x})){kept}"
    return pieces


def _label_sql(aggregate: Aggregate, slot: _Slot, keys: list[str], inner: str) -> str:
    """Rows and subjects of each label: a level, an interval, or a bin."""
    source, value, level, position = f"({inner})", slot.value, "0", "0"
    if aggregate.kind is AggregateKind.QUANTILE:
        low, high = _bounds(aggregate)
        source = f"({inner}), range({LEVELS + 1}) AS finer(step)"
        share = f"({slot.value}::DOUBLE - ({low!r})) / ({high - low!r})"
        position = f"least(greatest(floor({share} * (1 << step)), 0), (1 << step) - 1)::BIGINT"
        value, level = "NULL", "step"
    if aggregate.kind is AggregateKind.HISTOGRAM:
        above = f"({slot.value}::DOUBLE * ?::DOUBLE + ?::DOUBLE > ?::DOUBLE)::INT"
        value, position = "NULL", " + ".join([above] * len(aggregate.edges))
    columns = [*keys, f"{value} AS label", f"{level} AS lvl", f"{position} AS pos"]
    kept = f" WHERE {slot.kept}" if slot.kept else ""
    sql = f"SELECT {', '.join(columns)}, count(*), count(DISTINCT person) FROM {source}{kept}"  # noqa: S608
    return f"{sql} GROUP BY {', '.join(str(index + 1) for index in range(len(keys) + 3))}"


def _label_parameters(aggregate: Aggregate) -> tuple[Parameter, ...]:
    """Scale, offset and edge for each edge of a histogram, in the order of the text."""
    line = aggregate.parts[0].value
    if line is None or aggregate.kind is not AggregateKind.HISTOGRAM:
        return ()
    scale, offset = float(line.scale), float(line.offset)
    return tuple(each for edge in aggregate.edges for each in (scale, offset, float(edge)))


def _bounds(aggregate: Aggregate) -> tuple[float, float]:
    line = aggregate.parts[0].value
    if line is None or line.column is None or line.column.bounds is None:
        raise ValueError("a quantile without bounds")
    return line.column.bounds


class _Rows:
    """The inner SELECT: one row for each row that counts."""

    def __init__(self, query: Query, region: str) -> None:
        self._query = query
        optional = {f"t{i}" for i, source in enumerate(query.sources) if source.optional}
        self._writer = ExpressionWriter(region, frozenset(optional))
        self._columns = ["t0.person AS person"]
        self._named: dict[Scalar, str] = {}
        for index, key in enumerate(query.keys):
            self._columns.append(f"{self._writer.key(key)} AS k{index}")
        self.slots = tuple(self._slot(*state) for state in query.states())

    def select(self) -> tuple[str, tuple[Parameter, ...]]:
        """The SQL with its parameters."""
        sql = f"SELECT {', '.join(self._columns)} FROM {self._from()}"  # noqa: S608
        if self._query.where is not None:
            sql += f" WHERE {self._writer.scalar(self._query.where)}"
        return sql, tuple(self._writer.parameters)

    def _from(self) -> str:
        text = self._table(0, self._query.sources[0])
        for index, source in enumerate(self._query.sources[1:], start=1):
            join = "LEFT JOIN" if source.optional else "JOIN"
            text += f" {join} {self._table(index, source)} ON t0.person = t{index}.person"
        return text

    def _table(self, index: int, source: Source) -> str:
        view = view_name(source.product)
        if source.filter is None:
            return f"{view} AS t{index}"
        condition = self._writer.own(source.filter)
        return f"(SELECT * FROM {view} WHERE {condition}) AS t{index}"  # noqa: S608

    def _slot(self, aggregate: Aggregate, part: Part) -> _Slot:
        value = self._name(part.value.column if part.value else None, "v")
        other = self._name(part.other.column if part.other else None, "w")
        filtered = self._name(part.where, "f")
        branched = isinstance(aggregate.argument, CaseWhen)
        within = self._name(aggregate.where if branched else None, "f")
        conditions = [filtered, *(f"{each} IS NOT NULL" for each in (value, other) if each)]
        kept = " AND ".join(each for each in conditions if each)
        return _Slot(value, other, f"({kept})" if kept else "", filtered, within)

    def _name(self, scalar: Scalar | None, letter: str) -> str:
        if scalar is None:
            return ""
        if scalar not in self._named:
            self._named[scalar] = f"{letter}{len(self._named)}"
            self._columns.append(f"{self._writer.scalar(scalar)} AS {self._named[scalar]}")
        return self._named[scalar]
