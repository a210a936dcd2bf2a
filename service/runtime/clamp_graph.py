"""A step graph whose states can be held: see `clamps`.

One more node for each state tensor, a scatter of the few values that are held. All other values
keep every bit, which `Where` would not grant: onnxruntime's makes 0.0 of -0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx
from onnx import helper


def clampable(
    step: onnx.ModelProto, state_names: Sequence[str], name_of: Callable[[str], str]
) -> onnx.ModelProto:
    """A step graph that reads `clamped_at.<state>` int64[N, 2] and `clamped_to.<state>` float32[N].

    Each pair is a row and a unit of it; N may be 0. The graph is meant for a loop, around which the
    two are known: they are no inputs of it.

    Args:
        step: A step graph that has passed `check_step_graph`; it is not changed.
        state_names: Its state tensors.
        name_of: Names for what it reads and for what it is in between.
    """
    result = onnx.ModelProto()
    result.CopyFrom(step)
    held = {f"next_state.{name}": name for name in state_names}
    nodes = list(result.graph.node)
    del result.graph.node[:]
    for node in nodes:
        made = [(n, output) for n, output in enumerate(node.output) if output in held]
        for n, output in made:
            node.output[n] = name_of(f"free.{output}")
        result.graph.node.append(node)
        for n, output in made:
            at, to = (name_of(f"{part}.{held[output]}") for part in ("clamped_at", "clamped_to"))
            result.graph.node.append(
                helper.make_node("ScatterND", [node.output[n], at, to], [output])
            )
    return result
