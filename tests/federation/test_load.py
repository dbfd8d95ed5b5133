"""A few callers at once, for a few seconds; the minute with many is in `tests/long`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataspace.home import CONFIG
from tests.callers import Told, ask_many, expected_answers, without_reason, wrong_answers
from tests.federation.copies import still_copy
from tests.load import check, go_through
from tests.spaces import Space


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A space whose broker serves 16 calls at once."""
    space = still_copy(tmp_path_factory.mktemp("load"))
    with (space.home / "broker" / CONFIG).open("a") as config:
        config.write("waiting_queries = 16\n")
    started = space.up()
    assert started.code == 0, started.err
    yield space
    space.down()


def test_while_a_node_dies_and_returns_every_call_is_answered_rightly_or_told_why(
    space: Space,
) -> None:
    check(go_through(space, 16, 6, pause=4, processes=1), callers=16, growth_mb=150)


def test_more_callers_than_places_are_told_when_to_come_again(space: Space) -> None:
    told = ask_many(space.home, 48, 2, processes=2, require="all")
    assert not wrong_answers(told, expected_answers(space.home))
    assert not without_reason(told)
    busy = [each for each in told if each.error]
    assert busy
    assert {_shape(each) for each in busy} == {"unavailable busy: busy; retry after N s"}
    assert any(not each.error for each in told)


def _shape(told: Told) -> str:
    words = told.message.split()
    assert words[-2].isdigit(), told
    return f"{told.error}: {' '.join([*words[:-2], 'N', words[-1]])}"
