"""Some of the metrics under vLLM's names, for routers and autoscalers that look for those.

The names are those of vLLM's `v1/metrics/loggers.py`; its docs/design/metrics.md says what they
mean. Labels are as there: `model_name`, and `engine`, which is always 0 here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from service.observability.histogram import MODEL

NAMES = {
    "lstm_serve_requests_running": "vllm:num_requests_running",
    "lstm_serve_requests_waiting": "vllm:num_requests_waiting",
    "lstm_serve_row_usage_ratio": "vllm:kv_cache_usage_perc",
    "lstm_serve_prompt_tokens": "vllm:prompt_tokens",
    "lstm_serve_written_tokens": "vllm:generation_tokens",
    "lstm_serve_cache_saved_tokens": "vllm:prefix_cache_hits",
    "lstm_serve_time_to_first_event_seconds": "vllm:time_to_first_token_seconds",
    "lstm_serve_token_gap_seconds": "vllm:inter_token_latency_seconds",
    "lstm_serve_request_seconds": "vllm:e2e_request_latency_seconds",
    "lstm_serve_queue_seconds": "vllm:request_queue_time_seconds",
    "lstm_serve_read_seconds": "vllm:request_prefill_time_seconds",
    "lstm_serve_write_seconds": "vllm:request_decode_time_seconds",
    "lstm_serve_request_prompt_tokens": "vllm:request_prompt_tokens",
    "lstm_serve_request_written_tokens": "vllm:request_generation_tokens",
    "lstm_serve_requests": "vllm:request_success",
}
"""Ours and theirs, without `_total`. What the cache is asked for there are tokens of prompts."""
_QUERIES = ("lstm_serve_prompt_tokens", "vllm:prefix_cache_queries")
_FINISHED = {"stop": "stop", "eos": "stop", "length": "length", "parked": "abort", "left": "abort"}
"""Their word for how a text has ended; those that fail are not counted there."""


@dataclass(frozen=True, slots=True)
class VllmNames(Collector):
    """All that another collector has, and some of it once more.

    Attributes:
        own: The other one.
    """

    own: Collector

    def collect(self) -> Iterator[Metric]:
        """What a scrape sees."""
        families = list(self.own.collect())
        yield from families
        for family in families:
            if family.name in NAMES:
                yield _renamed(family, NAMES[family.name])
            if family.name == _QUERIES[0]:
                yield _renamed(family, _QUERIES[1])


def _renamed(family: Metric, name: str) -> Metric:
    alias = Metric(name, f"As {family.name}. {family.documentation}", family.type)
    values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for sample in family.samples:
        if (labels := _labels(sample)) is not None:
            key = (name + sample.name.removeprefix(family.name), tuple(labels.items()))
            values[key] = values.get(key, 0) + sample.value
    for (sample_name, pairs), value in values.items():
        alias.add_sample(sample_name, dict(pairs), value)
    return alias


def _labels(sample: Sample) -> dict[str, str] | None:
    """Theirs for ours; None if they have none of this."""
    labels = {"model_name": sample.labels[MODEL], "engine": "0"}
    for name, value in sample.labels.items():
        if name == "outcome":
            if value not in _FINISHED:
                return None
            labels["finished_reason"] = _FINISHED[value]
        elif name != MODEL:
            labels[name] = value
    return labels
