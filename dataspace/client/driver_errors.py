"""PEP 249's tree of errors, and where each of the space's errors stands in it. Pure."""

from __future__ import annotations

from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified


class Warning(Exception):
    """Never raised here."""


class Error(Exception):
    """Base of PEP 249's errors; `__cause__` is the space's own error, if there is one."""


class InterfaceError(Error):
    """The driver was used wrongly."""


class DatabaseError(Error):
    """The space said no."""


class DataError(DatabaseError):
    """A parameter that no question can hold."""


class OperationalError(DatabaseError):
    """A participant is away."""


class IntegrityError(DatabaseError):
    """What came back does not verify."""


class InternalError(DatabaseError):
    """Never raised here."""


class ProgrammingError(DatabaseError):
    """The SQL is malformed."""


class NotSupportedError(DatabaseError):
    """Reading is all there is."""


class RefusedError(DatabaseError):
    """A rule refuses: `rule` and `basis` name it."""

    def __init__(self, message: str, rule: str, basis: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.basis = basis


def translated(error: DataspaceError) -> Error:
    """The PEP 249 error for one of the space's."""
    if isinstance(error, Malformed):
        return ProgrammingError(error.message)
    if isinstance(error, Unavailable):
        return OperationalError(error.message)
    if isinstance(error, Unverified):
        return IntegrityError(error.message)
    return RefusedError(error.message, error.rule, error.basis)
