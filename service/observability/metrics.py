"""Prometheus metrics of one application, in a registry of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.inference.observer import TextStats
from service.inference.start import Inference
from service.observability.aliases import VllmNames
from service.observability.buckets import TIME_S
from service.observability.engine_metrics import EngineMetrics, ModelObserver
from service.observability.histogram import MODEL
from service.observability.standing import Standing

OUTCOMES = ("length", "stop", "eos", "parked", "left", "failed")
"""How texts end: for whatever reason they are finished, or their reader leaves, or they fail."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"


class Metrics:
    """Counts what happens; a scrape also looks at what is.

    Labels are models, outcomes, reasons, methods and patterns of routes: never anything that a
    client can invent.

    Args:
        vllm_names: Whether some are shown under vLLM's names as well.
    """

    def __init__(self, *, vllm_names: bool = False) -> None:
        registry = self._registry = CollectorRegistry()
        self._engines = EngineMetrics(registry)
        self._requests = Counter(
            "lstm_serve_requests", "Texts that are over.", [MODEL, "outcome"], registry=registry
        )
        self._first_event_s = Histogram(
            "lstm_serve_time_to_first_event_seconds",
            "Time from a request for a text to its first event.",
            [MODEL],
            buckets=TIME_S,
            registry=registry,
        )
        self._duration_s = Histogram(
            "lstm_serve_request_seconds",
            "Time from a request for a text to its end.",
            [MODEL],
            buckets=TIME_S,
            registry=registry,
        )
        self._answers = Counter(
            "lstm_serve_http_requests",
            "HTTP requests that are over.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._answer_s = Histogram(
            "lstm_serve_http_request_seconds",
            "Time of an HTTP request, a stream to its end.",
            ["route"],
            buckets=TIME_S,
            registry=registry,
        )
        self._standing = Standing()
        registry.register(self._standing)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._has_vllm_names = vllm_names
        self._shown: Collector = _WithoutCreated(registry)
        if vllm_names:
            self._shown = VllmNames(self._shown)
        self._scrapes: dict[str, asyncio.Task[tuple[bytes, str]]] = {}

    def engine(self, model: str) -> ModelObserver:
        """The `Observer` of a model's engine."""
        for outcome in OUTCOMES:  # so that a rate is 0 before the first one
            self._requests.labels(model, outcome)
        self._first_event_s.labels(model)
        self._duration_s.labels(model)
        return self._engines.of(model)

    def text(self, stats: TextStats) -> None:
        """A text is over."""
        outcome = stats.outcome if stats.outcome in OUTCOMES else _OTHER
        self._requests.labels(stats.model, outcome).inc()
        self._duration_s.labels(stats.model).observe(stats.duration_s)
        if stats.first_event_s is not None:
            self._first_event_s.labels(stats.model).observe(stats.first_event_s)

    def http(self, method: str, route: str, status: int, duration_s: float) -> None:
        """An HTTP request is over.

        Args:
            method: Of the request; one that nobody knows is counted as `other`.
            route: The pattern that has matched it.
            status: Of the answer; 0: there was none.
            duration_s: To the end of the answer.
        """
        known = method if method in _METHODS else _OTHER
        self._answers.labels(known, route, str(status)).inc()
        self._answer_s.labels(route).observe(duration_s)

    def watch(self, inference: Inference, store: str, draining: Callable[[], bool]) -> None:
        """What scrapes look at.

        Args:
            inference: Its models and sessions.
            store: What kind of store has the sessions.
            draining: Whether the server is going down.
        """
        self._standing.watch(inference, store, draining)

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """All metrics, in OpenMetrics if `accept`, the request's header, says so; and their type.

        Who asks while another one of the same format is answered gets the same answer.
        """
        # prometheus-client's OpenMetrics makes an underscore of the colon in vLLM's names.
        encode, content_type = choose_encoder("" if self._has_vllm_names else accept)
        running = self._scrapes.get(content_type)
        if running is None:
            running = asyncio.ensure_future(self._encoded(encode, content_type))
            self._scrapes[content_type] = running
            running.add_done_callback(lambda done: self._scraped(content_type, done))
        return await asyncio.shield(running)

    def _scraped(self, content_type: str, done: asyncio.Future[tuple[bytes, str]]) -> None:
        del self._scrapes[content_type]
        if not done.cancelled():
            done.exception()  # it is looked at, even if nobody waits any more

    async def _encoded(
        self, encode: Callable[[Collector], bytes], content_type: str
    ) -> tuple[bytes, str]:
        await self._standing.look()
        return await asyncio.to_thread(encode, self._shown), content_type


class _WithoutCreated(Collector):
    """What a registry has, without the times at which each series began: they double the counters.

    prometheus-client can leave them out for the whole process only.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """What a scrape sees."""
        for family in self._registry.collect():
            family.samples = [
                sample for sample in family.samples if not sample.name.endswith("_created")
            ]
            yield family
