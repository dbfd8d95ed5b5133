"""One person in the warehouse: found by a document however it was written, and by no other."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from dataspace.linkage.documents import Document
from dataspace.query.expressions import view_name
from dataspace.query.product import Column, ColumnType, Linkage, Product, Role, Title
from node.patients import uncancelled
from node.warehouse.engine import Engine, Limits
from node.warehouse.people import Person, find_person, read_rows

_TEXT = Column(type=ColumnType.VARCHAR, role=Role.DIMENSION)
PEOPLE = Product(
    product="people",
    title=Title(en="People"),
    source="select * from people;",
    subject="Patient No",
    linkage=Linkage(fields={"hkid": "Card", "mtp": "permit", "surname": "family"}),
    columns={"sex": _TEXT},
)
VISITS = Product(
    product="visits",
    title=Title(en="Visits"),
    source="select * from visits",
    subject="pid",
    columns={"kind": _TEXT, "on_day": Column(type=ColumnType.DATE, role=Role.DIMENSION)},
)
ROWS = (
    ("p1", "A123456(3)", "H12345678", "Chan"),
    ("p2", "ｇ１２３４５６（Ａ）", None, "Wong"),
    ("p3", "z 123456-1", "H12345678XYZ", "Lee"),
    ("p4", "not known", "", None),
    *((f"c{number}", None, "M00000001", None) for number in range(70)),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    file = tmp_path_factory.mktemp("people") / "data.duckdb"
    with duckdb.connect(str(file)) as own:
        own.execute("CREATE SCHEMA offered")
        own.execute(
            'CREATE TABLE people ("Patient No" VARCHAR, "Card" VARCHAR, permit VARCHAR, '
            "family VARCHAR)"
        )
        own.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
        own.execute(
            f"CREATE TABLE {view_name('visits')} AS SELECT 'p' || (i % 2 + 1) AS person, "
            "'k' || i AS kind, DATE '2020-01-01' + i::INTEGER AS on_day FROM range(40) t(i)"
        )
    opened = Engine(file, Limits(threads=1, memory="200MB", seconds=20))
    yield opened
    opened.close()


def find(engine: Engine, document: str) -> Person:
    return find_person(engine, [PEOPLE, VISITS], Document.parse(document), uncancelled)


@pytest.mark.parametrize(
    ("document", "subject"),
    [
        ("hkid:A1234563", "p1"),
        ("mtp:h12345678", "p1"),
        ("hkid:G123456(A)", "p2"),
        ("hkid:Z123456(1)", "p3"),
    ],
)
def test_a_document_is_found_however_it_was_written(
    engine: Engine, document: str, subject: str
) -> None:
    assert find(engine, document).subjects == {subject}


def test_all_documents_of_the_person_are_known_then(engine: Engine) -> None:
    both = {Document.parse("hkid:A123456(3)"), Document.parse("mtp:H12345678")}
    assert find(engine, "hkid:A123456(3)").documents == both


@pytest.mark.parametrize("document", ["hkid:C123456(9)", "mtp:H87654321", "bir:12345678"])
def test_who_is_not_known_is_nobody(engine: Engine, document: str) -> None:
    found = find(engine, document)
    assert found.subjects == frozenset()
    assert found.documents == {Document.parse(document)}


def test_a_number_that_only_begins_alike_names_nobody(engine: Engine) -> None:
    # p3's permit is a clerk's slip that begins as p1's does.
    assert find(engine, "mtp:H12345678").subjects == {"p1"}


def test_a_number_that_stands_at_everybody_is_nobodys(engine: Engine) -> None:
    assert find(engine, "mtp:M00000001").subjects == frozenset()


def test_rows_are_the_persons_own_the_newest_first_and_bounded(engine: Engine) -> None:
    person = find(engine, "hkid:A123456(3)")
    rows = read_rows(engine, VISITS, ("kind", "on_day"), person, 5, uncancelled)
    assert [row[0] for row in rows] == ["k38", "k36", "k34", "k32", "k30", "k28"]
    nobody = find(engine, "mtp:H87654321")
    assert read_rows(engine, VISITS, ("kind", "on_day"), nobody, 5, uncancelled) == []


def test_what_finds_a_person_shows_nothing_when_printed(engine: Engine) -> None:
    shown = repr(find(engine, "hkid:A123456(3)"))
    assert "p1" not in shown
    assert "A123456" not in shown
