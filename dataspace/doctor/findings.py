"""What a look at a party comes to: values, in words for an operator. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, and will not always
    FAILURE = "failure"  # something does not work now


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `meaning` says what was found and what follows from it,
    `advice` what to do; empty where nothing is to be done.

    `unverified` marks a failure after which the party's own files are not to be believed.
    """

    check: str
    level: Level
    code: str
    meaning: str
    advice: str = ""
    unverified: bool = False

    def __post_init__(self) -> None:
        if self.level is not Level.OK and not self.advice:
            raise ValueError(f"{self.check}/{self.code} says nothing to do")


def ok(check: str, meaning: str) -> Finding:
    """All is well with it."""
    return Finding(check, Level.OK, "ok", meaning)


def warning(check: str, code: str, meaning: str, advice: str) -> Finding:
    """It works, and will not always."""
    return Finding(check, Level.WARNING, code, meaning, advice)


def failure(
    check: str, code: str, meaning: str, advice: str, *, unverified: bool = False
) -> Finding:
    """It does not work now."""
    return Finding(check, Level.FAILURE, code, meaning, advice, unverified)


@dataclass(frozen=True)
class Examined:
    """One party's findings. `party` is its directory's place in the home: `macao/witness`."""

    party: str
    kind: str
    findings: tuple[Finding, ...]

    def of(self, level: Level) -> tuple[Finding, ...]:
        """Those of a level."""
        return tuple(each for each in self.findings if each.level is level)
