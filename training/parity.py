"""Does the serving runtime compute what was trained? torch against `service.runtime`, step by step.

torch reads random token sequences in one window, by the layers that train. The exported
graph reads the same tokens one step at a time, by the class that the server uses, its state fed
back. Over many chained steps an error in any gate would grow, not hide.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from service.artifacts.manifest import Parity
from service.runtime.step import StepGraph
from training.errors import ParityError
from training.models.language_model import RecurrentLanguageModel

NUM_STEPS = 96
_NUM_BATCHES = 5
_LARGEST_BATCH = 64


def check_parity(
    model: RecurrentLanguageModel, graph: onnx.ModelProto, *, tolerance: float, seed: int
) -> Parity:
    """Compare every logit and the final state for several random batch sizes, one row included.

    Raises:
        ParityError: the largest difference exceeds `tolerance`, or is not a number.
    """
    step = StepGraph(graph.SerializeToString(), num_threads=torch.get_num_threads())
    draws = np.random.default_rng(seed)
    batch_sizes = (1, *(int(size) for size in draws.integers(2, _LARGEST_BATCH + 1, _NUM_BATCHES)))
    logit_difference = state_difference = 0.0
    for batch_size in batch_sizes:
        ids_TB = draws.integers(0, model.vocabulary_size, (NUM_STEPS, batch_size))
        wanted_logits, wanted_state = _read_in_torch(model, ids_TB)
        found_logits, found_state = _read_in_steps(step, ids_TB)
        logit_difference = max(logit_difference, _largest(wanted_logits - found_logits))
        for wanted, found in zip(wanted_state, found_state, strict=True):
            state_difference = max(state_difference, _largest(wanted - found))
    if max(logit_difference, state_difference) > tolerance:
        raise ParityError(
            f"torch and the serving runtime differ by {logit_difference:.2e} in a logit and "
            f"{state_difference:.2e} in the state; publish.parity_tolerance allows {tolerance:.2e}"
        )
    return Parity(
        batch_sizes=batch_sizes,
        num_steps=NUM_STEPS,
        max_logit_difference=logit_difference,
        max_state_difference=state_difference,
        tolerance=tolerance,
    )


def _largest(difference: NDArray[np.float32]) -> float:
    """Largest absolute value; infinite if any is not a number, as NaN compares as small."""
    return float(np.abs(difference).max()) if np.isfinite(difference).all() else float("inf")


def _read_in_torch(
    model: RecurrentLanguageModel, ids_TB: NDArray[np.int64]
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Logits float32[T, B, V] and the final state in the order of the step graph."""
    model.eval()
    with torch.inference_mode():
        logits_TBV, state = model(torch.from_numpy(ids_TB), model.zero_state(ids_TB.shape[1]))
    return logits_TBV.numpy(), [part.numpy() for part in state]


def _read_in_steps(
    step: StepGraph, ids_TB: NDArray[np.int64]
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """The same by the serving runtime."""
    state = step.zero_state(ids_TB.shape[1])
    logits = []
    for ids_B in ids_TB:
        logits_BV, state = step(ids_B, state)
        logits.append(logits_BV)
    return np.stack(logits), list(state)
