"""A histogram of things that come in numbers: so many gaps of one length, in one call.

prometheus-client's own takes one value at a time; a burst of 128 rows would be 128 calls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector

MODEL = "model"
"""The label of everything that is of one model: `name@version`."""


class WeightedHistogram(Collector):
    """A Prometheus histogram by model. Threads may share it.

    Args:
        name: Of the metric, with its unit.
        documentation: What it is.
        buckets: Upper bounds, ascending; one without a bound comes after them.
        registry: That it is part of.
    """

    def __init__(
        self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = list(buckets)
        self._lock = Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def begin(self, model: str) -> None:
        """Show a model before there is anything of it."""
        with self._lock:
            self._counts.setdefault(model, [0] * (len(self._bounds) + 1))
            self._sums.setdefault(model, 0.0)

    def add(self, model: str, value: float, number: int) -> None:
        """There were `number` more of a value, of a model that has begun."""
        place = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[model][place] += number
            self._sums[model] += value * number

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What a scrape sees."""
        with self._lock:
            counts = {model: list(accumulate(each)) for model, each in self._counts.items()}
            sums = dict(self._sums)
        family = HistogramMetricFamily(self._name, self._documentation, labels=[MODEL])
        bounds = [*map(str, map(float, self._bounds)), "+Inf"]
        for model, cumulated in counts.items():
            buckets = list(zip(bounds, map(float, cumulated), strict=True))
            family.add_metric([model], buckets, sums[model])
        yield family
