"""OpenTelemetry traces: one for each request, with where the time of its texts went.

Needs the extra `lstm-serve[otel]`. Spans are made when a request is over, of times that were taken
anyway, so a request costs nothing more while it runs. The provider is the application's own:
nothing global is set, and FastAPI's instrumentation, which looks for a global one, stays silent.

Attributes are those of OpenTelemetry's semantic conventions for generative AI and for HTTP:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. None holds a text, or the id of a
session, which is all that protects one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from service import __version__
from service.inference.observer import TextStats

_NAME = "lstm-serve"
_OPERATION = "text_completion"
_UNTRACED = ("/health/", "/v2/health/", "/metrics")
_NS = 1e9


class Tracing:
    """Makes the traces of one application.

    Args:
        processor: What takes the spans.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        resource = Resource.create({"service.name": _NAME, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_NAME, __version__)
        self._propagator = TraceContextTextMapPropagator()

    @classmethod
    def to(cls, endpoint: str) -> Tracing:
        """Send spans over OTLP/HTTP, from a thread: to a collector's URL for traces."""
        return cls(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))

    def request(
        self,
        headers: Mapping[str, str],
        method: str,
        route: str,
        status: int,
        started_s: float,
        texts: Sequence[TextStats],
    ) -> None:
        """A request is over, now; see `Tracer`. Probes and scrapes have no trace."""
        if route.startswith(_UNTRACED):
            return
        clock = _Clock()
        span = self._tracer.start_span(
            f"{method} {route}",
            context=self._propagator.extract(dict(headers)),
            kind=SpanKind.SERVER,
            start_time=clock.ns(started_s),
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            },
        )
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(Status(StatusCode.ERROR))
        within = set_span_in_context(span)
        for text in texts:
            self._text(text, within, clock)
        span.end(clock.now_ns)

    def close(self) -> None:
        """Send what has not been sent, and end."""
        self._provider.shutdown()

    def _text(self, text: TextStats, within: Context, clock: _Clock) -> None:
        span = self._tracer.start_span(
            f"{_OPERATION} {text.model}",
            context=within,
            start_time=clock.ns(text.asked_s),
            attributes=_attributes(text),
        )
        if text.outcome == "failed":
            span.set_attribute("error.type", "failed")
            span.set_status(Status(StatusCode.ERROR))
        inside = set_span_in_context(span)
        timings = text.timings
        for name, start_s, end_s in (
            ("queue", timings.arrived_s, timings.started_s or timings.ended_s),
            ("read", timings.started_s, timings.first_s or timings.ended_s),
            ("first event", timings.first_s, text.first_s),
            ("write", timings.first_s, timings.ended_s),
        ):
            if start_s is not None and end_s is not None:
                part = self._tracer.start_span(name, context=inside, start_time=clock.ns(start_s))
                part.end(clock.ns(max(start_s, end_s)))
        span.end(clock.ns(text.ended_s))


class _Clock:
    """Times of `time.monotonic` as nanoseconds since 1970."""

    def __init__(self) -> None:
        self.now_ns = time.time_ns()
        self._offset_ns = self.now_ns - time.monotonic_ns()

    def ns(self, moment_s: float) -> int:
        """Of a moment."""
        return self._offset_ns + int(moment_s * _NS)


def _attributes(text: TextStats) -> dict[str, AttributeValue]:
    """What OpenTelemetry calls it; what was left to the model's default is left out."""
    found: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": _OPERATION,
        "gen_ai.provider.name": _NAME,
        "gen_ai.request.model": text.model,
        "gen_ai.response.model": text.model,
        "gen_ai.response.id": text.id,
        "gen_ai.response.finish_reasons": (text.outcome,),
        "gen_ai.request.max_tokens": text.max_tokens,
        "gen_ai.request.seed": text.sampling.seed,
        "gen_ai.request.temperature": text.sampling.temperature,
        "gen_ai.request.top_k": text.sampling.top_k,
        "gen_ai.request.top_p": text.sampling.top_p,
        "gen_ai.usage.input_tokens": text.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": text.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": text.usage.cached_tokens,
    }
    return {name: value for name, value in found.items() if value is not None}
