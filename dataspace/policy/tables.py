"""Decision tables: cases that say what a policy set must decide, and by which rule.

    [defaults]                  # fields of an access request, filled in where a case is silent
    role = "clinician"
    [[case]]
    name = "a clinician with consent reads a record"
    expect = "permit"           # or "deny"
    rule = "treatment-record"   # must be among the deciding rules
    request = {action = "record", consent = "valid"}

Runs nothing by itself and reads no file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from dataspace.errors import Malformed
from dataspace.policy.decisions import decide
from dataspace.policy.requests import AccessRequest, request_from
from dataspace.policy.rules import PolicySet

_OUTCOMES: Final = ("permit", "deny")


@dataclass(frozen=True)
class Case:
    """One request, and the outcome and deciding rule that the table's author expects."""

    name: str
    request: AccessRequest
    expect: str
    rule: str


@dataclass(frozen=True)
class DecisionTable:
    """The cases of one file; `source` is its name."""

    source: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class TableFailure:
    """A case that went otherwise: what was expected and what was found, each with its rules."""

    source: str
    case: str
    expected: str
    found: str


@dataclass(frozen=True)
class TableReport:
    """What a run showed; `unexercised` are the rules that no passing case names."""

    policy_sha256: str
    cases: int
    rules: int
    failures: tuple[TableFailure, ...]
    unexercised: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """The share of rules that some passing case names, 0 to 1."""
        return 1 - len(self.unexercised) / self.rules if self.rules else 1.0

    @property
    def passed(self) -> bool:
        """Whether every case went as expected; coverage is for the reader to judge."""
        return not self.failures


def parse_table(source: str, content: bytes) -> DecisionTable:
    """The table in a TOML file. Raises `Malformed` (code `decision-table`) naming file and case."""
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # broken TOML and broken UTF-8 alike
        raise _malformed(f"{source}: {error}") from error
    defaults, cases = values.get("defaults", {}), values.get("case", [])
    if values.keys() - {"defaults", "case"} or not isinstance(defaults, dict):
        raise _malformed(f"{source}: a table has [defaults] and [[case]], nothing else")
    if not isinstance(cases, list) or not cases:
        raise _malformed(f"{source}: a table has at least one [[case]]")
    parsed = tuple(_case(source, defaults, case) for case in cases)
    names = [case.name for case in parsed]
    for name in names:
        if names.count(name) > 1:
            raise _malformed(f"{source}: two cases are named {name!r}")
    return DecisionTable(source=source, cases=parsed)


def run_tables(policies: PolicySet, tables: Iterable[DecisionTable]) -> TableReport:
    """Decides every case; a case passes when outcome and rule are both as expected."""
    count, failures, exercised = 0, [], set()
    for table in tables:
        for case in table.cases:
            count += 1
            failure = _failure(policies, table.source, case)
            if failure:
                failures.append(failure)
            else:
                exercised.add(case.rule)
    return TableReport(
        policy_sha256=policies.sha256,
        cases=count,
        rules=len(policies.rules),
        failures=tuple(failures),
        unexercised=tuple(rule for rule in policies.rules if rule not in exercised),
    )


def _failure(policies: PolicySet, source: str, case: Case) -> TableFailure | None:
    decision = decide(policies, case.request)
    outcome = "permit" if decision.allowed else "deny"
    cited = [rule.id for rule in decision.rules]
    if outcome == case.expect and case.rule in cited:
        return None
    return TableFailure(
        source=source,
        case=case.name,
        expected=f"{case.expect} by {case.rule}",
        found=f"{outcome} by {', '.join(cited)}",
    )


def _case(source: str, defaults: dict[str, Any], values: Any) -> Case:
    if not isinstance(values, dict) or values.keys() != {"name", "expect", "rule", "request"}:
        raise _malformed(f"{source}: a case has name, expect, rule and request")
    name, request = values["name"], values["request"]
    if not isinstance(request, dict) or not all(
        isinstance(values[key], str) for key in ("name", "expect", "rule")
    ):
        raise _malformed(f"{source}: name, expect and rule are text, request is a table")
    if values["expect"] not in _OUTCOMES:
        raise _malformed(f"{source}: case {name!r} expects neither permit nor deny")
    try:
        made = request_from(defaults | request)
    except Malformed as error:
        raise _malformed(f"{source}: case {name!r}: {error.message}") from error
    return Case(name=name, request=made, expect=values["expect"], rule=values["rule"])


def _malformed(message: str) -> Malformed:
    return Malformed(message, code="decision-table")
