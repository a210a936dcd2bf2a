"""What log-probabilities are made of, collected by a burst graph in each step. See `logprobs`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from service.runtime.nodes import BOOL, INT64, Nodes

INPUTS: Mapping[str, tuple[int, int]] = {
    "wants_logits": (BOOL, 0),
    "told_L": (INT64, 1),
    "num_top_1": (INT64, 1),
}
"""Inputs of a burst graph: element type and rank.

wants_logits: collect what the rows told_L draw from, and the best num_top_1 ids of it.
"""


def collected(g: Nodes, logits_BV: str, vocabulary_size: int) -> list[str]:
    """Of a step the logits of the rows that are told them, and the best ids; else nothing."""
    of, constant = g.names.of, g.names.constant

    def wanted(h: Nodes) -> list[str]:
        logits_LV = h.op("Gather", logits_BV, of("told_L"), axis=0)
        _, top_id_LN = h.ops("TopK", logits_LV, of("num_top_1"), num_outputs=2, axis=1)
        return h.handed_on([logits_LV, top_id_LN])

    none = [constant(np.zeros((0, vocabulary_size)), np.float32)]
    none += [constant(np.zeros((0, 0)), np.int64)]
    return g.one_of(of("wants_logits"), wanted, partial(Nodes.handed_on, values=none))
