"""Losses of a step graph, read by the class that serves it: the figures that are published.

The same two measures as in `evaluation.losses`, so that float32 and int8 can stand side by side.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from service.runtime.step import State, StepGraph
from training.batches.token_files import Ids
from training.evaluation.losses import COLD_WINDOW, Loss, cold_batches

_PASS_WINDOW = 4096


def load_step(graph: onnx.ModelProto) -> StepGraph:
    """The graph as the server loads it."""
    return StepGraph(graph.SerializeToString(), num_threads=torch.get_num_threads())


def stateful_loss(step: StepGraph, ids: Ids) -> Loss:
    """One row reads ids, int64[N], from first to last; N - 1 predictions."""
    total, state = 0.0, step.zero_state(1)
    for start in range(0, len(ids) - 1, _PASS_WINDOW):
        part = ids[start : start + _PASS_WINDOW + 1].astype(np.int64)
        nats, state = _read(step, part[:-1, None], part[1:, None], state)
        total += nats
    return Loss(total / (len(ids) - 1), len(ids) - 1)


def cold_loss(step: StepGraph, ids: Ids, window: int = COLD_WINDOW) -> Loss:
    """Windows of ids, int64[N], each from the zero state.

    Raises:
        CorpusError: ids are shorter than one window.
    """
    total = 0.0
    num_tokens = 0
    for batch in cold_batches(ids, window):
        inputs_TB, targets_TB = batch.inputs_TB.numpy(), batch.targets_TB.numpy()
        nats, _ = _read(step, inputs_TB, targets_TB, step.zero_state(inputs_TB.shape[1]))
        total += nats
        num_tokens += batch.num_tokens
    return Loss(total / num_tokens, num_tokens)


def _read(
    step: StepGraph, inputs_TB: NDArray[np.int64], targets_TB: NDArray[np.int64], state: State
) -> tuple[float, State]:
    """Sum of the cross-entropies in nats, and the state at the end."""
    total = 0.0
    for inputs_B, targets_B in zip(inputs_TB, targets_TB, strict=True):
        logits_BV, state = step(np.ascontiguousarray(inputs_B), state)
        total += float(cross_entropy(logits_BV, targets_B).sum())
    return total, state


def cross_entropy(
    logits_BV: NDArray[np.float32], targets_B: NDArray[np.int64]
) -> NDArray[np.float64]:
    """-ln of each target's probability, float64[B]."""
    shifted = logits_BV.astype(np.float64) - logits_BV.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets_B[:, None], axis=1)[:, 0]
    nats: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - chosen
    return nats
