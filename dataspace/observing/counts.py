"""What a process counts as it goes: requests by outcome and rule, how long they took, alarms.

Keeps nothing but numbers. SECURITY: a label is a code of this project, the id of a rule or a
region, never an actor, a member or any text of a caller; each is held to a form and to a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from dataspace.audit.entries import FieldValue

_LOG = structlog.get_logger("recorded")

OTHER: Final = "other"
SEVERAL: Final = "several"
_MOST_SERIES: Final = 512  # of one counter; what comes after is counted as `other`
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_ALARMS: Final = {"alarm.raised", "policy.rejected"}
# Seconds; a node's answer to a small question takes tens of milliseconds, a round minutes.
_CALL_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_DECISION_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Counts:
    """One process's, in a registry of its own. Safe for any number of threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "gba_requests", "Signed requests answered, by kind, outcome and the rule that decided.",
            ("kind", "outcome", "rule"), registry=self.registry,
        )  # fmt: skip
        self._alarms = Counter(
            "gba_alarms", "Alarms put on record, by rule.", ("rule",), registry=self.registry
        )
        self._rounds = Counter(
            "gba_rounds", "Rounds of linkage, by what became of them.", ("outcome",),
            registry=self.registry,
        )  # fmt: skip
        self._calls = Histogram(
            "gba_call_seconds", "From a call's arrival to its answer.", ("kind", "outcome"),
            buckets=_CALL_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._decisions = Histogram(
            "gba_decision_seconds", "From a question's arrival to the decision on it.",
            buckets=_DECISION_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._witness_answers = Counter(
            "gba_witness_answers", "Answers of witnesses, by HTTP status of C2SP tlog-witness.",
            ("status",), registry=self.registry,
        )  # fmt: skip
        self._series: dict[str, set[tuple[str, ...]]] = {}

    def recorded(self, kind: str, fields: Mapping[str, FieldValue], index: int) -> None:
        """An entry is on record: one line in the process's log, and it counts. Never raises.

        SECURITY: of an entry's fields only codes are looked at.
        """
        request = str(fields.get("request_sha256", ""))[:16]
        outcome, code = str(fields.get("outcome", "")), str(fields.get("code", ""))
        rule = _rule(fields)
        named = {"request": request, "outcome": outcome, "code": code, "rule": rule}
        _LOG.info(kind, entry=index, **{name: value for name, value in named.items() if value})
        if kind in _ALARMS:
            self._alarms.labels(
                *self._bounded("alarms", rule if kind == "alarm.raised" and rule else kind)
            ).inc()
        noun, _, verb = kind.partition(".")
        if noun == "overlap":
            self._rounds.labels(*self._bounded("rounds", verb)).inc()
        if outcome and request:
            self._requests.labels(*self._bounded("requests", noun, outcome, rule)).inc()

    def called(self, kind: str, outcome: str, seconds: float) -> None:
        """A call has ended."""
        self._calls.labels(kind, outcome).observe(seconds)

    def decided(self, seconds: float) -> None:
        """A question was decided."""
        self._decisions.observe(seconds)

    def witnessed(self, status: int) -> None:
        """A witness was asked and answered."""
        self._witness_answers.labels(*self._bounded("witness", str(status))).inc()

    def _bounded(self, counter: str, *labels: str) -> tuple[str, ...]:
        fitting = tuple(
            label if not label or _LABEL.fullmatch(label) else OTHER for label in labels
        )
        known = self._series.setdefault(counter, set())
        if fitting in known:
            return fitting
        # SECURITY: however many rules somebody brings, memory and the page stay small.
        if len(known) >= _MOST_SERIES:
            return (OTHER,) * len(labels)
        known.add(fitting)
        return fitting


def _rule(fields: Mapping[str, FieldValue]) -> str:
    """The one rule that decided; `several` where more than one permitted together."""
    rule = fields.get("rule")
    if isinstance(rule, str) and rule:
        return rule
    rules = fields.get("rules")
    if isinstance(rules, Sequence) and not isinstance(rules, str) and rules:
        return str(rules[0]) if len(rules) == 1 else SEVERAL
    return ""
