"""Spans of one request join without a header; nothing is needed where nothing is configured."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dataspace.errors import Unavailable
from dataspace.observing.calls import Calls
from dataspace.observing.counts import Counts
from dataspace.observing.tracing import (
    BROKER,
    CLIENT,
    NoTracer,
    Tracer,
    exporting,
    open_tracer,
    span_id,
    trace_id,
)

PAYLOAD = b"SELECT count(*) FROM patients WHERE name = 'Chan Tai Man'"
DIGEST = hashlib.sha256(PAYLOAD).digest()


def traced(service: str) -> tuple[InMemorySpanExporter, Tracer]:
    exporter = InMemorySpanExporter()
    return exporter, exporting(exporter, service, "macao", batch=False)


def one_request(name: str, parent: str) -> list[ReadableSpan]:
    exporter, tracer = traced("gba-test")
    call = Calls(Counts(), name, parent, tracer).begin("query", PAYLOAD)
    for stage in ("received", "decided", "running", "released"):
        call.stage(stage)
    call.end()
    return list(exporter.get_finished_spans())


def test_the_parts_of_one_request_are_one_trace() -> None:
    broker, node = one_request(BROKER, CLIENT), one_request("node macao", BROKER)
    assert [span.name for span in node] == ["node macao", "node macao decide", "node macao engine"]
    for span in (*broker, *node):
        assert span.context is not None and span.parent is not None
        assert span.context.trace_id == trace_id(DIGEST) == int(DIGEST[:16].hex(), 16)
    top = node[0]
    assert top.parent is not None and top.parent.span_id == span_id(DIGEST, BROKER)
    assert broker[0].context is not None and broker[0].context.span_id == top.parent.span_id
    assert broker[0].parent is not None and broker[0].parent.span_id == span_id(DIGEST, CLIENT)
    assert all(
        span.start_time and span.end_time and span.start_time <= span.end_time
        for span in (*broker, *node)
    )


def test_the_client_begins_the_trace() -> None:
    exporter, tracer = traced("gba-client")
    tracer.span(DIGEST, CLIENT, "", 1, 2, {})
    (span,) = exporter.get_finished_spans()
    assert span.parent is None
    assert span.context is not None and span.context.trace_id == trace_id(DIGEST)


def test_nothing_of_a_question_is_in_a_span() -> None:
    said = "".join(span.to_json() for span in one_request("node macao", BROKER))
    assert "Chan" not in said and "SELECT" not in said and "patients" not in said


def test_other_requests_are_other_traces() -> None:
    other = hashlib.sha256(b"other").digest()
    assert trace_id(other) != trace_id(DIGEST)
    assert span_id(other, BROKER) != span_id(DIGEST, BROKER) != span_id(DIGEST, CLIENT)


def test_without_configuration_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    assert isinstance(open_tracer("gba-node", "macao", ""), NoTracer)


def test_no_package_is_needed_where_nothing_is_configured() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import dataspace.observing.tracing as t, node.service, broker.observing\n"
        "assert type(t.open_tracer('gba-node', 'macao', '')).__name__ == 'NoTracer'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={}, check=False
    )
    assert done.returncode == 0, done.stderr


def test_traces_that_are_asked_for_and_cannot_be_made_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(Unavailable, match="gba-dataspace\\[otel\\]") as caught:
        open_tracer("gba-node", "macao", "http://127.0.0.1:4318")
    assert caught.value.code == "traces-missing"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert isinstance(open_tracer("gba-node", "macao", ""), NoTracer)  # meant for others, perhaps
