"""The same attacks through a running space: client, broker and three nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.forgery import Asker, log_sizes, make_request
from tests.federation.copies import running_copy
from tests.spaces import Space

REFUSED = [
    ("select * from patients", "unlisted"),
    ("select max(age) from patients", "unlisted"),
    ("select person, count(*) from patients group by person", "subject-column"),
    ("select count(*) from patients; drop table patients", "one-statement"),
    ("select count(*) from patients -- all of them", "comment"),
    ("attach 'x.db' as x", "not-select"),
    ("select count(*) from read_csv('/etc/passwd')", "source"),
    ("select count(*) from query('select 1')", "source"),
    ("select count(*) from patients where age = 40", "role"),
    ("select count(*) from patients where cast(age as varchar) = '40'", "unlisted"),
    ("\u017felect count(*) from patients", "identifier"),
    ("select sum(case " + "when age > 1 then age " * 60 + "end) from patients", "too-hard"),
    ("with c as (select person as p from patients) select p, count(*) from c group by p", "cte"),
]
HIDDEN = [
    "select count(*) from patients where age > 300",
    "select count(*) filter (where age >= 0) from patients",
    "select sum(case when age >= 0 then age when age < 0 then 1 end) from patients",
    "with c as (select * from patients where age > 300) select avg(age) from c",
]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("attacked")) as running:
        yield running


@pytest.fixture(scope="module")
def asker(space: Space) -> Iterator[Asker]:
    asker = Asker.of(space)
    with asker.session:
        yield asker


@pytest.mark.parametrize(("sql", "code"), REFUSED, ids=[sql[:40] for sql, _ in REFUSED])
def test_the_broker_forwards_no_such_statement_and_records_it(
    space: Space, asker: Asker, sql: str, code: str
) -> None:
    before = log_sizes(space)
    assert asker.hear(asker.seal(make_request(sql))) == {"broker": f"malformed {code}"}
    after = log_sizes(space)
    assert after["broker"] == before["broker"] + 1
    assert {name: size for name, size in after.items() if name != "broker"} == {
        name: size for name, size in before.items() if name != "broker"
    }


@pytest.mark.parametrize("sql", HIDDEN)
def test_what_nodes_hide_leaves_no_row(asker: Asker, sql: str) -> None:
    assert asker.session.query(sql, purpose="HRESCH").answer.rows == ()
