"""Does a published graph tell of its gates what they are? Proven before it is published.

What is told of is the step graph itself, run in a loop (`service.runtime.inside`): its logits and
its state must be those of the step by step run, bit for bit, and its gates those of torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from service.runtime.inside.recorder import Recorder
from service.runtime.step import StepGraph
from training.errors import ParityError
from training.models.language_model import RecurrentLanguageModel
from training.models.step import ShownStep

_NUM_TOKENS = 200


def check_told(graph: onnx.ModelProto, gates: Mapping[str, str], seed: int) -> None:
    """Compare the graph that tells with the one that serves.

    Args:
        graph: The step graph that is to be published.
        gates: What it calls each gate.
        seed: Of the tokens.

    Raises:
        ParityError: A bit differs.
    """
    step = StepGraph(graph.SerializeToString())
    state_names = step.state_names
    told = Recorder(graph, state_names, {**gates, **_states(state_names)})
    id_T = np.random.default_rng(seed).integers(0, step.vocabulary_size, _NUM_TOKENS)
    found = [
        np.concatenate(each)
        for each in zip(
            *(
                (piece.logits_TV, *(piece.activations[name] for name in state_names))
                for piece in told.read(id_T, state_names)
            ),
            strict=True,
        )
    ]
    state = step.zero_state(1)
    for t, token in enumerate(id_T):
        logits, state = step(token[None], state)
        if not all(
            np.array_equal(wanted[0], each[t])
            for wanted, each in zip((logits, *state), found, strict=True)
        ):
            raise ParityError(
                f"the graph that tells of its gates differs from the one that serves at token {t}"
            )


def check_gates(
    model: RecurrentLanguageModel,
    graph: onnx.ModelProto,
    gates: Mapping[str, str],
    *,
    tolerance: float,
    seed: int,
) -> float:
    """Compare the gates of the float32 graph with those of torch; returns the largest difference.

    Raises:
        ParityError: It exceeds `tolerance`, or is not a number.
    """
    id_T = np.random.default_rng(seed).integers(0, model.vocabulary_size, _NUM_TOKENS)
    told = Recorder(graph, tuple(model.state_widths), gates)
    start, largest = 0, 0.0
    wanted_T = _gates_in_torch(model, id_T)
    for piece in told.read(id_T, gates):
        for name, value_TW in piece.activations.items():
            wanted_TW = wanted_T[name][start : start + len(value_TW)]
            difference = float(np.abs(value_TW - wanted_TW).max())
            largest = max(largest, difference if np.isfinite(difference) else float("inf"))
        start += len(piece.logits_TV)
    if largest > tolerance:
        raise ParityError(
            f"torch and the serving runtime differ by {largest:.2e} in a gate; "
            f"publish.parity_tolerance allows {tolerance:.2e}"
        )
    return largest


def _gates_in_torch(
    model: RecurrentLanguageModel, id_T: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """float32[T, W] of each gate."""
    step = ShownStep(model).eval()
    gates: dict[str, list[NDArray[np.float32]]] = {}
    state = [torch.zeros(1, width) for width in step.state_widths.values()]
    with torch.inference_mode():
        for token in torch.from_numpy(id_T):
            _, state, opened = step.read(token[None], *state)
            for name, gate in opened.items():
                gates.setdefault(name, []).append(gate[0].numpy())
    return {name: np.array(values) for name, values in gates.items()}


def _states(names: tuple[str, ...]) -> dict[str, str]:
    return {name: f"next_state.{name}" for name in names}
