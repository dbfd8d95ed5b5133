"""What to write instead: the nearest permitted form for what was refused. Values alone."""

from __future__ import annotations

import difflib
import re

from dataspace.errors import DataspaceError

FUNCTIONS = (
    "count", "sum", "avg", "var_samp", "stddev_samp", "covar_samp", "corr", "regr_slope",
    "regr_intercept", "regr_r2", "median", "quantile", "histogram", "abs", "floor", "ceil",
    "round", "coalesce", "nullif", "year", "quarter", "month", "week", "day", "dayofweek",
    "date_trunc", "date_diff", "extract",
)  # fmt: skip
_INSTEAD = {
    "min": "quantile(x, 0.05)", "max": "quantile(x, 0.95)", "mode": "count(*) with GROUP BY x",
    "first": "an aggregate", "last": "an aggregate", "any_value": "an aggregate",
    "list": "count(*) with GROUP BY x", "array_agg": "count(*) with GROUP BY x",
    "string_agg": "count(*) with GROUP BY x", "group_concat": "count(*) with GROUP BY x",
    "approx_count_distinct": "count(distinct x)", "var_pop": "var_samp(x)",
    "stddev_pop": "stddev_samp(x)", "covar_pop": "covar_samp(y, x)",
    "approx_quantile": "quantile(x, 0.5)",
}  # fmt: skip
_BY_CODE = {
    "bare-column": "SELECT x, count(*) … GROUP BY x",
    "no-aggregate": "SELECT x, count(*) … GROUP BY x",
    "count-distinct": "count(distinct person)",
    "subject-column": "count(distinct person)",
    "no-source": "SELECT count(*) FROM product",
    "source": "SELECT count(*) FROM product",
    "one-statement": "one SELECT, without a semicolon in it",
    "not-select": "SELECT count(*) FROM product",
    "join": "FROM a JOIN b ON a.person = b.person",
    "linkage": "FROM guangzhou.a g JOIN macao.b m ON g.person = m.person, each region once",
    "overlap-count": "SELECT count(distinct g.person) FROM …",
    "overlap-alias": "g.x, with the alias of its side",
    "overlap-where": "WHERE g.x = 1 AND m.y = 2, each condition of one side",
    "overlap-left": "WITH m AS (SELECT person, y FROM macao.b WHERE y = 2) … LEFT JOIN m",
    "overlap-rows": "SELECT count(distinct g.person) FROM …",
    "overlap-union": "SELECT count(distinct person) FROM product WHERE …",
    "role": "x >= 40, or x BETWEEN 20 AND 40",
    "like": "x = 'text', or x IN ('one', 'two')",
    "aggregate-argument": "avg(x), or avg(1.8 * x + 32)",
    "group-key": "GROUP BY a dimension, or a range such as x >= 40",
    "date": "DATE '2020-01-31'",
    "unit": "date_trunc('month', x)",
    "in-list": "x IN ('one', 'two')",
    "comment": "the query without its comments",
    "cte": "WITH a AS (SELECT person, x FROM product WHERE …) SELECT count(*) FROM a",
    "quantile": "SELECT median(x) AS m, and compute with m afterwards",
    "histogram": "histogram(x, [10, 20, 30])",
    "withheld": "the query without that column",
    "bounds-needed": "avg(x), or histogram(x, [10, 20, 30])",
}
_FUNCTION = re.compile(r"function ([a-z0-9_]+)\(\)")


def nearest_form(error: DataspaceError) -> str:
    """The nearest permitted form for what an error is about; empty where none is known."""
    named = _FUNCTION.search(str(error.args[0]))
    if named:
        name = named.group(1)
        close = difflib.get_close_matches(name, FUNCTIONS, n=1)
        return _INSTEAD.get(name) or (f"{close[0]}(…)" if close else "an aggregate of the list")
    return _BY_CODE.get(error.code, "")
