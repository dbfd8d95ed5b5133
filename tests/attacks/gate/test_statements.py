"""Hundreds of statements that would single somebody out, each with what comes of it.

None is run as it was written, and none returns a value of a row: not in the answer, nor in
the error, the log or the engine's SQL.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
import structlog

from dataspace.query.partials import Share, State
from tests.attacks.gate.attacks import Attack, written_down
from tests.attacks.gate.world import NUMBERS, PRODUCTS, TEXTS, WARD, Told, World, planted_world

ATTACKS = written_down()
_NAMES = {name for product in PRODUCTS for name in product.columns}
_VIEWS = {f"offer:{product.product}" for product in PRODUCTS}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with planted_world(tmp_path_factory.mktemp("gate")) as made:
        yield made


@pytest.fixture(scope="module")
def written() -> Iterator[io.StringIO]:
    """What the gate writes to its log, whoever else takes standard output meanwhile."""
    before = structlog.get_config()
    file = io.StringIO()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=file))
    yield file
    structlog.configure(**before)


@pytest.mark.parametrize(
    "attack",
    ATTACKS,
    ids=[f"{number}-{each.statement[:40]!a}" for number, each in enumerate(ATTACKS)],
)
def test_no_statement_is_run_as_written_or_returns_a_value_of_a_row(
    world: World,
    attack: Attack,
    written: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    began = written.tell()
    told = world.ask(attack.statement)
    assert (told.outcome, told.code) == (attack.outcome, attack.code), attack.reason
    logged = "".join([*capsys.readouterr(), caplog.text, written.getvalue()[began:]])
    assert "query." in logged
    assert attack.statement not in logged or len(attack.statement) < 4
    _tells_nothing(told, logged, attack.statement)
    _ran_its_own(world, told, attack.statement)


def _tells_nothing(told: Told, logged: str, statement: str) -> None:
    for place in (told.signed, told.entry, told.body, logged.encode()):
        for text in (*TEXTS, *([WARD] if WARD not in statement else [])):
            assert text.encode() not in place
    if told.share is not None:
        for figure in _figures(told.share):
            assert all(abs(abs(figure) - secret) > secret / 2_000 for secret in NUMBERS)
        base = told.share.round_to
        for count in _counts(told.share):
            assert count == 0 or count >= 10
            assert count % base == 0
        assert all(gap <= 0 or gap >= 11 - base for gap in _gaps(told.share))


def _figures(share: Share) -> Iterator[Decimal]:
    """Whatever was released, and what a caller would work out of a regression."""
    for cell in share.cells:
        for key in cell.keys:
            if isinstance(key, int | float | Decimal):
                yield Decimal(key)
        for state in cell.states:
            own = (
                state.sum, state.mean, state.variance, state.other_sum, state.other_mean,
                state.other_variance, state.covariance,
            )  # fmt: skip
            yield from (each for each in own if each is not None)
            yield from (each.sqrt() for each in (state.variance, state.other_variance) if each)
            yield from _line(state)


def _line(state: State) -> Iterator[Decimal]:
    """What a caller works out who takes the other column for a flag of one person's: their
    distance from the mean, and the line through it."""
    if state.covariance is None:
        return
    mean, other = state.mean or Decimal(0), state.other_mean or Decimal(0)
    for count in range(state.count - 3, state.count + 3):
        yield from (mean + sign * state.covariance * count for sign in (1, -1))
    if state.other_variance:
        slope = state.covariance / state.other_variance
        start = mean - slope * other
        yield from (slope, start, start + slope, start + 2 * slope)


def _counts(share: Share) -> Iterator[int]:
    for cell in share.cells:
        for state in cell.states:
            yield state.count
            yield from (label.count for label in state.labels)


def _gaps(share: Share) -> Iterator[int]:
    """How many rows a histogram's bins leave to be had by subtraction."""
    for cell in share.cells:
        for name, state in zip(share.aggregates, cell.states, strict=True):
            if name.startswith("histogram:") and share.round_to == 1:
                yield state.count - sum(label.count for label in state.labels)


def _ran_its_own(world: World, told: Told, statement: str) -> None:
    """The engine was handed what the tree renders to, and no text or number of the caller."""
    if told.outcome not in {"hidden", "answered"}:
        assert told.seen == ()
        return
    assert told.seen == world.rendered(statement)
    for sql, _ in told.seen:
        assert sql != statement
        assert "'" not in sql
        quoted = set(re.findall(r'"([^"]*)"', sql))
        assert quoted <= _NAMES | _VIEWS
        # Numbers in it are ours: names of columns, places of keys, and declared bounds.
        for literal in re.findall(r"'([^']+)'|\b(\d{4,}|\d+\.\d+|\d+e\d+)\b", statement):
            assert literal[0] == "" or f" {literal[0]} " not in sql
            assert literal[1] == "" or not re.search(rf"\b{re.escape(literal[1])}\b", sql)


def test_the_table_is_a_large_one_and_says_why_of_each() -> None:
    assert len(ATTACKS) >= 150
    assert len({each.statement for each in ATTACKS}) == len(ATTACKS)
    assert all(each.reason for each in ATTACKS)
    assert {each.outcome for each in ATTACKS} == {"malformed", "refused", "hidden", "answered"}
    assert all(bool(each.code) == (each.outcome in {"malformed", "refused"}) for each in ATTACKS)


def test_the_one_who_stands_apart_is_there_to_be_found(world: World) -> None:
    """What the attacks look for exists: else all of them would be in vain."""
    for column in ("flag = 1", "cost > 7000", "ward like 'Q%'", "smoker is null"):
        (raw,) = world.raw(f"select count(*) from trial where {column}")
        assert raw.subjects == 1


def test_a_plain_question_is_answered(world: World) -> None:
    told = world.ask("select sex, count(*), avg(age) from trial group by sex")
    assert told.share is not None
    assert {cell.keys[0]: cell.states[0].count for cell in told.share.cells} == {"F": 60, "M": 60}
