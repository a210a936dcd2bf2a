"""int8 without calibration: every product of the step graph in integers, scaled back exactly.

The left side of a product lies in [-1, 1] by construction (see `models/step.py`): h = o * tanh(C)
does, and a looked-up embedding is scaled to. So the activations need no statistics, only the fixed
scale 1/127, and the weights one scale per output column:

    a_u8 = round(127 a) + 128        QuantizeLinear, scale 1/127, zero point 128
    w_s8 = round(w / s_n)            s_n = max |w| of the column / 64
    a w  ~ s_n / 127 * sum (a_u8 - 128) w_s8        MatMulInteger, Cast, Mul

Nothing depends on the batch, and integer sums are exact in any order, so a row's result cannot
depend on its neighbours.

Why 64 levels and not 127: on x86 without VNNI onnxruntime multiplies u8 by s8 with vpmaddubsw,
which adds two products into 16 bits and saturates. 2 * 255 * 127 does not fit: wrong sums, without
a word. 2 * 255 * 64 = 32,640 does, so these sums are exact on every x86. Unsigned 8-bit weights
would be exact too, by a kernel that widens first; measured on such a CPU (AVX2) it is 27 % slower,
and for the bundled model the finer levels gain nothing (cold-256: float32 1.4495 nats, 8 bits
1.4497, 7 bits 1.4494).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.errors import ExportError
from training.models.output import WIDE

ACTIVATION_SCALE = 1.0 / 127.0
ZERO_POINT = 128
WEIGHT_LEVELS = 64
"""On either side of 0; see above why no more."""
_SCALE, _ZERO = "int8.activation_scale", "int8.zero_point"


def quantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a float32 step graph with every product by a weight matrix in int8.

    Raises:
        ExportError: the graph holds no such product.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    replaced: set[str] = set()
    for node in graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None or is_wide(weight.name):
            nodes.append(node)
            continue
        levels_KN, scale_N = quantise_weight(numpy_helper.to_array(weight))
        graph.initializer.append(numpy_helper.from_array(levels_KN, f"{weight.name}.s8"))
        graph.initializer.append(
            numpy_helper.from_array(
                (scale_N * ACTIVATION_SCALE).astype(np.float32), f"{weight.name}.scale"
            )
        )
        nodes += _integer_product(node, weight.name)
        replaced.add(weight.name)
    if not replaced:
        raise ExportError("the graph holds no product by a weight matrix to quantise")
    graph.initializer.append(
        numpy_helper.from_array(np.asarray(ACTIVATION_SCALE, np.float32), _SCALE)
    )
    graph.initializer.append(numpy_helper.from_array(np.asarray(ZERO_POINT, np.uint8), _ZERO))
    kept = [tensor for tensor in graph.initializer if tensor.name not in replaced]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.node[:]
    graph.node.extend(nodes)
    for entry in result.metadata_props:
        if entry.key == "precision":
            entry.value = "int8"
    # Shapes that the exporter noted for intermediate values; those of the products are gone.
    del graph.value_info[:]
    onnx.checker.check_model(result, full_check=True)
    return result


def is_wide(name: str) -> bool:
    """Whether the left side of the product by this weight may leave [-1, 1]."""
    return name.rpartition(".")[2].startswith(WIDE)


def quantise_weight(
    weight_KN: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels, int8[K, N] in -64..64, and the scale of each column, float32[N].

    `levels * scale` is within half a scale of the weight.
    """
    # A column of (all but) zeros gets a scale that is small but safe to divide by.
    largest_N = np.maximum(np.abs(weight_KN).max(axis=0), 1e-30)
    scale_N = (largest_N / WEIGHT_LEVELS).astype(np.float32)
    levels_KN = np.rint(weight_KN / scale_N).clip(-WEIGHT_LEVELS, WEIGHT_LEVELS)
    return levels_KN.astype(np.int8), scale_N


def _integer_product(node: onnx.NodeProto, weight: str) -> Iterator[onnx.NodeProto]:
    """The nodes that stand in for `MatMul(a, weight)`, with the same output name."""
    out = node.output[0]
    levels, total, real = f"{out}.a_u8", f"{out}.i32", f"{out}.f32"
    yield helper.make_node("QuantizeLinear", [node.input[0], _SCALE, _ZERO], [levels])
    yield helper.make_node("MatMulInteger", [levels, f"{weight}.s8", _ZERO], [total])
    yield helper.make_node("Cast", [total], [real], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [real, f"{weight}.scale"], [out])
