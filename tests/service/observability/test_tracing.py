"""One trace for each request: what its spans are, and that they reach a collector."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.app import create_app
from service.observability.tracing import Tracing
from service.settings import Settings
from tests.service.observability.scraped import application
from tests.tiny_model import publish

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CONTEXT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
PROMPT = "Words of a user"


@pytest.fixture
def spans(tmp_path: Path) -> Iterator[tuple[TestClient, Any]]:
    """An application, and where its spans are."""
    publish(tmp_path / "store")
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter))
    settings = Settings(model_store=tmp_path / "store", session_store="memory://")
    with TestClient(create_app(settings, tracing)) as client:
        yield client, exporter


@pytest.mark.parametrize("stream", [True, False])
def test_a_text_is_one_trace(spans: tuple[TestClient, Any], stream: bool):
    """Within the trace that its request says; its parts lie in it, in their order."""
    client, exporter = spans
    body = {"prompt": PROMPT, "max_tokens": 9, "seed": 3, "temperature": 0.5, "stream": stream}
    client.post("/generate", json=body, headers=CONTEXT)

    found = {span.name: span for span in exporter.get_finished_spans()}
    parts = ["queue", "read", "first event", "write"]
    assert {"POST /generate", "text_completion tiny@1", *parts} == set(found)
    root, text = found["POST /generate"], found["text_completion tiny@1"]
    assert {int(TRACE, 16)} == {span.context.trace_id for span in found.values()}
    assert int(PARENT, 16) == root.parent.span_id
    assert root.context.span_id == text.parent.span_id
    assert root.start_time <= text.start_time <= text.end_time <= root.end_time
    for name in parts:
        assert text.context.span_id == found[name].parent.span_id
        assert text.start_time <= found[name].start_time <= found[name].end_time <= text.end_time
    assert found["queue"].end_time == found["read"].start_time
    assert found["read"].end_time == found["write"].start_time == found["first event"].start_time
    assert 200 == root.attributes["http.response.status_code"]
    expected = {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.request.model": "tiny@1",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 3,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.usage.input_tokens": len(PROMPT),
        "gen_ai.usage.output_tokens": 9,
    }
    assert expected == {name: text.attributes[name] for name in expected}
    assert not any(PROMPT in span.to_json() for span in found.values())


def test_a_request_without_a_context_begins_a_trace(spans: tuple[TestClient, Any]):
    """What is refused has a trace without a text, and probes and scrapes have none."""
    client, exporter = spans
    client.get("/health/ready")
    client.get("/v2/health/live")
    client.get("/metrics")
    client.post("/generate", json={"max_tokens": -1}, headers={"traceparent": "nonsense"})

    [root] = exporter.get_finished_spans()
    assert root.parent is None
    assert (422, "/generate") == (
        root.attributes["http.response.status_code"],
        root.attributes["http.route"],
    )


class _Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    def do_POST(self) -> None:
        """Keep what has come."""
        content = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, content))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_spans_reach_a_collector(tmp_path: Path):
    """Over OTLP/HTTP, at the latest when the server ends."""
    collector: Any = HTTPServer(("127.0.0.1", 0), _Collector)
    collector.requests = []
    thread = threading.Thread(target=collector.serve_forever)
    thread.start()
    try:
        endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
        with application(tmp_path, session_store="memory://", otlp_endpoint=endpoint) as client:
            client.post("/generate", json={"prompt": PROMPT, "max_tokens": 3}, headers=CONTEXT)
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()

    [(path, content)] = collector.requests
    message = ExportTraceServiceRequest.FromString(content)
    [resource] = message.resource_spans
    found = [span for scope in resource.scope_spans for span in scope.spans]
    assert "/v1/traces" == path
    assert {TRACE} == {span.trace_id.hex() for span in found}
    assert 6 == len(found)
    assert "lstm-serve" in {each.value.string_value for each in resource.resource.attributes}


def test_fastapis_own_telemetry_cannot_be_switched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """From the environment: it would complain of an exporter that does not exist."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "no such exporter")

    with application(tmp_path, session_store="memory://") as client:
        assert 200 == client.get("/health/live").status_code

    assert [] == [record for record in caplog.records if record.name.startswith("fastapi")]


def test_what_is_no_url_is_refused():
    """Before the server starts."""
    with pytest.raises(ValueError, match="no URL"):
        Settings(otlp_endpoint="127.0.0.1:4318")
