"""A step graph as what can be measured: it reads in the very class that serves.

So the measures of `evaluation.losses` hold for float32 and int8 graphs as for models in torch, and
can stand side by side. These are the figures that are published.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.runtime.step import State, StepGraph


@dataclass(frozen=True)
class StepReading:
    """The cross-entropy of each target, float64[T, B], and the state after the window."""

    nats_TB: Tensor
    state: State


class StepReader:
    """Reads windows step by step; see `evaluation.losses.Reader`."""

    def __init__(self, step: StepGraph) -> None:
        self._step = step

    @classmethod
    def of_graph(cls, graph: onnx.ModelProto) -> StepReader:
        """The graph as the server loads it."""
        return cls(StepGraph(graph.SerializeToString(), num_threads=torch.get_num_threads()))

    def zero_state(self, num_rows: int) -> State:
        """The start state of so many texts."""
        return self._step.zero_state(num_rows)

    def read(self, ids_TB: Tensor, targets_TB: Tensor, state: State) -> StepReading:
        """Read a window and be told what came next, int64[T, B] both."""
        nats_TB = np.empty(targets_TB.shape, np.float64)
        for t, (ids_B, targets_B) in enumerate(
            zip(ids_TB.numpy(), targets_TB.numpy(), strict=True)
        ):
            logits_BV, state = self._step(np.ascontiguousarray(ids_B), state)
            nats_TB[t] = cross_entropy(logits_BV, targets_B)
        return StepReading(torch.from_numpy(nats_TB), state)


def cross_entropy(
    logits_BV: NDArray[np.float32], targets_B: NDArray[np.int64]
) -> NDArray[np.float64]:
    """-ln of each target's probability, float64[B]."""
    shifted = logits_BV.astype(np.float64) - logits_BV.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets_B[:, None], axis=1)[:, 0]
    nats: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - chosen
    return nats
