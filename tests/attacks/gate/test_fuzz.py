"""Any statement at all: a query of our own, or no query; and a query tells of no row.

One strategy writes statements after a grammar that is wider than the language, the other
tears the statements of the table apart. Both stop after so many seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataspace.disclosure.cells import disclose
from dataspace.disclosure.settings import strictest
from dataspace.errors import Malformed, Refused
from dataspace.query.bind import bind_query
from dataspace.query.combine import key_names, state_names
from dataspace.query.parse import parse_query
from dataspace.query.partials import Share, write_share
from dataspace.query.render import Rendered, render
from dataspace.query.tree import Query
from dataspace.v1.query_pb2 import Partial
from tests.attacks.gate.attacks import written_down
from tests.attacks.gate.world import PRODUCTS, TEXTS, World, planted_world

SECONDS = 7  # for each of the two
OFFERS = {product.product: product for product in PRODUCTS}
# All that SQL of ours may be made of; a caller's words are not among it.
_OURS = re.compile(
    r"SELECT|FROM|WHERE|GROUP|BY|AS|AND|OR|NOT|IS|NULL|TRUE|FALSE|BETWEEN|IN|LIKE|CASE|WHEN|THEN|"
    r"ELSE|END|LEFT|JOIN|ON|DISTINCT|FILTER|TRY|DOUBLE|VARCHAR|INT|BIGINT|count|sum|fsum|min|max|"
    r"bool_and|floor|ceil|round|abs|least|greatest|range|var_samp|covar_samp|isfinite|coalesce|"
    r"nullif|date_trunc|date_diff|year|quarter|month|week|day|dayofweek|person|offered|finer|step|"
    r"label|lvl|pos|[tkvwf][0-9]+"
)
_KNOWN = {name for product in PRODUCTS for name in product.columns} | {
    f"offer:{name}" for name in OFFERS
}


def _words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


_COLUMNS = _words(
    "sex arm ward smoker flag code level since age weight cost note person region kind score k "
    "t.sex v.kind c.k t.person v.region rowid arm2 t.* *"
)
_LITERALS = _words(
    "0 1 2 7000 4711.4711 1e300 98989898 -1 'F' 'Zz9zebra' '' '%' 'Q%' null true date'1931-01-01' "
    "timestamp'1999-12-31' 1e999 x'41' '\u00e9' $1 ? [1] {'a':1}"
)
_OPERATORS = _words("= <> < <= > >= + - * / // % and or like || :: -> is between in ** & .")
_FUNCTIONS = _words(
    "abs floor ceil round coalesce nullif year month week date_trunc date_diff not - count sum avg "
    "median quantile histogram corr regr_slope covar_samp stddev_samp min max list error cast "
    "query read_csv extract struct_pack exists array"
)


def _expressions() -> st.SearchStrategy[str]:
    return st.recursive(
        _COLUMNS | _LITERALS,
        lambda inner: st.one_of(
            st.tuples(inner, _OPERATORS, inner).map(" ".join),
            st.tuples(_FUNCTIONS, inner).map(lambda each: f"{each[0]}({each[1]})"),
            st.tuples(_FUNCTIONS, inner, inner).map(
                lambda each: f"{each[0]}({', '.join(each[1:])})"
            ),
            st.tuples(inner, inner, inner).map(
                lambda each: f"case when {each[0]} then {each[1]} else {each[2]} end"
            ),
            inner.map(lambda each: f"({each})"),
            st.tuples(inner, inner).map(lambda each: f"{each[0]} between 0 and {each[1]}"),
        ),
        max_leaves=5,
    )


_CONDITIONS = st.one_of(
    st.sampled_from(
        ("flag = 1", "cost > 7000", "ward like 'Q%'", "age between 100 and 120", "not (flag = 1)",
         "sex = 'F'", "since < date '1950-01-01'", "arm in (0, 1)", "smoker is null"),
    ),
    _expressions(),
)  # fmt: skip
_AGGREGATES = st.one_of(
    st.sampled_from(("count(*)", "count(distinct person)", "count(distinct ward)")),
    st.tuples(
        _words("count sum avg var_samp stddev_samp median"),
        _words("cost weight age flag code level arm") | _expressions(),
    ).map(lambda each: f"{each[0]}({each[1]})"),
    st.sampled_from(
        ("quantile(weight, 1)", "histogram(weight, [900, 990])", "corr(cost, flag)",
         "regr_slope(cost, age)", "sum(case when flag = 0 then cost when sex = 'F' then 1 end)"),
    ),
    _expressions(),
)  # fmt: skip
_SOURCES = st.sampled_from(
    (
        "trial", "trial", "trial", "exact", "trial t join visits v on t.person = v.person",
        "trial t left join visits v using (person)", "macao.trial", "c", "trial, visits",
        "(select * from trial) t", "read_csv('x')", "visits v join c on v.person = c.person",
    )
)  # fmt: skip


@st.composite
def _statements(draw: st.DrawFn) -> str:
    text = ""
    if draw(st.integers(0, 3)) == 0:
        text = f"with c as (select person, {draw(_expressions())} as k from trial"
        text += f" where {draw(_CONDITIONS)}) " if draw(st.booleans()) else ") "
    outputs = []
    for number in range(draw(st.integers(1, 3))):
        output = draw(_AGGREGATES)
        if draw(st.integers(0, 2)) == 0:
            output += f" filter (where {draw(_CONDITIONS)})"
        outputs.append(f"{output} as a{number}")
    key = draw(st.sampled_from(("", "", "sex", "ward", "flag")) | _expressions())
    text += f"select {', '.join([f'{key} as key', *outputs] if key else outputs)} "
    text += f"from {draw(_SOURCES)}"
    for clause in ("where {}", "having {}", "order by {}", "limit {}"):
        if clause.startswith("having") and key:
            text += " group by 1"
        if draw(st.integers(0, 3)) == 0:
            text += " " + clause.format(draw(_CONDITIONS))
    return text


_PIECES = [
    re.findall(r"\w+|\s+|[^\w\s]", each.statement) for each in written_down() if each.statement
]
_ALL = sorted({piece for pieces in _PIECES for piece in pieces})


@st.composite
def _torn(draw: st.DrawFn) -> str:
    pieces = list(draw(st.sampled_from(_PIECES)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(pieces) - 1, 0)))
        match draw(st.sampled_from(("drop", "add", "swap", "other"))):
            case "drop":
                del pieces[place : place + draw(st.integers(1, 3))]
            case "add":
                pieces.insert(place, draw(st.sampled_from(_ALL)))
            case "swap":
                pieces[place:place] = draw(st.sampled_from(_PIECES))[place : place + 6]
            case "other":
                pieces[place : place + 1] = [draw(st.sampled_from(_ALL))]
    return "".join(pieces)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with planted_world(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


_FREE = settings(
    max_examples=700,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def until() -> float:
    """When to stop."""
    return time.monotonic() + SECONDS


@_FREE
@given(_statements())
def test_a_statement_of_a_wider_grammar_is_ours_or_none(
    world: World, until: float, sql: str
) -> None:
    if time.monotonic() < until:
        _try(world, sql)


@_FREE
@given(_torn())
def test_a_statement_torn_apart_is_ours_or_none(world: World, until: float, sql: str) -> None:
    if time.monotonic() < until:
        _try(world, sql)


def _try(world: World, sql: str) -> None:
    try:
        query = parse_query(sql)
        if not set(query.products) <= OFFERS.keys():
            return
        bound = bind_query(query, *(OFFERS[name] for name in query.products))
    except (Malformed, Refused) as error:
        assert error.code
        assert len(error.message) < 500
        return
    rendered = render(bound, "macao")
    _is_ours(rendered)
    _tells_nothing(world, bound, rendered)


def _is_ours(rendered: Rendered) -> None:
    for text in (rendered.sql, *(each.sql for each in rendered.labels)):
        assert "'" not in text
        assert set(re.findall(r'"([^"]*)"', text)) <= _KNOWN
        assert all(map(_OURS.fullmatch, re.findall(r"[A-Za-z_]\w*", re.sub(r'"[^"]*"', "", text))))
        assert not re.search(r"4711|98989898|7000|1e300", text)


def _tells_nothing(world: World, query: Query, rendered: Rendered) -> None:
    engine = world.gatekeeper.catalogue.engine
    assert engine is not None
    # An engine's error here would be one that a row's value, or a type, brought about.
    raw = engine.run(query, rendered, lambda _: None)
    kept = strictest([OFFERS[name].disclosure for name in query.products])
    cells = disclose(raw, kept)
    shown = {cell.keys for cell in cells}
    assert all(each.subjects >= kept.min_subjects for each in raw if each.keys in shown)
    share = Share("macao", key_names(query), state_names(query), cells, kept.round_to)
    partial = Partial()
    write_share(share, partial)
    signed = partial.SerializeToString()
    assert not any(text.encode() in signed for text in TEXTS)
