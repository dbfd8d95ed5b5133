"""The one error tree, split by who must act.

`Malformed`: the caller. `Refused`: the rules said no. `Unavailable`: a participant is
away. `Unverified`: do not trust what you hold. Messages hold no row values and no
identities; they say what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A place in the caller's text: line and column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class DataspaceError(Exception):
    """Base of the tree. `code` is stable and for programs, `message` is for people."""

    kind = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        rule: str = "",
        basis: str = "",
        place: Place | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.rule = rule
        self.basis = basis
        self.place = place

    @property
    def message(self) -> str:
        """The text for people, with the place in the caller's text where there is one."""
        text = str(self.args[0])
        return f"{text} (at {self.place})" if self.place else text

    def __str__(self) -> str:
        return self.message


class Malformed(DataspaceError):
    """The caller's SQL, arguments, product or data file is not what it must be."""

    kind = "malformed"


class Refused(DataspaceError):
    """A rule says no: policy, disclosure, freshness, identity."""

    kind = "refused"


class Unavailable(DataspaceError):
    """A participant is absent, busy or too late; the same question may be asked again."""

    kind = "unavailable"


class Unverified(DataspaceError):
    """A signature, proof, log, list or bundle does not hold. Do not use what it covers."""

    kind = "unverified"


KINDS: dict[str, type[DataspaceError]] = {
    kind.kind: kind for kind in (Malformed, Refused, Unavailable, Unverified)
}
