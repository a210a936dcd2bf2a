"""Reads prompts layer by layer, for all decoders of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import onnx

from service.rows.arrays import Float32, Int64
from service.runtime.onnx_session import load_session
from service.runtime.reading_graph import ReadingGraph, build_reading_graph

MOST_TOKENS = 1024
"""Behind each other and side by side: of more rows than that the products are large in any way."""

_MOST_AT_ONCE = 256
"""Of one run: each takes 14 KB a layer of 512 units meanwhile, which onnxruntime then keeps."""


class PromptReader:
    """A reading graph in onnxruntime. Several threads may use it at the same time.

    Args:
        graph: What it runs.
        num_threads: Threads that one run may use.
    """

    def __init__(self, graph: ReadingGraph, *, num_threads: int = 1) -> None:
        self._token, self._last, self._states = graph.token, graph.last, graph.states
        self._session = load_session(graph.content, num_threads=num_threads)

    @classmethod
    def of(
        cls, step: onnx.ModelProto, state_names: Sequence[str], *, num_threads: int = 1
    ) -> Self | None:
        """What reads as a step graph does; None if its layers cannot be had one by one.

        Args:
            step: A step graph that has passed `check_step_graph`.
            state_names: Order of the state tensors.
            num_threads: Threads that one run may use.
        """
        graph = build_reading_graph(step, state_names)
        return None if graph is None else cls(graph, num_threads=num_threads)

    def read(
        self, token_KB: Int64, num_steps_B: Int64, state: Sequence[Float32]
    ) -> tuple[list[Float32], Float32]:
        """Read some tokens in every row.

        Args:
            token_KB: Token ids; behind a row's last one anything.
            num_steps_B: How many of the K each row reads, at least one.
            state: One float32[B, width] for every state tensor; not changed.

        Returns:
            The states after each row's last token, and the logits there, float32[B, V].
        """
        num_steps, num_rows = token_KB.shape
        size = max(1, _MOST_AT_ONCE // num_steps)
        found = [
            self._read(token_KB[:, rows], num_steps_B[rows], [value[rows] for value in state])
            for rows in (slice(start, start + size) for start in range(0, num_rows, size))
        ]
        if len(found) == 1:
            [(following, logits_BV)] = found
            return following, logits_BV
        columns = zip(*(following for following, _ in found), strict=True)
        following = [np.concatenate(column) for column in columns]
        return following, np.concatenate([logits_BV for _, logits_BV in found])

    def _read(
        self, token_KB: Int64, num_steps_B: Int64, state: Sequence[Float32]
    ) -> tuple[list[Float32], Float32]:
        last_B2 = np.stack([num_steps_B - 1, np.arange(len(num_steps_B))], axis=1)
        feed = {
            self._token: np.maximum(token_KB, 0),
            self._last: last_B2,
            **dict(zip(self._states, state, strict=True)),
        }
        *following, logits_BV = self._session.run(None, feed)
        return following, logits_BV
