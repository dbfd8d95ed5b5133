"""ACTG 175 over three regions: federated answers are those of the pooled table.

Real data (tests/data/actg175/README.md), the real command line, real processes.
"""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import dataspace
from dataspace.client import Session
from dataspace.query.combine import Answer
from tests.federation.actg175_questions import QUESTIONS
from tests.federation.pooled import Expected, Question, expected, pooled_table
from tests.spaces import Ran, Space, running_space

DATA = Path(__file__).parent.parent / "data" / "actg175"
REGIONS = ("guangzhou", "hongkong", "macao")
REMAINDERS = {0: "guangzhou", 1: "guangzhou", 2: "guangzhou", 3: "guangzhou",
              4: "hongkong", 5: "hongkong", 6: "macao"}  # fmt: skip
REGION_OF = (
    "CASE WHEN pidnum % 7 <= 3 THEN 'guangzhou' WHEN pidnum % 7 <= 5 THEN 'hongkong' "
    "ELSE 'macao' END"
)
ACTOR = "hongkong/researcher"
BY_ARM = (
    "SELECT arms, count(*) AS n, sum(age), avg(wtkg), stddev_samp(cd40) FROM trial "
    "GROUP BY arms ORDER BY arms"
)

Row = Sequence[Any]


@dataclass(frozen=True)
class Table:
    """A CSV as lists of strings."""

    header: list[str]
    rows: list[list[str]]

    def write(self, file: Path) -> Path:
        with file.open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(self.header)
            writer.writerows(self.rows)
        return file

    def place(self, column: str) -> int:
        return self.header.index(column)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    """Each region's participants, by the rule of the data's README."""
    with (DATA / "ACTG175.csv").open(newline="") as opened:
        header, *rows = csv.reader(opened)
    split: dict[str, Table] = {region: Table(header, []) for region in REGIONS}
    for row in rows:
        split[REMAINDERS[int(row[header.index("pidnum")]) % 7]].rows.append(row)
    return split


@pytest.fixture(scope="module")
def files(tables: Mapping[str, Table], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each region's CSV."""
    folder = tmp_path_factory.mktemp("split")
    return {region: table.write(folder / f"{region}.csv") for region, table in tables.items()}


@pytest.fixture(scope="module")
def space(files: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A running space in which each region has loaded its participants."""
    with running_space(tmp_path_factory.mktemp("actg175"), "--empty") as made:
        with ThreadPoolExecutor(len(REGIONS)) as pool:
            loads = list(pool.map(lambda region: load(made, region, files[region]), REGIONS))
        assert [each.code for each in loads] == [0, 0, 0], [each.err for each in loads]
        yield made


@pytest.fixture(scope="module")
def session(space: Space) -> Iterator[Session]:
    with dataspace.connect(home=space.home, actor=ACTOR) as opened:
        yield opened


@pytest.fixture(scope="module")
def pool() -> Iterator[duckdb.DuckDBPyConnection]:
    with pooled_table(DATA / "ACTG175.csv", REGION_OF) as opened:
        yield opened


@pytest.fixture(scope="module")
def levels() -> dict[str, int]:
    """How many levels each column declares; `region` has those of the space."""
    columns = yaml.safe_load((DATA / "guangzhou.yaml").read_text())["columns"]
    declared = {name: len(each["levels"]) for name, each in columns.items() if "levels" in each}
    return declared | {"region": len(REGIONS)}


def load(space: Space, region: str, data: Path, product: Path | None = None) -> Ran:
    return space.gba("node", "load", region, str(product or DATA / f"{region}.yaml"), str(data))


def ask(session: Session, sql: str) -> Answer:
    return session.query(sql, purpose="HRESCH").answer


# --- the same answers ------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_federated_answer_is_that_of_the_pooled_table(
    session: Session,
    pool: duckdb.DuckDBPyConnection,
    levels: Mapping[str, int],
    question: Question,
) -> None:
    want, answer = expected(pool, question), ask(session, question.sql)
    assert_equal(question, want, answer.columns, answer.rows, answer.shown_by)
    assert answer.hidden_cells == hidden_cells(question, want, levels)


@pytest.mark.parametrize(
    "name",
    [
        "figures: several columns by arm",
        "groups: a case key, named by its alias",
        "places: one region's table, under an alias",
        "afterwards: all at once",
    ],
)
def test_the_command_prints_the_answer_of_the_pooled_table(
    space: Space, pool: duckdb.DuckDBPyConnection, name: str
) -> None:
    question = QUESTIONS[name]
    ran = space.query(question.sql, actor=ACTOR)
    assert ran.code == 0, ran.err
    got = ran.json
    want = expected(pool, question)
    assert_equal(question, want, got["columns"], got["rows"], got["shown_by"])
    assert {node["status"] for node in got["nodes"]} == {"released"}


def test_the_questions_meet_cells_that_some_and_that_all_regions_hide(
    pool: duckdb.DuckDBPyConnection,
) -> None:
    shown = {name: expected(pool, question) for name, question in QUESTIONS.items()}
    partly = [
        name
        for name, want in shown.items()
        if {len(regions) for regions in want.shown_by} & {1, 2}
        and "region" not in QUESTIONS[name].sql
        and QUESTIONS[name].region is None
    ]
    assert len(partly) >= 5
    assert not shown["conditions: nobody"].rows
    assert shown["figures: no values behind a figure hide the cell"].rows[0][0] == 1


def test_the_split_is_that_of_the_readme(tables: Mapping[str, Table]) -> None:
    sizes = {region: len(table.rows) for region, table in tables.items()}
    assert sizes == {"guangzhou": 1248, "hongkong": 583, "macao": 308}


def assert_equal(
    question: Question,
    want: Expected,
    columns: Sequence[str],
    rows: Sequence[Row],
    shown_by: Sequence[Sequence[str]],
) -> None:
    """Counts, keys and regions exactly, other figures to 1e-9."""
    got_pairs = list(zip(map(tuple, rows), map(tuple, shown_by), strict=True))
    want_pairs = list(zip(want.rows, want.shown_by, strict=True))
    if "ORDER BY" not in question.tail:
        keys = len(question.group)
        got_pairs.sort(key=lambda pair: repr(pair[0][:keys]))
        want_pairs.sort(key=lambda pair: repr(pair[0][:keys]))
    assert [regions for _, regions in got_pairs] == [regions for _, regions in want_pairs]
    assert len(columns) == len(want.columns)
    for (got, _), (wanted, _) in zip(got_pairs, want_pairs, strict=True):
        assert all(map(same_figure, got, wanted)), f"{got} is not {wanted}"


def same_figure(got: object, want: object) -> bool:
    if isinstance(want, float | Decimal):
        assert isinstance(got, int | float)
        return math.isclose(got, float(want), rel_tol=1e-9)
    return type(got) is type(want) and got == want


def hidden_cells(question: Question, want: Expected, levels: Mapping[str, int]) -> int | None:
    keys = [key.rpartition(".")[2] for key in question.group]
    if not all(key in levels for key in keys):
        return None
    return math.prod(levels[key] for key in keys) - want.shown_cells


# --- the catalogue and loading ---------------------------------------------


def test_the_catalogue_shows_the_trial_in_three_regions(space: Space) -> None:
    ran = space.gba("catalog", "--format", "json", actor=ACTOR)
    assert ran.code == 0, ran.err
    (product,) = ran.json["products"]
    assert product["product"] == "trial"
    assert product["regions"] == list(REGIONS)
    assert set(product["title"]) == {"en", "zh-Hans", "zh-Hant", "pt"}
    assert product["columns"]["oprior"]["role"] == "withheld"
    assert "pidnum" not in ran.out


def test_another_schema_is_refused_and_the_earlier_product_keeps_answering(
    space: Space,
    session: Session,
    files: Mapping[str, Path],
    tmp_path: Path,
) -> None:
    text, levels = (DATA / "hongkong.yaml").read_text(), "levels: [1, 2, 3]"
    assert text.count(levels) == 1
    product = tmp_path / "trial.yaml"
    product.write_text(text.replace(levels, "levels: [1, 2, 3, 4]"))
    before = ask(session, BY_ARM)
    with asking(space, BY_ARM) as asked:
        ran = load(space, "hongkong", files["hongkong"], product)
    assert ran.code == 3
    assert ran.error["error"] == "malformed"
    assert "column strat" in ran.error["message"]
    assert asked.answers() == {before}
    assert ask(session, BY_ARM) == before


def test_a_bad_value_deep_in_a_file_is_named_by_place_and_loads_nothing(
    space: Space, session: Session, tables: Mapping[str, Table], tmp_path: Path
) -> None:
    table = many_rows(tables["macao"], 12_000)
    table.rows[10_000][table.place("age")] = "4711x"
    before = ask(session, BY_ARM)
    with asking(space, BY_ARM) as asked:
        ran = load(space, "macao", table.write(tmp_path / "long.csv"))
    assert ran.code == 3
    assert "row 10001," in ran.error["message"]
    assert "column age" in ran.error["message"]
    assert "4711x" not in ran.out + ran.err
    assert asked.answers() == {before}
    assert ask(session, BY_ARM) == before


def test_a_value_out_of_bounds_is_named_by_place_and_loads_nothing(
    space: Space, session: Session, tables: Mapping[str, Table], tmp_path: Path
) -> None:
    table = many_rows(tables["macao"], 12_000)
    table.rows[10_000][table.place("age")] = "4711"
    before = ask(session, BY_ARM)
    ran = load(space, "macao", table.write(tmp_path / "long.csv"))
    assert ran.code == 3
    assert "row 10001," in ran.error["message"]
    assert "column age" in ran.error["message"]
    assert "4711" not in ran.out + ran.err
    assert ask(session, BY_ARM) == before


def test_a_reload_under_queries_yields_the_old_answer_then_the_new_one(
    space: Space, session: Session, tables: Mapping[str, Table], files: Mapping[str, Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    whole = tables["macao"]
    half = Table(whole.header, whole.rows[::2]).write(tmp_path / "half.csv")
    old = ask(session, BY_ARM)
    with asking(space, BY_ARM) as asked:
        ran = load(space, "macao", half)
    assert ran.code == 0, ran.err
    new = ask(session, BY_ARM)
    assert rows_behind(old) - rows_behind(new) == len(whole.rows) // 2
    assert asked.in_turn() == [old, new]
    with asking(space, BY_ARM) as asked:
        ran = load(space, "macao", files["macao"])
    assert ran.code == 0, ran.err
    assert asked.in_turn() == [new, old]


def many_rows(table: Table, count: int) -> Table:
    """The same participants again and again, each time under new numbers."""
    place = table.place("pidnum")
    rows = []
    for number in range(count):
        row = list(table.rows[number % len(table.rows)])
        row[place] = str(1_000_000 + number)
        rows.append(row)
    return Table(table.header, rows)


def rows_behind(answer: Answer) -> int:
    counts = [row[1] for row in answer.rows]
    assert all(isinstance(count, int) for count in counts)
    return sum(count for count in counts if isinstance(count, int))


@dataclass
class Asked:
    """What came of asking without pause."""

    heard: list[Answer] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def answers(self) -> set[Answer]:
        return set(self.heard)

    def in_turn(self) -> list[Answer]:
        """The answers without repeats of the one before."""
        turns: list[Answer] = []
        for answer in self.heard:
            if not turns or turns[-1] != answer:
                turns.append(answer)
        return turns


@contextmanager
def asking(space: Space, sql: str) -> Iterator[Asked]:
    """Ask one question again and again meanwhile; any error fails."""
    asked, stop = Asked(), threading.Event()

    def run() -> None:
        with dataspace.connect(home=space.home, actor="macao/researcher") as session:
            while not stop.is_set():
                try:
                    asked.heard.append(ask(session, sql))
                except Exception as error:
                    asked.errors.append(error)

    def heard_more(than: int) -> None:
        for _ in range(600):
            if len(asked.heard) + len(asked.errors) > than:
                return
            stop.wait(0.05)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        heard_more(0)
        yield asked
        heard_more(len(asked.heard) + len(asked.errors) + 1)
    finally:
        stop.set()
        thread.join()
    assert not asked.errors, asked.errors[:3]
    assert asked.heard
