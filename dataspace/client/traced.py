"""A member's calls as spans: where a trace begins. See `observing.tracing`."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import grpc

from dataspace.observing.tracing import CLIENT, NoTracer, Tracer


def traced(channel: grpc.Channel, tracer: Tracer) -> grpc.Channel:
    """The channel, its calls told to a tracer; itself where nothing is traced."""
    if isinstance(tracer, NoTracer):
        return channel
    return grpc.intercept_channel(channel, _Spans(tracer))


class _Spans(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """A span from the sending of a request to the end of its call."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        return self._told(continuation, details, request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        return self._told(continuation, details, request)

    def _told(self, continuation: Any, details: Any, request: Any) -> Any:
        payload = getattr(request, "payload", None)
        call = continuation(details, request)
        if not isinstance(payload, bytes):  # what is not signed has no digest to be named by
            return call
        digest, began = hashlib.sha256(payload).digest(), time.time_ns()
        method = str(details.method).rpartition("/")[2].lower()

        def ended(_: Any = None) -> None:
            # A call that was cancelled once it had answered ended well for the one who made it.
            attributes = {"gba.kind": method}
            self._tracer.span(digest, CLIENT, "", began, time.time_ns(), attributes)

        call.add_done_callback(ended)
        return call
