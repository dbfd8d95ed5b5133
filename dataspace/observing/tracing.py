"""Traces in OpenTelemetry, where somebody configures them. Rim: hands spans to an exporter.

A request is signed, and nothing is put beside it: the trace's id is the first 16 bytes of the
request's digest, and a span's id a hash of that digest and the span's name. So client, broker
and nodes make spans of one trace, and know each other's, without a header.

SECURITY: a span has a name of this file, a region, a stage and an outcome. Nothing of what was
asked or answered goes in.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from dataspace.errors import Unavailable
from dataspace.observing.build import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_LOG = structlog.get_logger("traces")

ENDPOINT_VARIABLES: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
CLIENT: Final = "client"
BROKER: Final = "broker"
_EXPORT_SECONDS: Final = 3.0


class Tracer(Protocol):
    """Where spans that have ended go."""

    def span(
        self,
        digest: bytes,
        name: str,
        parent: str,
        start_ns: int,
        end_ns: int,
        attributes: Mapping[str, str],
    ) -> None:
        """One span of the request's trace. `parent` is a span's name, or empty."""

    def close(self) -> None:
        """Hand over what has not been yet."""


class NoTracer:
    """Traces nothing."""

    def span(self, *_: object) -> None:
        """Forgets it."""

    def close(self) -> None:
        """Has nothing."""


def trace_id(digest: bytes) -> int:
    """The trace of a request, by the digest of its payload."""
    return int.from_bytes(digest[:16], "big")


def span_id(digest: bytes, name: str) -> int:
    """A span of it. Never 0, which OpenTelemetry takes for none."""
    hashed = hashlib.sha256(b"gba span\0" + name.encode() + b"\0" + digest).digest()
    return int.from_bytes(hashed[:8], "big") or 1


def open_tracer(service: str, region: str, configured: str) -> Tracer:
    """A tracer that exports over OTLP/HTTP, where party.toml or the environment names a
    collector; otherwise one that does nothing and needs no package.

    Raises `Unavailable` (`traces-missing`) where party.toml asks for traces and the packages
    for them are not installed.
    """
    if not configured and not any(os.environ.get(name) for name in ENDPOINT_VARIABLES):
        return NoTracer()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - extra
            OTLPSpanExporter,
        )
    except ImportError:
        if configured:
            raise Unavailable(
                "party.toml asks for traces, and OpenTelemetry is not installed; "
                "run `pip install 'gba-dataspace[otel]'`, or take `traces` out",
                code="traces-missing",
            ) from None
        # The variable may be meant for somebody else on this machine.
        _LOG.warning("traces.missing", extra="otel")
        return NoTracer()
    endpoint = f"{configured.rstrip('/')}/v1/traces" if configured else None
    return exporting(
        OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_SECONDS), service, region, batch=True
    )


def exporting(exporter: SpanExporter, service: str, region: str, *, batch: bool) -> Tracer:
    """A tracer over an exporter; `batch` hands spans over from a thread of its own."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - extra
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - extra
        BatchSpanProcessor,
        SimpleSpanProcessor,
    )

    _quieten()
    # Not `Resource.create`: its detectors look at the process and the machine.
    resource = Resource({"service.name": service, "service.version": VERSION, "gba.region": region})
    ids = _Said()
    provider = TracerProvider(resource=resource, id_generator=ids)  # type: ignore[arg-type]  # its methods are all there
    provider.add_span_processor((BatchSpanProcessor if batch else SimpleSpanProcessor)(exporter))
    return _Exporting(provider, ids)


class _Exporting:
    def __init__(self, provider: TracerProvider, ids: _Said) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - extra

        self._provider = provider
        self._trace: Any = trace
        self._tracer = provider.get_tracer("gba")
        self._ids = ids
        self._turn = threading.Lock()  # ids are said for one span at a time

    def span(
        self, digest: bytes, name: str, parent: str, start_ns: int, end_ns: int,
        attributes: Mapping[str, str],
    ) -> None:  # fmt: skip
        trace = self._trace
        known = trace_id(digest)
        context = trace.set_span_in_context(trace.INVALID_SPAN)  # nobody else's, by accident
        if parent:
            sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
            above = trace.SpanContext(known, span_id(digest, parent), True, sampled)
            context = trace.set_span_in_context(trace.NonRecordingSpan(above))
        with self._turn:
            self._ids.trace, self._ids.span = known, span_id(digest, name)
            span = self._tracer.start_span(
                name, context=context, start_time=start_ns, attributes=dict(attributes)
            )
        span.end(end_time=end_ns)

    def close(self) -> None:
        self._provider.shutdown()


class _Said:
    """Gives the ids that were said, where OpenTelemetry would draw them."""

    def __init__(self) -> None:
        self.trace = self.span = 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span

    def is_trace_id_random(self) -> bool:
        return False


class _Told(logging.Handler):
    """What OpenTelemetry complains of, as a line of ours without its text, which may hold
    addresses and credentials."""

    def emit(self, record: logging.LogRecord) -> None:
        _LOG.warning("traces.trouble", where=record.name, severity=record.levelname)


def _quieten() -> None:
    for name in ("opentelemetry", "urllib3", "requests"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(_Told(logging.WARNING))
        logger.propagate = False
