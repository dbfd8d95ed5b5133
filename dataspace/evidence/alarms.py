"""Alarms: rules as data, and what entries of a log set them off. Pure.

Works on entries as they are indexed and on their own times, off the way of requests. Counts
for each actor by itself (unresolved checks: for each member); says of one rule and actor no more
than one alarm in a window.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dataspace.audit.index import Indexed
from dataspace.errors import Malformed

KIND: Final = "alarm.raised"
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_AREA_MS: Final = 8 * _HOUR_MS  # the whole area is at UTC+8
_MOST_ACTORS: Final = 10_000  # the least recent are forgotten
_MOST_TIMES: Final = 10_000  # of one actor and rule in a window
_CLOCK_CODES: Final = frozenset({"freshness-future", "clock-set-back", "freshness-expired"})
_DISAGREEMENT: Final = frozenset({"log.disagreement", "witness.disagreement"})
_EMERGENCIES: Final = frozenset({"ETREAT", "BTG"})
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_SPACE: Final = re.compile(r"\s+")

_Watch: TypeAlias = Literal[
    "refusals", "alike", "volume", "hours", "emergency", "clock", "disagreement", "unresolved"
]


class AlarmRule(BaseModel):
    """One rule of alarms.toml. The keys are closed; `factor` and `seconds` go with their watch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    watch: _Watch
    window_minutes: Annotated[int, Field(strict=True, ge=1, le=10_080)]
    count: Annotated[int, Field(strict=True, ge=1, le=_MOST_TIMES)]
    factor: Annotated[int, Field(strict=True, ge=2)] | None = None
    seconds: Annotated[int, Field(strict=True, ge=1)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> AlarmRule:
        if (self.factor is not None) != (self.watch == "volume"):
            raise ValueError("factor goes with volume, and with nothing else")
        if (self.seconds is not None) != (self.watch == "clock"):
            raise ValueError("seconds goes with clock, and with nothing else")
        return self

    @property
    def window_ms(self) -> int:
        """The window in milliseconds."""
        return self.window_minutes * _MINUTE_MS


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    alarm: tuple[AlarmRule, ...] = ()


def read_alarm_rules(data: bytes) -> tuple[AlarmRule, ...]:
    """The rules in alarms.toml; `Malformed` (code `alarms`) naming the key that is wrong."""
    try:
        rules = _File.model_validate(tomllib.loads(data.decode())).alarm
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Malformed(f"alarms.toml: {place}: {first['msg']}", code="alarms") from None
    except ValueError:
        raise Malformed("alarms.toml is no TOML text", code="alarms") from None
    if len({rule.id for rule in rules}) != len(rules):
        raise Malformed("alarms.toml: two alarms have one id", code="alarms")
    return rules


@dataclass(frozen=True)
class Alarm:
    """One alarm. `actor` is empty where none is meant; it belongs in a body, not in an entry."""

    rule: str
    actor: str
    at_ms: int
    window_ms: int
    count: int
    index: int  # of the entry that set it off


@dataclass
class _Actor:
    """What an actor has done so far."""

    times: dict[str, deque[int]] = field(default_factory=dict)  # by rule, or rule and shape
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    first_ms: int = 0
    requests: int = 0


class Watcher:
    """Sees every entry of one log in order. For one thread."""

    def __init__(self, rules: tuple[AlarmRule, ...]) -> None:
        self._rules = rules
        self._actors: OrderedDict[str, _Actor] = OrderedDict()
        self._raised: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._latest_ms = 0
        self._counts: dict[str, Callable[[AlarmRule, Indexed, str], int]] = {
            "refusals": self._refusals,
            "alike": self._alike,
            "volume": self._volume,
            "hours": self._hours,
            "emergency": self._emergency,
            "clock": self._clock,
            "disagreement": self._disagreement,
            "unresolved": self._unresolved,
        }

    def observe(self, entry: Indexed) -> list[Alarm]:
        """The alarms that an entry sets off, at most one of each rule."""
        if entry.kind == KIND:
            self._remember(entry)
            return []
        actor = _text((entry.body or {}).get("actor"))
        found = []
        for rule in self._rules:
            count = self._counts[rule.watch](rule, entry, actor)
            whose = _member(entry) if rule.watch == "unresolved" else actor
            if count and self._is_due(rule, entry, whose):
                self._note(rule.id, whose, entry.at_ms)
                found.append(Alarm(rule.id, whose, entry.at_ms, rule.window_ms, count, entry.index))
        self._learn(entry, actor)
        self._latest_ms = max(self._latest_ms, entry.at_ms)
        return found

    def _is_due(self, rule: AlarmRule, entry: Indexed, actor: str) -> bool:
        last = self._raised.get((rule.id, actor))
        return last is None or abs(entry.at_ms - last) >= rule.window_ms

    def _remember(self, entry: Indexed) -> None:
        """An alarm in the log: of an earlier run, or the one just raised."""
        self._note(
            _text(entry.fields.get("rule")), _text((entry.body or {}).get("actor")), entry.at_ms
        )

    def _note(self, rule: str, actor: str, at_ms: int) -> None:
        self._raised[rule, actor] = at_ms
        self._raised.move_to_end((rule, actor))
        if len(self._raised) > _MOST_ACTORS:
            self._raised.popitem(last=False)

    def _of(self, actor: str) -> _Actor:
        known = self._actors.setdefault(actor, _Actor())
        self._actors.move_to_end(actor)
        if len(self._actors) > _MOST_ACTORS:
            self._actors.popitem(last=False)
        return known

    def _within(self, rule: AlarmRule, entry: Indexed, actor: str, shape: str = "") -> int:
        """Counts this entry too; how many there were in the window."""
        times = self._of(actor).times.setdefault(f"{rule.id} {shape}", deque(maxlen=_MOST_TIMES))
        times.append(entry.at_ms)
        while times and times[0] <= entry.at_ms - rule.window_ms:
            times.popleft()
        return len(times)

    def _refusals(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        if not actor or entry.fields.get("outcome") != "refused":
            return 0
        return _at_least(rule.count, self._within(rule, entry, actor))

    def _alike(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        sql = _text((entry.body or {}).get("sql"))
        if not actor or not sql:
            return 0
        known = self._of(actor)
        if len(known.times) > _MOST_TIMES:
            known.times.clear()
        shape = _shape(_text((entry.body or {}).get("project")), sql)
        return _at_least(rule.count, self._within(rule, entry, actor, shape))

    def _volume(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        if not _is_request(entry, actor):
            return 0
        known, count = self._of(actor), self._within(rule, entry, actor)
        before = known.requests - count + 1
        windows = max(1, (entry.at_ms - rule.window_ms - known.first_ms) // rule.window_ms)
        usual = before / windows
        has_pattern = before >= rule.count
        return count if has_pattern and count > max(1.0, usual) * (rule.factor or 1) else 0

    def _hours(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        if not _is_request(entry, actor):
            return 0
        known, hour = self._of(actor), _hour(entry.at_ms)
        near = sum(known.hours[(hour + step) % 24] for step in (-1, 0, 1))
        return 1 if known.requests >= rule.count and near == 0 else 0

    def _emergency(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        emergency = entry.kind == "record.break_glass" or (
            entry.kind.startswith("record.") and entry.fields.get("purpose") in _EMERGENCIES
        )
        return _at_least(rule.count, self._within(rule, entry, actor)) if emergency else 0

    def _clock(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        back = self._latest_ms - entry.at_ms > (rule.seconds or 0) * 1000
        if not back and entry.fields.get("code") not in _CLOCK_CODES:
            return 0
        return _at_least(rule.count, self._within(rule, entry, actor))

    def _disagreement(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        if entry.kind not in _DISAGREEMENT:
            return 0
        return _at_least(rule.count, self._within(rule, entry, actor))

    def _unresolved(self, rule: AlarmRule, entry: Indexed, actor: str) -> int:
        # Counted by the node, of the whole member and without an end: slow is no way around it.
        count = (entry.body or {}).get("unresolved")
        return _at_least(rule.count, count) if isinstance(count, int) and actor else 0

    def _learn(self, entry: Indexed, actor: str) -> None:
        if not _is_request(entry, actor):
            return
        known = self._of(actor)
        known.first_ms = known.first_ms or entry.at_ms
        known.requests += 1
        known.hours[_hour(entry.at_ms)] += 1


def _is_request(entry: Indexed, actor: str) -> bool:
    """Looks into logs are left out: whoever follows a log looks every few seconds."""
    return bool(actor) and not entry.kind.startswith(("audit.", "bodies."))


def _member(entry: Indexed) -> str:
    """Whose checks were counted: REGION/MEMBER."""
    return _text((entry.body or {}).get("member"))


def _shape(project: str, sql: str) -> str:
    """One word for questions of a project that differ in numbers and texts alone."""
    plain = _SPACE.sub(" ", _LITERAL.sub("?", sql)).strip().lower()
    return hashlib.sha256(f"{project}\n{plain}".encode()).hexdigest()[:32]


def _at_least(least: int, count: int) -> int:
    return count if count >= least else 0


def _hour(at_ms: int) -> int:
    return (at_ms + _AREA_MS) // _HOUR_MS % 24


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
