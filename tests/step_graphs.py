"""Step graphs written by hand, of other shapes than the LSTM: what the contract allows."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def gru(*, width: int = 12, vocabulary_size: int = 66, seed: int = 0) -> bytes:
    """One GRU cell (Cho et al. 2014): one state tensor, and logits in steps of 1/2, with ties."""
    random = np.random.default_rng(seed)
    weights = {
        "table": random.normal(0, 0.8, (vocabulary_size, 3 * width)),
        "recurrent": random.normal(0, 0.5, (width, 2 * width)),
        "recalled": random.normal(0, 0.5, (width, width)),
        "output": random.normal(0, 2, (width, vocabulary_size)),
        "one": np.array(1),
        "two": np.array(2),
    }
    nodes = [
        helper.make_node("Gather", ["table", "token"], ["read"]),
        helper.make_node("Split", ["read", "parts"], ["read_gates", "read_new"], axis=1),
        helper.make_node("MatMul", ["state.h", "recurrent"], ["past_gates"]),
        helper.make_node("Add", ["read_gates", "past_gates"], ["sums"]),
        helper.make_node("Sigmoid", ["sums"], ["gates"]),
        helper.make_node("Split", ["gates"], ["reset", "update"], axis=1, num_outputs=2),
        helper.make_node("Mul", ["reset", "state.h"], ["kept"]),
        helper.make_node("MatMul", ["kept", "recalled"], ["past_new"]),
        helper.make_node("Add", ["read_new", "past_new"], ["sum_new"]),
        helper.make_node("Tanh", ["sum_new"], ["new"]),
        helper.make_node("Sub", ["one", "update"], ["other"]),
        helper.make_node("Mul", ["update", "state.h"], ["old_part"]),
        helper.make_node("Mul", ["other", "new"], ["new_part"]),
        helper.make_node("Add", ["old_part", "new_part"], ["next_state.h"]),
        helper.make_node("MatMul", ["next_state.h", "output"], ["scores"]),
        helper.make_node("Mul", ["scores", "two"], ["doubled"]),
        helper.make_node("Round", ["doubled"], ["rounded"]),
        helper.make_node("Div", ["rounded", "two"], ["logits"]),
    ]
    constants = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()]
    constants.append(numpy_helper.from_array(np.array([2 * width, width]), "parts"))
    return _model(nodes, {"h": width}, vocabulary_size, constants)


def stacked(*, width: int = 12, vocabulary_size: int = 66, seed: int = 0) -> bytes:
    """Two plain tanh layers in int8, each of which reads its input beside its own state.

    The second one reads a product inside of the first one too, and a third state is the last token.
    """
    random = np.random.default_rng(seed)
    int8 = {
        "weight0": random.integers(-64, 64, (2 * width, width)),
        "weight1": random.integers(-64, 64, (2 * width, width)),
        "output": random.integers(-64, 64, (width, vocabulary_size)),
    }
    nodes = [helper.make_node("Gather", ["table", "token"], ["read"])]
    below = "read"
    for n in (0, 1):
        state, following = f"state.h{n}", f"next_state.h{n}"
        nodes += [
            helper.make_node("Concat", [below, state], [f"both{n}"], axis=1),
            helper.make_node("QuantizeLinear", [f"both{n}", "scale", "zero"], [f"u8{n}"]),
            helper.make_node("MatMulInteger", [f"u8{n}", f"weight{n}", "zero"], [f"i32{n}"]),
            helper.make_node("Cast", [f"i32{n}"], [f"f32{n}"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"f32{n}", "small"], [f"sum{n}"]),
        ]
        if n == 1:
            nodes.append(helper.make_node("Add", ["sum1", "sum0"], ["sums"]))
        nodes.append(helper.make_node("Tanh", ["sums" if n == 1 else "sum0"], [following]))
        below = following
    nodes += [
        helper.make_node("Identity", ["read"], ["next_state.last"]),
        helper.make_node("QuantizeLinear", ["next_state.h1", "scale", "zero"], ["u8"]),
        helper.make_node("MatMulInteger", ["u8", "output", "zero"], ["i32"]),
        helper.make_node("Cast", ["i32"], ["f32"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f32", "small"], ["logits"]),
    ]
    constants = [numpy_helper.from_array(v.astype(np.int8), n) for n, v in int8.items()]
    floats = {
        "table": random.uniform(-1, 1, (vocabulary_size, width)),
        "scale": np.array(1 / 127),
        "small": np.array(1 / 4096),
    }
    constants += [numpy_helper.from_array(v.astype(np.float32), n) for n, v in floats.items()]
    constants.append(numpy_helper.from_array(np.array(128, np.uint8), "zero"))
    return _model(nodes, {"h0": width, "h1": width, "last": width}, vocabulary_size, constants)


def bigram(*, vocabulary_size: int = 66, seed: int = 0) -> bytes:
    """The last token decides: logits straight from a table, and a state that is handed through.

    With an `If` of its own, and a value called as the burst graph would like to call its own.
    """
    random = np.random.default_rng(seed)
    table = random.normal(0, 2, (vocabulary_size, vocabulary_size)).astype(np.float32)

    def branch(kind: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(kind, TensorProto.FLOAT, None)
        return helper.make_graph(
            [helper.make_node(kind, ["state.count", "one"], [kind])], kind, [], [out]
        )

    nodes = [
        helper.make_node("Gather", ["table", "token"], ["logits"]),
        helper.make_node("ReduceMax", ["state.count"], ["burst.forced_KB"], keepdims=0),
        helper.make_node("Less", ["burst.forced_KB", "limit"], ["is_below"]),
        helper.make_node(
            "If", ["is_below"], ["counted"], then_branch=branch("Add"), else_branch=branch("Add")
        ),
        helper.make_node("Identity", ["counted"], ["next_state.count"]),
        helper.make_node("Identity", ["state.constant"], ["next_state.constant"]),
    ]
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
        numpy_helper.from_array(np.array(5, np.float32), "limit"),
    ]
    return _model(nodes, {"count": 1, "constant": 3}, vocabulary_size, constants)


def bfloat16(*, width: int, vocabulary_size: int) -> bytes:
    """A step graph of the contract that onnxruntime cannot load: it has no such product."""
    nodes = [
        helper.make_node("Gather", ["table", "token"], ["next_state.h"]),
        helper.make_node("Identity", ["state.c"], ["next_state.c"]),
        helper.make_node("Cast", ["state.h"], ["short"], to=TensorProto.BFLOAT16),
        helper.make_node("MatMul", ["short", "output"], ["product"]),
        helper.make_node("Cast", ["product"], ["logits"], to=TensorProto.FLOAT),
    ]
    zeros = np.zeros((width, vocabulary_size), np.float32)
    constants = [
        numpy_helper.from_array(np.zeros((vocabulary_size, width), np.float32), "table"),
        helper.make_tensor("output", TensorProto.BFLOAT16, zeros.shape, zeros.ravel().tolist()),
    ]
    return _model(nodes, {"h": width, "c": width}, vocabulary_size, constants)


def of_a_fixed_batch(*, width: int, vocabulary_size: int) -> bytes:
    """A step graph of the contract that loads and cannot be run: it fits one batch size only."""
    nodes = [
        helper.make_node("Gather", ["table", "token"], ["logits"]),
        helper.make_node("Identity", ["state.h"], ["next_state.h"]),
        helper.make_node("Reshape", ["state.c", "shape"], ["next_state.c"]),
    ]
    table = np.zeros((vocabulary_size, vocabulary_size), np.float32)
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([7, width]), "shape"),
    ]
    return _model(nodes, {"h": width, "c": width}, vocabulary_size, constants)


def _model(
    nodes: list[onnx.NodeProto],
    widths: dict[str, int],
    vocabulary_size: int,
    constants: list[onnx.TensorProto],
) -> bytes:
    def value(name: str, *tail: int, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, ["B", *tail])

    graph = helper.make_graph(
        nodes,
        "step",
        [
            value("token", kind=TensorProto.INT64),
            *(value(f"state.{name}", width) for name, width in widths.items()),
        ],
        [
            value("logits", vocabulary_size),
            *(value(f"next_state.{name}", width) for name, width in widths.items()),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()
