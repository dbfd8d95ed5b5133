"""Types of outcomes, checked before anything runs: a node answers no question that the
combining would refuse afterwards. Values alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.query.evaluate import family
from dataspace.query.tree import (
    AggregateRef,
    KeyRef,
    Literal,
    Outcome,
    OutcomeCase,
    OutcomeOperation,
    Query,
)

_LOGIC = {"and", "or", "not"}
_COMPARING = {"=", "<>", "<", "<=", ">", ">=", "between", "in"}
_ALIKE = {"coalesce", "nullif"}
NUMBER, BOOLEAN = "number", "boolean"


def check_outcomes(query: Query, key_families: Sequence[str | None]) -> None:
    """Raises `Malformed` for outputs, HAVING or ORDER BY whose types do not fit.

    `key_families` are the families of the group keys' types, None for NULL.
    """
    typer = _Typer(tuple(key_families))
    for output in query.outputs:
        typer.family(output.value)
    for order in query.order:
        typer.family(order.value)
    if query.having is not None and typer.family(query.having) not in {BOOLEAN, None}:
        raise Malformed("HAVING takes a condition", code="type")


@dataclass(frozen=True)
class _Typer:
    keys: tuple[str | None, ...]

    def family(self, outcome: Outcome) -> str | None:
        match outcome:
            case Literal():
                return None if outcome.value is None else family(outcome.value)
            case KeyRef():
                return self.keys[outcome.index]
            case AggregateRef():
                return NUMBER
            case OutcomeCase():
                for condition, _ in outcome.branches:
                    self._need("CASE WHEN", BOOLEAN, [self.family(condition)])
                values = [value for _, value in outcome.branches]
                return self._alike("CASE", [*values, outcome.otherwise])
            case OutcomeOperation():
                return self._operation(outcome)

    def _operation(self, outcome: OutcomeOperation) -> str | None:
        name = outcome.name
        if name == "is null":
            self.family(outcome.arguments[0])
            return BOOLEAN
        if name in _COMPARING:
            self._alike(name, outcome.arguments)
            return BOOLEAN
        if name in _ALIKE:
            return self._alike(name, outcome.arguments)
        wanted = BOOLEAN if name in _LOGIC else NUMBER
        self._need(name, wanted, [self.family(argument) for argument in outcome.arguments])
        if name == "round":
            check_digits(outcome.arguments[1:])
        return wanted

    def _alike(self, name: str, outcomes: Sequence[Outcome]) -> str | None:
        families = {found for found in map(self.family, outcomes) if found is not None}
        if len(families) > 1:
            raise Malformed(
                f"{name.upper()}: {' and '.join(sorted(families))} do not fit together", code="type"
            )
        return next(iter(families), None)

    def _need(self, name: str, wanted: str, found: Sequence[str | None]) -> None:
        if any(each not in {wanted, None} for each in found):
            what = "conditions" if wanted == BOOLEAN else "numbers"
            raise Malformed(f"{name.upper()} takes {what}", code="type")


def check_digits(digits: Sequence[object]) -> None:
    """The second argument of round(): a whole number between -30 and 30, or absent."""
    for each in digits:
        value = each.value if isinstance(each, Literal) else None
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 30:
            raise Malformed("round() takes a whole number of digits, up to 30", code="type")
