"""Products of integers, taken apart: [x, h] W = x W_x + h W_h.

Sums of integers are the same in any order, so not a bit changes. Then the part of x can be had for
all tokens of a prompt at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper


def with_products_apart(step: onnx.ModelProto, name_of: Callable[[str], str]) -> onnx.ModelProto:
    """A step graph in which no product of integers reads several values side by side.

    Args:
        step: A step graph that has passed `check_step_graph`; it is not changed.
        name_of: Names for what is new.
    """
    result = onnx.ModelProto()
    result.CopyFrom(step)
    graph = result.graph
    widths = _widths(step)
    weights = {weight.name: weight for weight in graph.initializer}
    made_by = {name: node for node in step.graph.node for name in node.output}
    del graph.node[:]
    for node in step.graph.node:
        parts = _parts(node, made_by, weights, widths)
        if parts is None:
            graph.node.append(node)
            continue
        quantise = made_by[node.input[0]]
        products, start = [], 0
        matrix = numpy_helper.to_array(weights[node.input[1]])
        for n, part in enumerate(parts):
            new = [name_of(f"{kind}.{n}.{node.output[0]}") for kind in ("u8", "weight", "product")]
            rows = np.ascontiguousarray(matrix[start : start + widths[part]])
            start += widths[part]
            graph.initializer.append(numpy_helper.from_array(rows, new[1]))
            graph.node.append(_like(quantise, [part, *quantise.input[1:]], new[0]))
            graph.node.append(_like(node, [new[0], new[1], *node.input[2:]], new[2]))
            products.append(new[2])
        total = products[0]
        for n, product in enumerate(products[1:], 1):
            is_last = n == len(products) - 1
            both = node.output[0] if is_last else name_of(f"sum.{n}.{node.output[0]}")
            graph.node.append(helper.make_node("Add", [total, product], [both]))
            total = both
    return result


def _parts(
    node: NodeProto,
    made_by: Mapping[str, NodeProto],
    weights: Mapping[str, onnx.TensorProto],
    widths: Mapping[str, int],
) -> list[str] | None:
    """What the product of integers reads side by side, at least two; None: it does not."""
    if node.op_type != "MatMulInteger" or node.input[1] not in weights:
        return None
    quantise = made_by.get(node.input[0])
    if quantise is None or quantise.op_type != "QuantizeLinear":
        return None
    # One scale and one zero point for all that is quantised, and for all columns of the weights.
    others = [*quantise.input[1:], *node.input[2:]]
    if any(name not in weights or weights[name].dims for name in others):
        return None
    both = made_by.get(quantise.input[0])
    if both is None or both.op_type != "Concat" or len(both.input) < 2:
        return None
    parts = list(both.input)
    known = sum(widths.get(part, 0) for part in parts) == weights[node.input[1]].dims[0]
    return parts if known and all(part in widths for part in parts) else None


def _like(node: NodeProto, inputs: list[str], output: str) -> NodeProto:
    """The same operator on other values."""
    result = NodeProto()
    result.CopyFrom(node)
    result.name = ""
    result.input[:] = inputs
    result.output[:] = [output]
    return result


def _widths(step: onnx.ModelProto) -> dict[str, int]:
    """Of the matrices of a step graph whose widths are known."""
    graph = onnx.shape_inference.infer_shapes(_without_weights(step)).graph
    widths = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if len(dims) == 2 and dims[1].dim_value:
            widths[value.name] = dims[1].dim_value
    return widths


def _without_weights(step: onnx.ModelProto) -> onnx.ModelProto:
    """The step graph with matrices as inputs: what infers shapes copies a model several times."""
    vectors = [weight for weight in step.graph.initializer if len(weight.dims) < 2]
    matrices = [
        helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims))
        for weight in step.graph.initializer
        if len(weight.dims) >= 2
    ]
    graph = step.graph
    light = helper.make_graph(
        graph.node, "light", [*graph.input, *matrices], graph.output, initializer=vectors
    )
    return helper.make_model(
        light, opset_imports=list(step.opset_import), ir_version=step.ir_version
    )
