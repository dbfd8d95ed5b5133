"""docs/query-language.md: its examples run, its table is what is measured, its list is closed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import dataspace
from dataspace.client import Session
from dataspace.errors import Malformed
from dataspace.query.aggregates import TABLE
from dataspace.query.combine import JsonValue
from dataspace.query.hints import FUNCTIONS, nearest_form
from dataspace.query.tree import AggregateKind
from tests.docs.blocks import Block, blocks
from tests.spaces import Space
from tests.unit.query.federation import Federation
from tests.unit.query.language_table import (
    DEFAULT,
    DOCUMENT,
    EXACT,
    LINES,
    SIZES,
    Shown,
    is_exact,
    measure,
    sample,
    written,
)

EXAMPLES = [block for block in blocks("docs/query-language.md") if block.language == "sql"]
INSTEAD = re.findall(
    r"^\| `(SELECT .*?)` \| `(SELECT .*?)` \|$", DOCUMENT.read_text(), re.MULTILINE
)
COUNTED = {AggregateKind.COUNT_ROWS, AggregateKind.COUNT, AggregateKind.COUNT_PERSONS}


@pytest.fixture(scope="module")
def session(documented_space: Space) -> Iterator[Session]:
    with dataspace.connect(documented_space.home, "hongkong/researcher") as opened:
        yield opened


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with sample(tmp_path_factory.mktemp("measured")) as measured:
        yield measured


# --- examples --------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_is_answered_by_every_region(session: Session, example: Block) -> None:
    release = session.query(example.text, purpose="HRESCH")
    assert release.answer.rows
    assert {region for regions in release.answer.shown_by for region in regions} == {
        "guangzhou", "hongkong", "macao",
    }  # fmt: skip


@pytest.mark.parametrize(("refused", "instead"), INSTEAD)
def test_what_is_refused_has_a_form_that_is_answered(
    session: Session, refused: str, instead: str
) -> None:
    with pytest.raises(Malformed) as caught:
        session.query(refused, purpose="HRESCH")
    assert caught.value.place is not None or caught.value.code == "quantile"
    assert nearest_form(caught.value)
    assert session.query(instead, purpose="HRESCH").answer.rows


def figures(session: Session, start: str) -> dict[str, JsonValue]:
    """The first row of the example that begins so."""
    (example,) = [each.text for each in EXAMPLES if each.text.startswith(start)]
    answer = session.query(example, purpose="HRESCH").answer
    return dict(zip(answer.columns, answer.rows[0], strict=True))


def test_the_examples_show_what_the_page_says(session: Session) -> None:
    case = figures(session, "SELECT sex,\n       count(*) FILTER")
    assert case["their_age"] == case["the_same"]
    line = figures(session, "SELECT sex, count(*) AS n, avg(1.8")
    assert (line["one"], line["minus_one"]) == (1.0, -1.0)
    bins = figures(session, "SELECT sex, histogram")["ages"]
    assert isinstance(bins, list)
    assert len(bins) == 4


# --- the table -------------------------------------------------------------------------------


def test_the_table_is_what_is_measured(federation: Federation) -> None:
    document = DOCUMENT.read_text()
    assert written(document, federation) == document, "stale: run `make docs`"


def test_the_table_has_every_aggregate_and_no_other() -> None:
    assert [line.kind for line in LINES] == list(TABLE)
    named = {form.split("(")[0] for line in LINES for form in line.forms}
    assert named == set(FUNCTIONS[: FUNCTIONS.index("abs")])


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.kind.value)
def test_an_aggregate_is_as_exact_as_the_table_says(federation: Federation, line: Shown) -> None:
    exact = measure(federation, line, EXACT)
    if exact.told is None:
        assert is_exact(exact)
    for measured in (exact, measure(federation, line, DEFAULT)):
        if measured.told is not None:
            assert measured.absolute <= measured.told


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.kind.value)
def test_an_error_keeps_within_the_bound_that_the_table_states(
    federation: Federation, line: Shown
) -> None:
    measured, smallest = measure(federation, line, DEFAULT), min(SIZES.values()) / 4
    match line.kind:
        case AggregateKind.COUNT_DISTINCT:
            assert measured.absolute == 0
        case AggregateKind.HISTOGRAM:
            assert measured.absolute <= 2 * len(SIZES)
        case kind if kind in COUNTED:
            assert measured.absolute <= 2 * len(SIZES)
        case AggregateKind.SUM:
            assert measured.relative <= 0.0005 + 2.5 / smallest
        case AggregateKind.AVG:
            assert measured.relative <= 0.0005 + 2.5 / smallest
        case _:
            assert measured.relative <= 0.01 or measured.told is not None


def test_a_whole_numbers_mean_keeps_within_its_bound(federation: Federation) -> None:
    line = Shown(AggregateKind.AVG, (), "", "", "avg(age)")
    assert is_exact(measure(federation, line, EXACT))
    fewest = min(SIZES.values()) / 5
    assert (
        measure(federation, line, DEFAULT).absolute <= 1.25 / fewest + 0.0005 * 90 + 2 * 90 / fewest
    )
