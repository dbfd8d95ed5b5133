"""How a call at the broker ends without an answer: status, and codes beside it. Rim."""

from __future__ import annotations

from typing import Any

import grpc
import structlog

from dataspace.errors import DataspaceError, Unavailable

_LOG = structlog.get_logger("broker")

_STATUS = {
    "malformed": grpc.StatusCode.INVALID_ARGUMENT,
    "refused": grpc.StatusCode.PERMISSION_DENIED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "unverified": grpc.StatusCode.UNAUTHENTICATED,
}


def inside(error: Exception) -> Unavailable:
    """What a caller hears of an unexpected error: nothing of its text."""
    # SECURITY: the text of an unexpected error may hold anything, a caller's SQL for one; left
    # to gRPC, it would be in the log.
    _LOG.error("broker.internal", kind=type(error).__name__)
    return Unavailable("the broker failed inside; ask again", code="internal")


async def abort(context: Any, error: DataspaceError) -> None:
    """End a call with the error's status; the code and rule travel as trailing metadata."""
    trailing = (
        ("gba-error", error.kind),
        ("gba-code", error.code),
        ("gba-rule", error.rule),
        ("gba-basis-bin", error.basis.encode()),
    )
    await context.abort(_STATUS[error.kind], error.message, trailing)
