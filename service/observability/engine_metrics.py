"""Metrics of bursts and of requests in an engine: an `Observer` for each model."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.engine.observer import BurstStats, EndedStats
from service.observability.buckets import (
    BURST_S,
    GAP_S,
    NUM_TOKENS,
    POWERS,
    SHARES,
    TIME_S,
)
from service.observability.histogram import MODEL, WeightedHistogram

_KIND = "kind"


class EngineMetrics:
    """The metrics that all engines share; `of` gives each its own view of them.

    Args:
        registry: That they are part of.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(
            name: str, documentation: str, buckets: tuple[float, ...], *labels: str
        ) -> Histogram:
            return Histogram(
                name, documentation, [MODEL, *labels], buckets=buckets, registry=registry
            )

        def counter(name: str, documentation: str) -> Counter:
            return Counter(name, documentation, [MODEL], registry=registry)

        self.prompt_tokens = counter(
            "lstm_serve_prompt_tokens", "Tokens of the prompts of requests that have ended."
        )
        self.read_tokens = counter(
            "lstm_serve_read_tokens", "Tokens that the model has read; cached ones need not be."
        )
        self.written_tokens = counter(
            "lstm_serve_written_tokens", "Tokens that the model has written."
        )
        self.failures = counter(
            "lstm_serve_engine_failures", "Requests that ended with an error in the engine."
        )
        self.queue_s = histogram(
            "lstm_serve_queue_seconds", "Time that a request waits for a row.", TIME_S
        )
        self.read_s = histogram(
            "lstm_serve_read_seconds", "Time from a row to the first tokens: reading.", TIME_S
        )
        self.write_s = histogram(
            "lstm_serve_write_seconds", "Time from the first tokens to the end: writing.", TIME_S
        )
        self.sent_tokens = histogram(
            "lstm_serve_request_written_tokens", "Tokens of a request's stream.", NUM_TOKENS
        )
        self.asked_tokens = histogram(
            "lstm_serve_request_prompt_tokens", "Tokens of a request's prompt.", NUM_TOKENS
        )
        self.burst_s = histogram(
            "lstm_serve_burst_seconds", "Time of one run of the model.", BURST_S, _KIND
        )
        self.burst_rows = histogram(
            "lstm_serve_burst_rows", "Texts that take part in a burst.", POWERS, _KIND
        )
        self.burst_steps = histogram(
            "lstm_serve_burst_steps",
            "Steps of a burst, at each of which a row has a token.",
            POWERS,
            _KIND,
        )
        self.fill = histogram(
            "lstm_serve_burst_fill_ratio",
            "Part of a lane's rows that take part in a burst.",
            SHARES,
            _KIND,
        )
        self.event_gap_s = WeightedHistogram(
            "lstm_serve_event_gap_seconds",
            "Time from tokens of a text to the next ones, a burst each.",
            GAP_S,
            registry,
        )
        self.token_gap_s = WeightedHistogram(
            "lstm_serve_token_gap_seconds",
            "The same for each token: the time divided by how many have come.",
            GAP_S,
            registry,
        )

    def of(self, model: str) -> ModelObserver:
        """The view of one model's engine."""
        return ModelObserver(self, model)


class ModelObserver:
    """The `Observer` of one engine: its metrics, with their labels found once.

    Args:
        metrics: Of all engines.
        model: `name@version`.
    """

    def __init__(self, metrics: EngineMetrics, model: str) -> None:
        self._model = model
        self._event_gap_s, self._token_gap_s = metrics.event_gap_s, metrics.token_gap_s
        self._event_gap_s.begin(model)
        self._token_gap_s.begin(model)
        self._prompt_tokens = metrics.prompt_tokens.labels(model)
        self._read_tokens = metrics.read_tokens.labels(model)
        self._written_tokens = metrics.written_tokens.labels(model)
        self._failures = metrics.failures.labels(model)
        self._queue_s = metrics.queue_s.labels(model)
        self._read_s = metrics.read_s.labels(model)
        self._write_s = metrics.write_s.labels(model)
        self._sent_tokens = metrics.sent_tokens.labels(model)
        self._asked_tokens = metrics.asked_tokens.labels(model)
        self._bursts = {
            reading: (
                metrics.burst_s.labels(model, kind),
                metrics.burst_rows.labels(model, kind),
                metrics.burst_steps.labels(model, kind),
                metrics.fill.labels(model, kind),
            )
            for reading, kind in ((True, "read"), (False, "write"))
        }

    def burst(self, stats: BurstStats) -> None:
        """A burst is settled: some 10 us, whatever its size."""
        duration_s, rows, steps, fill = self._bursts[stats.reading]
        duration_s.observe(stats.duration_s)
        rows.observe(stats.num_rows)
        steps.observe(stats.num_steps)
        fill.observe(stats.num_rows / stats.capacity)
        if stats.num_read:
            self._read_tokens.inc(stats.num_read)
        if stats.num_written:
            self._written_tokens.inc(stats.num_written)
        for (gap_s, num_tokens), number in stats.gaps.items():
            self._event_gap_s.add(self._model, gap_s, number)
            self._token_gap_s.add(self._model, gap_s / num_tokens, number * num_tokens)

    def ended(self, stats: EndedStats) -> None:
        """A request is over."""
        if stats.outcome == "failed":
            self._failures.inc()
        self._prompt_tokens.inc(stats.num_prompt)
        self._asked_tokens.observe(stats.num_prompt)
        self._sent_tokens.observe(stats.num_sent)
        timings = stats.timings
        for metric, time_s in (
            (self._queue_s, timings.queue_s),
            (self._read_s, timings.read_s),
            (self._write_s, timings.write_s),
        ):
            if time_s is not None:
                metric.observe(time_s)
