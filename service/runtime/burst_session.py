"""Burst graphs in onnxruntime, loaded at once or when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from service.runtime.burst_graph import BurstGraph
from service.runtime.onnx_session import load_session


class BurstSession:
    """A burst graph in onnxruntime. Several threads may run it at the same time.

    Args:
        graph: What it runs.
        num_threads: Threads that one run may use.
    """

    def __init__(self, graph: BurstGraph, *, num_threads: int) -> None:
        self._session = load_session(graph.content, num_threads=num_threads)
        self._inputs, self._outputs = graph.inputs, list(graph.outputs)

    def run(self, values: Mapping[str, Any]) -> list[Any]:
        """The outputs for inputs by the names of `burst_graph`."""
        feed = {self._inputs[name]: value for name, value in values.items()}
        outputs: list[Any] = self._session.run(self._outputs, feed)
        return outputs


class LazySession:
    """A burst session that is there from the first look at it on; from any thread.

    It has the weights once more, so who never needs it is spared them.

    Args:
        load: Makes it.
    """

    def __init__(self, load: Callable[[], BurstSession]) -> None:
        self._load: Callable[[], BurstSession] | None = load
        self._loaded: BurstSession | None = None
        self._loading = threading.Lock()

    def get(self) -> BurstSession:
        """The session; the first call blocks while it is loaded."""
        with self._loading:
            if self._loaded is None:
                if self._load is None:
                    raise AssertionError("a session is neither loaded nor to be loaded")
                self._loaded, self._load = self._load(), None  # which holds the whole model
            return self._loaded
