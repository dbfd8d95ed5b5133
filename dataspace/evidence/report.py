"""What a verification came to, step by step, in words. Verifies nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from dataspace.errors import DataspaceError, Unverified

Result = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Step:
    """One step: a name for programs, what was found in words, and whether it holds."""

    name: str
    words: str
    result: Result
    code: str = ""  # of the error, where it failed


@dataclass(frozen=True)
class Report:
    """All steps in order: nothing after the first that failed was looked at."""

    steps: tuple[Step, ...]

    @property
    def failed(self) -> Step | None:
        """The step that failed, or None where all hold."""
        return next((step for step in self.steps if step.result == "failed"), None)

    def require(self) -> None:
        """Raise `Unverified` naming the step that failed."""
        if self.failed is not None:
            raise Unverified(
                f"the evidence does not hold at step {self.failed.name}: {self.failed.words}",
                code=self.failed.code,
            )


def take_steps(steps: Sequence[tuple[str, Callable[[], str]]]) -> Report:
    """Take steps in order; each returns what it found, or raises. The first to raise ends it."""
    taken: list[Step] = []
    for name, act in steps:
        if taken and taken[-1].result != "ok":
            taken.append(Step(name, "not looked at", "skipped"))
            continue
        try:
            taken.append(Step(name, act(), "ok"))
        except DataspaceError as error:
            taken.append(Step(name, error.message, "failed", error.code))
        except Exception as error:
            # SECURITY: what an attacker wrote may break any reader below; that is no success.
            words = f"this part cannot be read ({type(error).__name__}); do not rely on it"
            taken.append(Step(name, words, "failed", "evidence-unreadable"))
    return Report(tuple(taken))
