"""What is, at the moment of a scrape: engines, models and sessions."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import get_args

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from service import __version__
from service.engine.limits import EngineStatus
from service.inference.start import Inference
from service.models.live import Outcome
from service.models.registry import ModelRegistry
from service.observability.histogram import MODEL
from service.sessions.errors import SessionError
from service.sessions.policy import Holding
from service.sessions.store import SessionStore
from service.sessions.tally import Conflict, EndReason

_PATIENCE_S = 2.0
_STORE = "store"
_OF_ENGINES: dict[str, tuple[str, Callable[[EngineStatus], float]]] = {
    "lstm_serve_requests_running": (
        "Requests that have a row.",
        lambda status: status.num_running,
    ),
    "lstm_serve_requests_waiting": (
        "Requests that wait for a row.",
        lambda status: status.num_waiting,
    ),
    "lstm_serve_requests_parked": (
        "Requests that are paused until their readers have caught up.",
        lambda status: status.num_parked,
    ),
    "lstm_serve_rows": (
        "Requests that can run at the same time.",
        lambda status: status.num_rows,
    ),
    "lstm_serve_row_usage_ratio": (
        "Part of the rows that are in use.",
        lambda status: status.num_running / status.num_rows,
    ),
    "lstm_serve_cached_prompts": (
        "Rows of prompts that are kept.",
        lambda status: status.num_cached_prompts,
    ),
    "lstm_serve_cache_bytes": (
        "Memory of the prompts that are kept.",
        lambda status: status.num_cache_bytes,
    ),
    "lstm_serve_engine_up": (
        "Whether all threads of the engine run.",
        lambda status: status.alive,
    ),
    "lstm_serve_engine_heartbeat_age_seconds": (
        "For how long the engine should have been heard of; 0 while it rests.",
        lambda status: status.heartbeat_age_s,
    ),
}


class Standing(Collector):
    """Looks at a service when it is scraped."""

    def __init__(self) -> None:
        self._inference: Inference | None = None
        self._store = ""
        self._draining: Callable[[], bool] = bool
        self._holding: Holding | None = None

    def watch(self, inference: Inference, store: str, draining: Callable[[], bool]) -> None:
        """What is looked at; see `Metrics.watch`."""
        self._inference, self._store, self._draining = inference, store, draining

    async def look(self) -> None:
        """Ask for what the event loop has to wait for."""
        self._holding = None
        if self._inference is not None:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    self._holding = await self._inference.sessions.holding()
            except (SessionError, TimeoutError):
                return

    def collect(self) -> Iterator[Metric]:
        """What a scrape sees."""
        yield _build()
        if self._inference is None:
            return
        models = self._inference.models
        yield from _engines(models)
        yield _models(models)
        broken = "Models that should be served and cannot be."
        yield GaugeMetricFamily("lstm_serve_models_broken", broken, value=len(models.broken))
        yield GaugeMetricFamily(
            "lstm_serve_draining", "Whether the server is going down.", value=self._draining()
        )
        reloads = CounterMetricFamily(
            "lstm_serve_reloads",
            "Looks into a store that has changed, or was said to.",
            None,
            ["outcome"],
        )
        for outcome in get_args(Outcome):
            reloads.add_metric([outcome], self._inference.live.tally[outcome])
        yield reloads
        yield from self._sessions(self._inference.sessions)

    def _sessions(self, sessions: SessionStore) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "lstm_serve_session_store_up",
            "Whether sessions can be read and written.",
            None,
            [_STORE],
        )
        up.add_metric([self._store], self._holding is not None and sessions.fault is None)
        yield up
        number = GaugeMetricFamily("lstm_serve_sessions", "Sessions.", None, [_STORE])
        num_bytes = GaugeMetricFamily(
            "lstm_serve_session_bytes", "What the sessions take.", None, [_STORE]
        )
        if self._holding is not None:
            number.add_metric([self._store], self._holding.num_sessions)
            num_bytes.add_metric([self._store], self._holding.num_bytes)
        yield from (number, num_bytes)
        tally = sessions.tally
        ended = CounterMetricFamily(
            "lstm_serve_sessions_ended", "Sessions that are over.", None, [_STORE, "reason"]
        )
        for reason in get_args(EndReason):
            ended.add_metric([self._store, reason], tally.ended[reason])
        conflicts = CounterMetricFamily(
            "lstm_serve_session_conflicts",
            "Turns that were refused: another one was running, or had changed the session.",
            None,
            [_STORE, "reason"],
        )
        for conflict in get_args(Conflict):
            conflicts.add_metric([self._store, conflict], tally.conflicts[conflict])
        yield from (ended, conflicts)


def _engines(models: ModelRegistry) -> Iterator[Metric]:
    statuses = {model.ref: model.engine.status for model in models}
    for name, (documentation, value_of) in _OF_ENGINES.items():
        family = GaugeMetricFamily(name, documentation, None, [MODEL])
        for ref, status in statuses.items():
            family.add_metric([ref], value_of(status))
        yield family
    saved = CounterMetricFamily(
        "lstm_serve_cache_saved_tokens",
        "Tokens of prompts that the cache has saved from being read.",
        None,
        [MODEL],
    )
    for ref, status in statuses.items():
        saved.add_metric([ref], status.num_tokens_saved)
    yield saved


def _models(models: ModelRegistry) -> Metric:
    labels = [MODEL, "name", "version", "architecture", "precision", "default"]
    family = GaugeMetricFamily(
        "lstm_serve_model_info", "The models that are served; always 1.", None, labels
    )
    for model in models:
        manifest = model.manifest
        is_default = str(model is models.default).lower()
        facts = (str(manifest.version), manifest.architecture, manifest.precision, is_default)
        family.add_metric([model.ref, manifest.name, *facts], 1)
    return family


def _build() -> Metric:
    family = GaugeMetricFamily(
        "lstm_serve_build_info",
        "The program; always 1.",
        None,
        ["version", "python", "onnxruntime"],
    )
    family.add_metric([__version__, platform.python_version(), version("onnxruntime")], 1)
    return family
