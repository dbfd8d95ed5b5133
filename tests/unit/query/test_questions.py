"""Questions across regions: how they are parted, and what cannot be one."""

from __future__ import annotations

from typing import Any

import pytest

from dataspace.errors import Malformed
from dataspace.query.overlap import OverlapQuery, OverlapSide
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.parse import parse_query
from dataspace.query.product import Product, Title
from dataspace.query.questions import parse_question, union_question
from dataspace.query.render_overlap import (
    check_one_row,
    linkage_product,
    render_linkage,
    render_one_row,
    render_side,
)
from dataspace.query.tree import Query
from tests.unit.query.samples import COLUMNS, offer, visits

JOIN = "FROM guangzhou.trial g JOIN macao.visits m ON g.person = m.person"
COUNT = "SELECT count(distinct g.person)"


def across(sql: str) -> OverlapQuery:
    """Parsed and bound."""
    question = parse_question(sql)
    assert isinstance(question, OverlapQuery)
    return bind_overlap(question, offer(), visits())


def test_each_condition_and_key_goes_to_the_one_side_that_it_speaks_of() -> None:
    query = across(
        f"SELECT m.kind, g.sex, count(distinct m.person) {JOIN} "
        "WHERE (g.age > 40 AND m.stay < 3) AND (g.arm = 1 OR g.arm = 2) GROUP BY m.kind, g.sex"
    )
    left, right = query.sides
    assert left.columns_touched() == {"age", "arm", "sex"}
    assert right.columns_touched() == {"stay", "kind"}
    assert query.groups == ((1, 0), (0, 0))
    assert query.regions == ("guangzhou", "macao")
    assert query.side("macao").product == "visits"
    assert not query.counts_rows


def test_a_plain_question_is_read_as_ever() -> None:
    for sql in ("SELECT count(*) FROM trial", "SELECT count(*) FROM macao.trial"):
        question = parse_question(sql)
        assert isinstance(question, Query)
        assert question == parse_query(sql)


def test_a_reader_of_plain_questions_refuses_others() -> None:
    with pytest.raises(Malformed) as refused:
        parse_query(f"{COUNT} {JOIN}")
    assert refused.value.code == "linkage"
    assert refused.value.place is not None


def test_three_regions_join_in_any_order_and_ways() -> None:
    query = across(
        "SELECT count(*) FROM macao.visits m LEFT JOIN guangzhou.trial g USING (person) "
        "JOIN hongkong.trial h ON h.person = m.person"
    )
    assert query.joins == ("left", "inner")
    assert query.all_regions == ("macao", "guangzhou", "hongkong")
    assert query.optional == {1}
    assert query.counts_rows
    assert not query.may_pad


def test_a_cte_narrows_and_renames_its_side() -> None:
    query = across(
        "WITH d AS (SELECT person, kind AS what FROM macao.visits WHERE stay > 2) "
        "SELECT d.what, count(distinct g.person) FROM guangzhou.trial g LEFT JOIN d "
        "ON g.person = d.person GROUP BY d.what"
    )
    side = query.side("macao")
    assert side.columns_touched() == {"kind", "stay"}
    assert (side.filter, side.columns) == (None, None)
    assert '"stay" > ?' in render_side(side).sql


UNION = "SELECT count(distinct person) AS people FROM trial WHERE sex = 'F'"


def test_a_union_asks_every_region_the_same() -> None:
    query = bind_overlap(union_question(parse_query(UNION), ["macao", "guangzhou"]), offer())
    assert query.regions == ("guangzhou", "macao")
    assert query.union
    assert {side.columns_touched() for side in query.sides} == {frozenset({"sex"})}


@pytest.mark.parametrize(
    ("sql", "regions"),
    [
        (f"{UNION} GROUP BY sex", ["macao", "guangzhou"]),
        ("SELECT count(*) FROM trial", ["macao", "guangzhou"]),
        ("SELECT count(distinct person), avg(age) FROM trial", ["macao", "guangzhou"]),
        ("SELECT count(distinct person) FILTER (WHERE smoker) FROM trial", ["macao", "guangzhou"]),
        ("SELECT count(distinct person) FROM macao.trial", ["macao", "guangzhou"]),
        ("SELECT count(distinct t.person) FROM trial t JOIN visits v ON t.person = v.person",
         ["macao", "guangzhou"]),
        (UNION, ["macao"]),
    ],
)  # fmt: skip
def test_what_cannot_be_one_union_is_malformed(sql: str, regions: list[str]) -> None:
    with pytest.raises(Malformed) as refused:
        union_question(parse_query(sql), regions)
    assert refused.value.code == "overlap-union"


_SIDES = (OverlapSide("g", "guangzhou", "trial"), OverlapSide("m", "macao", "visits"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sides": _SIDES[:1], "joins": ()},
        {"sides": (_SIDES[0], OverlapSide("x", "guangzhou", "visits"))},
        {"sides": (_SIDES[0], OverlapSide("x", "atlantis", "visits"))},
        {"joins": ("full",)},
        {"joins": ()},
        {"groups": ((0, 0),)},
        {"aggregates": ()},
        {"outputs": ()},
        {"union": True, "joins": ("left",)},
    ],
)
def test_a_question_that_cannot_be_is_not_made(wrong: dict[str, Any]) -> None:
    whole = across(f"{COUNT} {JOIN}")
    made = {
        "sides": _SIDES, "joins": whole.joins, "aggregates": whole.aggregates,
        "outputs": whole.outputs,
    }  # fmt: skip
    OverlapQuery(**made)  # type: ignore[arg-type]  # a table of fields
    with pytest.raises(Malformed) as refused:
        OverlapQuery(**(made | wrong))
    assert refused.value.code == "linkage"


def test_rows_are_counted_where_rows_are_people() -> None:
    side = across(f"SELECT count(*) {JOIN} WHERE m.stay > 4").side("macao")
    assert "stay" not in render_one_row(side).sql  # or one person's rows would be told of
    check_one_row(side, alone=True)
    with pytest.raises(Malformed) as refused:
        check_one_row(side, alone=False)
    assert refused.value.code == "overlap-rows"
    assert "count(distinct person)" in refused.value.message


def _product(name: str, space: str, **fields: Any) -> Product:
    return Product(
        product=name, title=Title(en=name), columns=COLUMNS, source=f'select * from "{name}"; ',
        subject="Pid", subject_space=space, **fields,
    )  # fmt: skip


def test_whom_a_product_does_not_recognise_itself_another_of_its_space_does() -> None:
    fields = {"linkage": {"fields": {"hkid": 'Doc"No', "birth_date": "dob"}}}
    known, other = _product("known", "x", **fields), _product("away", "y", **fields)
    assert linkage_product(known, [other]) is known
    assert linkage_product(_product("trial", "x"), [other, known]) is known
    with pytest.raises(Malformed) as refused:
        linkage_product(_product("trial", "z"), [other, known])
    assert refused.value.code == "no-linkage"
    side = across(f"{COUNT} {JOIN} WHERE g.ward = 'x'").side("guangzhou")
    statement = render_linkage(side, known)
    assert statement.kinds == ("birth_date", "hkid")
    assert '"dob" AS f0, "Doc""No" AS f1' in statement.sql
    assert statement.parameters == ("x",)
