"""What a call that failed means: the error behind a gRPC status. Pure."""

from __future__ import annotations

from typing import Any

import grpc

from dataspace.errors import KINDS, DataspaceError, Unavailable


def failure_of(error: Any) -> DataspaceError:
    """The error behind a gRPC status; the trailing metadata carries its codes."""
    trailing: dict[str, Any] = dict(error.trailing_metadata() or ())
    kind = KINDS.get(str(trailing.get("gba-error", "")))
    details = str(error.details() or "")
    if kind is not None:
        basis = trailing.get("gba-basis-bin", b"")
        return kind(
            details,
            code=str(trailing.get("gba-code", "")),
            rule=str(trailing.get("gba-rule", "")),
            basis=basis.decode() if isinstance(basis, bytes) else str(basis),
        )
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable("no answer before the deadline; ask again", code="deadline")
    return Unavailable(
        "the broker cannot be reached; see `gba space status`", code="broker-unreachable"
    )
