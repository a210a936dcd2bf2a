"""One step of a model for a whole batch: the step graph in onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from service.rows.arrays import Float32, Int64
from service.runtime.onnx_session import load_session

State = tuple[Float32, ...]


class Step(Protocol):
    """What a decoder needs of a model: one token for every row.

    Attributes:
        state_widths: Width of every state tensor, in the order of `State`.
        vocabulary_size: V.
    """

    state_widths: tuple[int, ...]
    vocabulary_size: int

    def __call__(self, token_B: Int64, state: State) -> tuple[Float32, State]:
        """Read one token in every row.

        Args:
            token_B: Token ids, int64[B].
            state: One float32[B, width] for every state tensor; not changed.

        Returns:
            The logits of the next token, float32[B, V], and the next state, both newly made.
        """


class StepGraph:
    """A step graph (see `artifacts.graph`) loaded in onnxruntime.

    Args:
        content: The serialised model, already checked against the contract.
        num_threads: Threads that one step may use.
        state_names: Order of the state tensors; None takes the order of the graph's inputs.
    """

    def __init__(
        self, content: bytes, *, num_threads: int = 1, state_names: Sequence[str] | None = None
    ) -> None:
        self._session = load_session(content, num_threads=num_threads)
        widths = {
            value.name.removeprefix("state."): int(value.shape[1])
            for value in self._session.get_inputs()
            if value.name.startswith("state.")
        }
        self.state_names = tuple(state_names) if state_names is not None else tuple(widths)
        self.state_widths = tuple(widths[name] for name in self.state_names)
        self.vocabulary_size = int(
            next(v.shape[1] for v in self._session.get_outputs() if v.name == "logits")
        )
        self._output_names = ["logits", *(f"next_state.{name}" for name in self.state_names)]
        self._input_names = [f"state.{name}" for name in self.state_names]

    def zero_state(self, batch_size: int) -> State:
        """The start state of `batch_size` texts."""
        return tuple(np.zeros((batch_size, width), np.float32) for width in self.state_widths)

    def __call__(self, token_B: Int64, state: State) -> tuple[Float32, State]:
        """Read one token in every row; see `Step`."""
        feed = {"token": token_B, **dict(zip(self._input_names, state, strict=True))}
        logits, *next_state = self._session.run(self._output_names, feed)
        return logits, tuple(next_state)
