"""Generated questions over all of the language, in parts that the reference can use.

Nothing here is of the code under test: what stands behind each figure is written down as
plain SQL beside its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from tests.unit.query.worlds import MEASURES, Product

CONDITIONS = {
    "text": ("{x} = 'F'", "{x} IN ('F', NULL)", "{x} NOT IN ('M', '')", "{x} IS NULL",
             "{x} > 'G'"),
    "code": ("{x} >= 1", "{x} % 2 = 1", "({x} + 1) * 2 >= 4", "nullif({x}, 0) IS NULL",
             "{x} = 1.0"),
    "flag": ("{x}", "NOT {x}", "coalesce({x}, TRUE)"),
    "day": ("{x} >= DATE '2010-02-01'", "month({x}) = 1", "year({x}) <> 2010",
            "date_diff('week', DATE '2010-01-30', {x}) > 0"),
    "moment": ("{x} < TIMESTAMP '2020-02-01 00:00:00'", "extract(quarter from {x}) = 1",
               "date_trunc('month', {x}) = TIMESTAMP '2020-01-01 00:00:00'", "dayofweek({x}) > 3"),
    "grade": ("{x} > 0.5", "{x} = 2.25", "abs({x}) >= 0.50"),
    "ratio": ("{x} < 0.1", "{x} = 2.5", "round({x}) <> 0"),
    "whole": ("{x} >= 30", "{x} BETWEEN 0 AND 60", "{x} IS NOT NULL"),
    "few": ("{x} < 2", "NOT ({x} >= 3)"),
    "broken": ("{x} > 60.5", "40 <= {x}"),
    "wild": ("{x} > 0", "{x} BETWEEN -1e3 AND 1e3"),
    "money": ("{x} > 100.5", "{x} <= 50000"),
    "riches": ("{x} > 0", "{x} < 1e20"),
    "bounded": ("{x} > 50", "{x} >= 20 AND {x} < 80"),
}  # fmt: skip
KEYS = {
    "text": ("{x}", "coalesce({x}, 'none')", "nullif({x}, '')"),
    "code": ("{x}", "{x} + 1", "{x} % 2", "-{x}", "abs({x})", "{x} // 2", "{x} IN (1, 2, NULL)"),
    "flag": ("{x}", "NOT {x}"),
    "day": ("{x}", "year({x})", "quarter({x})", "month({x})", "week({x})", "day({x})",
            "dayofweek({x})", "date_trunc('month', {x})", "extract(day from {x})",
            "date_diff('month', DATE '2010-01-01', {x})"),
    "moment": ("{x}", "year({x})", "date_trunc('week', {x})", "date_trunc('quarter', {x})",
               "date_diff('day', DATE '2020-01-01', {x})", "dayofweek({x})"),
    "grade": ("{x}", "{x} > 1"),
    "ratio": ("{x}", "round({x})"),
    **dict.fromkeys(
        MEASURES, ("{x} >= 40", "CASE WHEN {x} < 20 THEN 'low' WHEN {x} < 60 THEN 'middle' END")
    ),
}  # fmt: skip
NUMBERS = ("code", "grade", "ratio", *MEASURES)
LINES = ("{x}", "{x}", "-{x}", "2 * {x} + 1", "({x} - 3) / 4", "1.5 * {x}", "10 - {x}")
ONE = ("sum", "avg", "var_samp", "stddev_samp")
TWO = ("covar_samp", "corr", "regr_slope", "regr_intercept", "regr_r2")
DIRECTIONS = ("", " ASC", " DESC", " NULLS FIRST", " DESC NULLS FIRST", " DESC NULLS LAST")


@dataclass(frozen=True)
class Column:
    """A column as a question names it."""

    x: str
    kind: str


@dataclass(frozen=True)
class Behind:
    """Rows behind a figure: those that meet `where` and in which `there` are not null.

    `alone`: what it leaves out is no cell of its own.
    """

    where: str = ""
    there: tuple[str, ...] = ()
    alone: bool = False


@dataclass(frozen=True)
class Value:
    """An output. For figures, `name` with its argument(s) and filter, to judge closeness by."""

    text: str
    behind: tuple[Behind, ...] = ()
    name: str = ""
    x: str = ""
    y: str = ""
    where: str = ""


@dataclass(frozen=True)
class Question:
    """A SELECT in its parts. Outputs: keys `k0`, …, then `n`, then values `v0`, …"""

    cte: str
    origin: str
    where: str
    keys: tuple[str, ...]
    values: tuple[Value, ...]
    having: Value
    order: tuple[str, ...]
    tail: str

    @property
    def sql(self) -> str:
        """What is asked of the space."""
        return self.written(tail=self.tail)

    def written(self, and_where: str = "", tail: str = "", more: Sequence[str] = ()) -> str:
        """The text, with a further condition and further outputs for the reference."""
        outputs = [f"{key} AS k{n}" for n, key in enumerate(self.keys)] + ["count(*) AS n"]
        outputs += [f"{value.text} AS v{n}" for n, value in enumerate(self.values)]
        sql = f"{self.cte}SELECT {', '.join([*outputs, *more])} FROM {self.origin}"
        where = " AND ".join(f"({each})" for each in (self.where, and_where) if each)
        sql += f" WHERE {where}" if where else ""
        sql += f" GROUP BY {', '.join(self.keys)}" if self.keys else ""
        sql += f" HAVING {self.having.text}" if self.having.text else ""
        sql += f" ORDER BY {', '.join(self.order)}" if self.order else ""
        return sql + tail

    @property
    def behind(self) -> tuple[Behind, ...]:
        """What stands behind each figure asked for, each once."""
        every = [each for value in (*self.values, self.having) for each in value.behind]
        return tuple(dict.fromkeys(every))

    @property
    def order_places(self) -> list[int]:
        """Where the outputs stand that it orders by."""
        width = len(self.keys)
        place = {"k": 0, "n": width, "v": width + 1}
        names = [key.split()[0] for key in self.order]
        return [place[name[0]] + int(name[1:] or 0) for name in names]


def _as_one_key(text: str) -> str:
    """Two spellings of one key: a query may hold it once."""
    return text.replace("extract(day from ", "day(")


@st.composite
def questions(draw: st.DrawFn, products: Sequence[Product]) -> Question:
    """Any question that the language has, labels aside."""
    cte, origin, columns = draw(_origins(products))
    by_region = "t.region"
    pool = [by_region, *(k.format(x=c.x) for c in columns for k in KEYS[c.kind])]
    keys = tuple(draw(st.lists(st.sampled_from(pool), max_size=2, unique_by=_as_one_key)))
    values = tuple(draw(st.lists(_values(columns), max_size=3, unique_by=lambda v: v.text)))
    names = [f"k{n}" for n in range(len(keys))] + ["n"]
    names += [f"v{n}" for n, value in enumerate(values) if value.name not in TWO]
    order = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    limit, offset = draw(st.none() | st.integers(0, 9)), draw(st.none() | st.integers(0, 3))
    tail = f" LIMIT {limit}" if limit is not None else ""
    return Question(
        cte=cte,
        origin=origin,
        where=draw(st.just("") | st.just("") | _conditions(columns)),
        keys=keys,
        values=values,
        having=draw(st.just(Value("")) | st.just(Value("")) | _having(columns)),
        order=tuple(name + draw(st.sampled_from(DIRECTIONS)) for name in order),
        tail=tail + (f" OFFSET {offset}" if offset is not None else ""),
    )


@st.composite
def _origins(draw: st.DrawFn, products: Sequence[Product]) -> tuple[str, str, tuple[Column, ...]]:
    ctes: list[str] = []
    columns: list[Column] = []
    text = ""
    for index in range(draw(st.integers(1, 2))):
        product = products[0] if index == 0 else draw(st.sampled_from(list(products)))
        name, alias = product.name, "tv"[index]
        own = [Column(x, kind) for x, kind in product.kinds.items()]
        if draw(st.integers(0, 3)) == 0:
            name = f"w{index}"
            renamed = ", ".join(f"{each.x} AS r_{each.x}" for each in own)
            where = draw(st.just("") | _conditions(own))
            kept = f" WHERE {where}" if where else ""
            ctes.append(f"{name} AS (SELECT person, region, {renamed} FROM {product.name}{kept})")
            own = [Column(f"r_{each.x}", each.kind) for each in own]
        columns += [Column(f"{alias}.{each.x}", each.kind) for each in own]
        columns.append(Column(f"{alias}.region", "text"))
        if index == 0:
            text = f"{name} t"
        else:
            join = draw(st.sampled_from(("JOIN", "LEFT JOIN", "INNER JOIN", "LEFT OUTER JOIN")))
            on = draw(st.sampled_from(("ON t.person = v.person", "ON (v.person = t.person)",
                                       "USING (person)")))  # fmt: skip
            text += f" {join} {name} v {on}"
    return f"WITH {', '.join(ctes)} " if ctes else "", text, tuple(columns)


def _conditions(columns: Sequence[Column]) -> st.SearchStrategy[str]:
    single = st.sampled_from(
        [each.format(x=c.x) for c in columns for each in CONDITIONS[c.kind]] + ["NULL", "TRUE"]
    )
    joined = st.tuples(single, st.sampled_from(("AND", "OR", "OR")), single)
    return single | joined.map(lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})")


@st.composite
def _values(draw: st.DrawFn, columns: Sequence[Column]) -> Value:
    kind = draw(st.sampled_from(("count", "one", "one", "one", "two", "composed")))
    value = draw(
        {"count": _counts, "one": _ones, "two": _twos, "composed": _composed}[kind](columns)
    )
    if kind == "composed" or draw(st.integers(0, 2)):
        return replace(value, behind=with_rest(value.x, value.behind))
    where = draw(_conditions(columns))
    behind = tuple(replace(each, where=_and(each.where, where)) for each in value.behind)
    return replace(
        value,
        text=f"{value.text} FILTER (WHERE {where})",
        behind=with_rest(value.x, behind, where),
        where=where,
    )


@st.composite
def _counts(draw: st.DrawFn, columns: Sequence[Column]) -> Value:
    column = draw(st.sampled_from(columns))
    return draw(
        st.sampled_from(
            (
                Value("count(*)", (Behind(),)),
                Value("count(distinct t.person)", (Behind(),)),
                Value("count(1)", (Behind(),)),
                Value(f"count({column.x})", (Behind(there=(column.x,)),)),
            )
        )
    )


def _and(*conditions: str) -> str:
    return " AND ".join(f"({each})" for each in conditions if each)


@st.composite
def _line(draw: st.DrawFn, columns: Sequence[Column]) -> tuple[str, tuple[str, ...]]:
    """A linear argument, and its column."""
    numbers = [each for each in columns if each.kind in NUMBERS]
    column = draw(st.sampled_from(numbers))
    # Twice as wide a decimal is more than the reference can compute with.
    lines = LINES[:3] if column.kind == "riches" else LINES
    return draw(st.sampled_from(lines)).format(x=column.x), (column.x,)


@st.composite
def _argument(draw: st.DrawFn, columns: Sequence[Column]) -> tuple[str, tuple[Behind, ...]]:
    """A line, or a CASE over lines, constants and NULL, with the rows behind each branch."""
    line, there = draw(_line(columns))
    if draw(st.integers(0, 3)):
        return line, (Behind(there=there),)
    text = "CASE"
    behind: list[Behind] = []
    earlier: list[str] = []
    constants = st.sampled_from((("1", ()), ("2.5", ()), ("NULL", None)))
    for index in range(draw(st.integers(1, 2))):
        condition = draw(_conditions(columns))
        value, own = (line, there) if index == 0 else draw(_line(columns) | constants)
        text += f" WHEN {condition} THEN {value}"
        if own is not None:
            behind.append(Behind(_and(*earlier, condition), own))
        earlier.append(f"({condition}) IS NOT TRUE")
    value, own = draw(st.just(("", None)) | _line(columns) | constants)
    if own is not None:
        behind.append(Behind(_and(*earlier), own))
    text += f" ELSE {value}" if value else ""
    return f"{text} END", tuple(behind)


def with_rest(argument: str, behind: tuple[Behind, ...], where: str = "") -> tuple[Behind, ...]:
    """The same, and the rows to which a CASE of several branches gives no value; under a FILTER
    also those within it that a branch leaves out."""
    if where and argument.startswith("CASE"):
        left_out = [_and(where, f"({each.where}) IS NOT TRUE") for each in behind]
        within = (Behind(where), *(Behind(each, alone=True) for each in left_out))
    else:
        within = ()
    gives_none = " THEN NULL" in argument or " ELSE " not in argument or "ELSE NULL" in argument
    if len(behind) < 2 or not argument.startswith("CASE") or not gives_none:
        return (*behind, *within)
    none = " AND ".join(f"({each.where}) IS NOT TRUE" for each in behind)
    return (*behind, *within, Behind(_and(where, none), alone=True))


@st.composite
def _ones(draw: st.DrawFn, columns: Sequence[Column]) -> Value:
    name = draw(st.sampled_from(ONE))
    argument, behind = draw(_argument(columns))
    return Value(f"{name}({argument})", behind, name, argument)


@st.composite
def _twos(draw: st.DrawFn, columns: Sequence[Column]) -> Value:
    name = draw(st.sampled_from(TWO))
    (y, first), (x, second) = draw(_line(columns)), draw(_line(columns))
    return Value(f"{name}({y}, {x})", (Behind(there=first + second),), name, y, x)


@st.composite
def _composed(draw: st.DrawFn, columns: Sequence[Column]) -> Value:
    """What is computed from exact figures, so that no rounding is magnified."""
    wholes = [each.x for each in columns if each.kind in {"code", "whole", "few"}]
    monies = [each.x for each in columns if each.kind in {"money", "grade"}]
    w, m = draw(st.sampled_from(wholes)), draw(st.sampled_from(monies or wholes))
    where = draw(_conditions(columns))
    text, there = draw(
        st.sampled_from((
            (f"sum({w}) / count(*)", w), (f"sum({w}) // count(*)", w), (f"sum({w}) % 7", w),
            (f"sum({m}) + 1.5", m), (f"sum({m}) * 2 - sum({m})", m), (f"-sum({m})", m),
            (f"abs(sum({m}))", m), (f"coalesce(sum({m}), 0)", m), ("count(*) % 3", ""),
            ("CASE WHEN count(*) >= 20 THEN 'many' ELSE 'few' END", ""),
            (f"CASE WHEN sum({w}) > 100 THEN sum({w}) END", w), (f"sum({w}) BETWEEN 0 AND 999", w),
            ("nullif(count(*), 10)", ""), ("1.5 * count(*)", ""),
        ))
    )  # fmt: skip
    if draw(st.booleans()):
        extra = f"count(*) FILTER (WHERE {where})"
        behind = (Behind(there=(there,) if there else ()), Behind(where=where))
        return Value(f"CASE WHEN {extra} > 9 THEN {text} END", behind)
    return Value(text, (Behind(there=(there,) if there else ()),))


@st.composite
def _having(draw: st.DrawFn, columns: Sequence[Column]) -> Value:
    wholes = [each.x for each in columns if each.kind in {"code", "whole", "few"}]
    w, where = draw(st.sampled_from(wholes)), draw(_conditions(columns))
    return draw(
        st.sampled_from((
            Value("n > 9"), Value("count(*) > 9 OR NULL"), Value("NULL"),
            Value("count(distinct t.person) BETWEEN 6 AND 40"),
            Value(f"sum({w}) % 2 = 0", (Behind(there=(w,)),)),
            Value(f"avg({w}) > 0.123456", (Behind(there=(w,)),)),
            Value(f"count(*) FILTER (WHERE {where}) > 7", (Behind(where=where),)),
        ))
    )  # fmt: skip
