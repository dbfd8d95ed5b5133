"""Questions across regions that would single somebody out: each is refused where it is read.

What is not refused runs as SQL of our own, in which nothing of the caller's text stands.
"""

from __future__ import annotations

import re

import pytest

from dataspace.errors import DataspaceError
from dataspace.query.hints import nearest_form
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.product import Column, ColumnType, Product, Role, Title
from dataspace.query.questions import parse_question
from dataspace.query.render_overlap import render_linkage, render_one_row, render_side
from tests.attacks.gate.attacks import Attack, written_down
from tests.attacks.gate.world import PRODUCTS

ATTACKS = written_down("across")
KNOWN = Product(
    product="known",
    title=Title(en="Known"),
    columns={
        "sex": Column(type=ColumnType.VARCHAR, role=Role.DIMENSION),
        "hkid": Column(type=ColumnType.VARCHAR, role=Role.WITHHELD),
    },
    source="select * from known;",
    subject="Pid",
    linkage={"fields": {"hkid": "hkid", "birth_date": "dob", "surname": "family"}},  # type: ignore[arg-type]  # as YAML has it
)
OFFERS = [each.offer() for each in (*PRODUCTS, KNOWN)]
PERMITTED = [
    "select g.ward as w, count(distinct g.person) from guangzhou.trial g join macao.visits m "
    "on g.person = m.person where g.ward like '%Fern%' and m.score > 4711.25 group by g.ward",
    "with c as (select person, ward as k from macao.trial where ward = 'a\"; drop table x --''') "
    "select c.k, count(*) from guangzhou.trial g left join c on g.person = c.person group by c.k",
    "select g.level / 3.75 > 2 as k, count(distinct m.person) from guangzhou.trial g "
    "join macao.trial m using (person) where g.age between 31 and 4242 group by 1",
]


def _ask(sql: str) -> OverlapQuery:
    question = parse_question(sql)
    assert isinstance(question, OverlapQuery)
    return bind_overlap(question, *OFFERS)


@pytest.mark.parametrize(
    "attack",
    ATTACKS,
    ids=[f"{number}-{each.code}" for number, each in enumerate(ATTACKS)],
)
def test_no_such_question_reaches_a_node(attack: Attack) -> None:
    with pytest.raises(DataspaceError) as refused:
        _ask(attack.statement)
    assert (refused.value.kind, refused.value.code) == (attack.outcome, attack.code), attack.reason
    # Values of the caller's are not repeated, and there is always something to write instead.
    assert not re.search(r"wren|A1234563|7391", refused.value.message)
    assert nearest_form(refused.value) or attack.code in {"unlisted", "syntax", "unknown-column"}


def test_what_across_regions_is_refused_has_its_place_in_the_text() -> None:
    placed = {"linkage", "overlap-count", "overlap-where", "overlap-alias", "overlap-left", "join"}
    for attack in ATTACKS:
        if attack.code in placed:
            with pytest.raises(DataspaceError) as refused:
                _ask(attack.statement)
            assert refused.value.place is not None, attack.statement


@pytest.mark.parametrize("sql", PERMITTED)
def test_nothing_of_the_callers_text_stands_in_what_a_node_runs(sql: str) -> None:
    query = _ask(sql)
    for side in query.sides:
        linkage = render_linkage(side, KNOWN)
        for statement in (render_side(side).sql, linkage.sql, render_one_row(side).sql):
            assert "'" not in statement
            assert not re.search(r"Fern|4711|drop|4242|3\.75|\b31\b", statement)
        assert render_side(side).sql.count("?") == len(render_side(side).parameters)
        assert linkage.sql.count("?") == len(linkage.parameters)


def test_the_table_is_a_large_one() -> None:
    assert len(ATTACKS) >= 80
    assert len({each.statement for each in ATTACKS}) == len(ATTACKS)
