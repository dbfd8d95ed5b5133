"""Any text is a query or malformed, never anything else."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed, Refused
from dataspace.query.bind import bind_query
from dataspace.query.combine import key_names
from dataspace.query.parse import parse_query
from dataspace.query.render import render
from dataspace.query.tree import Query
from tests.unit.query.samples import offer

_TEXT = """
select from trial where group by having order limit offset and or not in is null like between
case when then else end as asc desc nulls first last distinct filter over all count sum avg
var_samp stddev_samp round abs coalesce nullif year date timestamp cast interval struct array
map exists values with union join on using sample lambda ( ) , . ; * + - / // % = <> < <= >= ::
[ ] { } -> => : ? $1 || & | ~ ^ @ # ! person region sex arm age ward since note t hongkong 1 2
0 1.5 .5 1e5 9999999999999999999 ² ٣ 'F' '' 'a''b' x'41' "arm" "A b" -- /* */ Kit ａrm \u212a
\u00a0 \u2028
"""
WORDS = re.split("[ \n]", _TEXT)  # the last ones hold look-alike letters and blanks


def _outcome(text: str) -> Query | None:
    try:
        query = parse_query(text)
    except Malformed as error:
        assert error.code
        return None
    assert isinstance(query, Query)
    hash(query)
    key_names(query)
    try:
        bound = bind_query(query, offer())
    except (Malformed, Refused):
        return query
    render(bound, "hongkong")
    return query


@settings(max_examples=300, deadline=2_000)
@given(st.text(max_size=200))
def test_any_text_is_a_query_or_malformed(text: str) -> None:
    _outcome(text)


@settings(max_examples=700, deadline=2_000)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_any_heap_of_words_is_a_query_or_malformed(text: str) -> None:
    _outcome(text)


@settings(max_examples=700, deadline=2_000)
@given(
    st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join),
    st.sampled_from(["where", "group by", "having", "order by", "limit", "and"]),
)
def test_any_tail_to_a_query_is_a_query_or_malformed(output: str, tail: str, clause: str) -> None:
    _outcome(f"select count(*), {output or 1} from trial where true {clause} {tail}")


@settings(max_examples=200, deadline=2_000)
@given(st.sampled_from(WORDS), st.integers(1, 900), st.sampled_from(["", " ", "(", " ("]))
def test_any_word_over_and_over_is_a_query_or_malformed(word: str, times: int, glue: str) -> None:
    _outcome(f"select count(*) from trial where {(word + glue) * times}"[:8_000])
