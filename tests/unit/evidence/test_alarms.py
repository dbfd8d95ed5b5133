"""Alarms: what sets each off, what does not, and that they never come in storms."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataspace.audit.index import Indexed
from dataspace.errors import Malformed
from dataspace.evidence.alarms import KIND, Alarm, AlarmRule, Watcher, read_alarm_rules

RULES = Path(__file__).parents[3] / "policies" / "alarms.toml"
MINUTE = 60_000
HOUR = 60 * MINUTE
ANN, BOB = "gba://macao/hospital/clinician/ann", "gba://macao/hospital/clinician/bob"


def rule(watch: str, **given: object) -> AlarmRule:
    values = {"id": watch, "watch": watch, "window_minutes": 10, "count": 3} | given
    return AlarmRule.model_validate(values)


class Story:
    """Entries one after another, and the alarms that they set off."""

    def __init__(self, *rules: AlarmRule) -> None:
        self.watcher = Watcher(rules)
        self.alarms: list[Alarm] = []
        self._index = 0

    def tell(
        self, at_ms: int, kind: str = "query.released", actor: str = ANN, sql: str = "",
        project: str = "", **fields: object,
    ) -> None:  # fmt: skip
        body = {"actor": actor, "sql": sql, "project": project} if actor else None
        entry = Indexed(self._index, at_ms, kind, fields, None, body)
        self.alarms += self.watcher.observe(entry)
        self._index += 1


def test_the_rules_that_are_shipped_are_valid() -> None:
    rules = read_alarm_rules(RULES.read_bytes())
    assert {each.watch for each in rules} == {
        "refusals", "alike", "volume", "hours", "emergency", "clock", "disagreement",
        "unresolved",
    }  # fmt: skip


def test_refusals_of_one_actor_within_the_window_raise_one_alarm() -> None:
    story = Story(rule("refusals"))
    for step in range(9):
        story.tell(step * MINUTE // 2, "query.refused", ANN if step % 2 else BOB, outcome="refused")
    assert [(each.actor, each.count) for each in story.alarms] == [(BOB, 3), (ANN, 3)]


def test_refusals_that_are_far_apart_raise_none() -> None:
    story = Story(rule("refusals"))
    for step in range(9):
        story.tell(step * 5 * MINUTE, "query.refused", outcome="refused")
    assert story.alarms == []


def test_a_storm_raises_one_alarm_a_window() -> None:
    story = Story(rule("refusals"))
    for second in range(30 * 60):
        story.tell(second * 1000, "query.refused", outcome="refused")
    assert len(story.alarms) == 3


def test_an_alarm_of_an_earlier_run_is_not_raised_again() -> None:
    story = Story(rule("refusals"))
    for step in range(5):
        story.tell(step, "query.refused", outcome="refused")
        if step == 1:
            story.tell(step, KIND, rule="refusals")
    assert story.alarms == []


def test_questions_that_differ_in_numbers_alone_are_alike() -> None:
    story = Story(rule("alike"))
    for age in range(4):
        story.tell(age, sql=f"SELECT count(*) FROM  patients WHERE age > {age} AND sex = 'x{age}'")
    assert [each.count for each in story.alarms] == [3]


@pytest.mark.parametrize("differ", ["project", "shape", "actor"])
def test_questions_of_several_projects_shapes_or_actors_are_not_alike(differ: str) -> None:
    story = Story(rule("alike"))
    for step in range(6):
        story.tell(
            step,
            actor=f"{ANN}{step}" if differ == "actor" else ANN,
            project=f"p{step}" if differ == "project" else "",
            sql=f"SELECT count(*) FROM patients WHERE c{step if differ == 'shape' else ''}x = 1",
        )
    assert story.alarms == []


def test_far_more_than_usual_is_unusual_and_the_usual_is_not() -> None:
    story = Story(rule("volume", window_minutes=60, count=20, factor=5))
    for hour in range(30):
        story.tell(hour * HOUR)
        story.tell(hour * HOUR + MINUTE)
    assert story.alarms == []
    for second in range(40):
        story.tell(31 * HOUR + second * 1000)
    assert len(story.alarms) == 1
    assert 8 <= story.alarms[0].count <= 20


def test_an_hour_at_which_an_actor_never_asks_is_unusual() -> None:
    story = Story(rule("hours", count=20))
    for day in range(25):
        story.tell(day * 24 * HOUR + 2 * HOUR)
    assert story.alarms == []
    story.tell(26 * 24 * HOUR + 3 * HOUR)
    assert story.alarms == [], "an hour beside is no other hour"
    story.tell(26 * 24 * HOUR + 15 * HOUR)
    assert [each.rule for each in story.alarms] == ["hours"]


def test_every_emergency_access_raises_an_alarm() -> None:
    story = Story(rule("emergency", count=1, window_minutes=1))
    story.tell(0, "record.break_glass")
    story.tell(2 * MINUTE, "record.released", purpose="ETREAT")
    story.tell(4 * MINUTE, "record.released", purpose="TREAT")
    assert len(story.alarms) == 2


def test_a_clock_that_goes_back_raises_an_alarm() -> None:
    story = Story(rule("clock", count=1, seconds=5))
    story.tell(100_000)
    story.tell(96_000)
    assert story.alarms == [], "entries that waited for each other are no drift"
    story.tell(94_000)
    assert len(story.alarms) == 1


def test_a_request_from_the_future_raises_a_clock_alarm() -> None:
    story = Story(rule("clock", count=1, seconds=5))
    story.tell(1, "query.refused", code="freshness-future", outcome="refused")
    assert len(story.alarms) == 1


def test_entries_that_tell_of_a_disagreement_raise_an_alarm() -> None:
    story = Story(rule("disagreement", count=1))
    story.tell(1, "log.disagreement", actor="")
    assert [(each.rule, each.actor) for each in story.alarms] == [("disagreement", "")]


def test_looks_into_logs_are_no_volume() -> None:
    story = Story(rule("volume", window_minutes=60, count=2, factor=2))
    for second in range(500):
        story.tell(second * 1000, "audit.read")
    assert story.alarms == []


@pytest.mark.parametrize(
    "text",
    [
        "[[alarm]]\nid = 'a'",
        "[[alarm]]\nid = 'a'\nwatch = 'refusals'\nwindow_minutes = 1\ncount = 1\nextra = 1",
        "[[alarm]]\nid = 'a'\nwatch = 'refusal'\nwindow_minutes = 1\ncount = 1",
        "[[alarm]]\nid = 'A b'\nwatch = 'refusals'\nwindow_minutes = 1\ncount = 1",
        "[[alarm]]\nid = 'a'\nwatch = 'refusals'\nwindow_minutes = 0\ncount = 1",
        "[[alarm]]\nid = 'a'\nwatch = 'refusals'\nwindow_minutes = 1\ncount = 1.5",
        "[[alarm]]\nid = 'a'\nwatch = 'volume'\nwindow_minutes = 1\ncount = 1",
        "[[alarm]]\nid = 'a'\nwatch = 'refusals'\nwindow_minutes = 1\ncount = 1\nseconds = 3",
        "alarms = []",
        "[[alarm]\n",
        2 * "[[alarm]]\nid = 'a'\nwatch = 'refusals'\nwindow_minutes = 1\ncount = 1\n",
    ],
)
def test_rules_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_alarm_rules(text.encode())
    assert caught.value.code == "alarms"


def test_checks_that_nobody_followed_up_raise_an_alarm_of_their_member() -> None:
    story = Story(rule("unresolved", count=150, window_minutes=1440))
    for number in range(1, 200):
        # Slowly: one a day, by one or the other.
        actor = ANN if number % 2 else BOB
        body = {"actor": actor, "member": "macao/hospital", "unresolved": number}
        entry = Indexed(number, number * 24 * HOUR, "existence.read", {}, None, body)
        story.alarms += story.watcher.observe(entry)
    first = story.alarms[0]
    assert (first.actor, first.count) == ("macao/hospital", 150)
    assert first.count <= 200
    assert {each.actor for each in story.alarms} == {"macao/hospital"}


def test_no_more_than_one_such_alarm_a_day() -> None:
    story = Story(rule("unresolved", count=3, window_minutes=1440))
    for number in range(1, 100):
        body = {"actor": ANN, "member": "macao/hospital", "unresolved": number}
        entry = Indexed(number, number * MINUTE, "existence.read", {}, None, body)
        story.alarms += story.watcher.observe(entry)
    assert len(story.alarms) == 1
