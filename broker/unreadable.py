"""Bytes that are no message: refused like an empty message, by whoever reads it. Rim.

grpcio would answer UNKNOWN and write a traceback for each, so that noise fills the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError


class ReadsAnything(grpc.aio.ServerInterceptor):
    """Has every method read what cannot be read as if nothing had been said."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        """See `grpc.aio.ServerInterceptor`."""
        handler = await continuation(details)
        if handler is None:
            return None
        return handler._replace(request_deserializer=_reading(handler.request_deserializer))


def _reading(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError:
            return parse(b"")

    return read
