"""What a burst graph reads and makes, by name; see `burst_graph`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.runtime import logprob_graph, penalty_graph
from service.runtime.nodes import BOOL, FLOAT, INT64
from service.runtime.sampler_graph import OPTIONS, RULES

INPUTS: Mapping[str, tuple[int, int]] = {
    "num_steps": (INT64, 0),
    "forced_KB": (INT64, 2),
    "uniform_KB": (FLOAT, 2),
    "draws_K": (BOOL, 1),
    "heads_K": (BOOL, 1),
    "steps_B1": (INT64, 2),
    "freezes": (BOOL, 0),
    "interrupted": (BOOL, 0),
    "draws_next": (BOOL, 0),
    "logits": (FLOAT, 2),
    **OPTIONS,
    **RULES,
    **logprob_graph.INPUTS,
    **penalty_graph.INPUTS,
}
"""Inputs of a burst graph beside `state.<name>`: element type and rank.

num_steps: K. forced_KB: ids to read, or -1. draws_K: whether any row draws in this step. heads_K:
whether anybody needs the logits after this step. steps_B1: how many steps each row takes; looked at
only if `freezes`. interrupted: looked at after each step whose logits are known, and may change
meanwhile: where it is true there are no more steps. draws_next: in place of steps, of which there
are none then.
"""

_DTYPES: Mapping[int, npt.DTypeLike] = {INT64: np.int64, FLOAT: np.float32, BOOL: np.bool_}
NO_STEPS: Mapping[str, npt.NDArray[Any]] = {
    **{name: np.zeros((0,) * rank, _DTYPES[kind]) for name, (kind, rank) in INPUTS.items()},
    "draws_next": np.array(True),
}
"""The values of INPUTS of a run that takes no steps, but for what its draws depend on."""

NOT_INTERRUPTED: npt.NDArray[np.bool_] = np.array(False)

OUTPUTS = ("logits", "token_KB", "logits_KLV", "top_id_KLN", "next_B")
"""Outputs beside `next_state.<name>`.

logits: after the last step. token_KB: the ids that were read. logits_KLV, top_id_KLN: the logits
that they were drawn from and the best ids of these, ties by lower id; both empty unless wanted.
next_B: what rows will draw from the input `logits`, if `draws_next`: that takes no step.
"""

IDS = ("token_KB", "top_id_KLN", "next_B")
"""Those of them that are ids: int64."""
