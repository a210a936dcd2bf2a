"""Does the serving runtime compute what was trained? torch against `service.runtime`, step by step.

torch reads random token sequences in windows, by the layers that train. The exported graph reads
the same tokens one step at a time, by the class that the server uses. Both feed their own state
back: over many chained steps an error in any gate would grow, not hide.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from service.artifacts.manifest import Parity
from service.runtime.step import State as StepState
from service.runtime.step import StepGraph
from training.errors import ParityError
from training.models.contract import State
from training.models.language_model import RecurrentLanguageModel

NUM_STEPS = 96
_WINDOW = 8
"""Steps whose logits are compared at a time: of 33,278 words and 64 rows they are 68 MB."""
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
        wanted_state, found_state = model.zero_state(batch_size), step.zero_state(batch_size)
        for window_TB in np.split(ids_TB, NUM_STEPS // _WINDOW):
            wanted_TBV, wanted_state = _read_in_torch(model, window_TB, wanted_state)
            found_TBV, found_state = _read_in_steps(step, window_TB, found_state)
            logit_difference = max(logit_difference, _largest(wanted_TBV - found_TBV))
        for wanted, found in zip(wanted_state, found_state, strict=True):
            state_difference = max(state_difference, _largest(wanted.numpy() - found))
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
    model: RecurrentLanguageModel, ids_TB: NDArray[np.int64], state: State
) -> tuple[NDArray[np.float32], State]:
    """Logits float32[T, B, V], and the state after them."""
    model.eval()
    with torch.inference_mode():
        logits_TBV, state = model(torch.from_numpy(ids_TB), state)
    return logits_TBV.numpy(), state


def _read_in_steps(
    step: StepGraph, ids_TB: NDArray[np.int64], state: StepState
) -> tuple[NDArray[np.float32], StepState]:
    """The same by the serving runtime."""
    logits = []
    for ids_B in ids_TB:
        logits_BV, state = step(ids_B, state)
        logits.append(logits_BV)
    return np.stack(logits), state
