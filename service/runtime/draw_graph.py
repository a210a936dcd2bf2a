"""The draw graph: what each row will draw next, without the step that reads it.

A row has its logits before it draws, so its next token takes nothing of the model. The nodes are
those of the burst graph's draws, and so are the tokens, bit for bit.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper

from service.runtime import penalty_graph
from service.runtime.burst_graph import BurstGraph
from service.runtime.nodes import FLOAT, INT64, Names, Nodes
from service.runtime.penalty_graph import COUNTS, Counts
from service.runtime.sampler_graph import OPTIONS, RULES, SamplerGraph

INPUTS: Mapping[str, tuple[int, int]] = {
    "uniform_KB": (FLOAT, 2),
    "logits": (FLOAT, 2),
    **OPTIONS,
    **RULES,
    **penalty_graph.INPUTS,
}
"""Inputs of a draw graph, as those of the burst graph for a single step: element type and rank."""


def build_draw_graph(
    step: onnx.ModelProto, vocabulary_size: int, never_drawn: Sequence[int]
) -> BurstGraph:
    """The sampler by itself; its output is the token ids, int64[B].

    Args:
        step: Of the same operators and their versions.
        vocabulary_size: V.
        never_drawn: Ids that are not sampled.
    """
    names = Names(())
    inputs = {name: names.of(name) for name in INPUTS}
    g, first = Nodes(names), names.constant(0, np.int64)
    sampler = SamplerGraph(inputs, vocabulary_size, never_drawn)
    uniform_B = g.op("Gather", inputs["uniform_KB"], first, axis=0)
    counts = Counts(*(inputs[name] for name in COUNTS))
    token_B = sampler.draw(g, inputs["logits"], counts, uniform_B, first)
    g.weights.extend(names.constants.values())
    graph = g.graph(
        "draw",
        [
            helper.make_tensor_value_info(inputs[name], kind, [None] * rank)
            for name, (kind, rank) in INPUTS.items()
        ],
        [token_B],
    )
    graph.output[0].type.tensor_type.elem_type = INT64
    model = helper.make_model(
        graph, opset_imports=list(step.opset_import), ir_version=step.ir_version
    )
    return BurstGraph(model.SerializeToString(), inputs, [token_B])
