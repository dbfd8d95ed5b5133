"""Exit codes of the error tree, in this one place (the design's §10)."""

from __future__ import annotations

from dataspace.errors import DataspaceError

DONE = 0
USAGE = 2
MALFORMED = 3
REFUSED = 4
UNAVAILABLE = 5
UNVERIFIED = 6

_BY_KIND = {
    "malformed": MALFORMED,
    "refused": REFUSED,
    "unavailable": UNAVAILABLE,
    "unverified": UNVERIFIED,
}


def exit_code(error: DataspaceError) -> int:
    """The exit code that tells who must act."""
    return _BY_KIND.get(error.kind, UNAVAILABLE)
