"""Prompts read layer by layer, against the same step by step: bit for bit."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from service.runtime.layers import layers_of
from service.runtime.products import with_products_apart
from service.runtime.reading import MOST_TOKENS, PromptReader
from service.runtime.reading_graph import build_reading_graph
from service.runtime.step import StepGraph
from tests import step_graphs, tiny_model

GRAPHS = {
    "lstm": tiny_model.step_graph(),
    "gru": step_graphs.gru(),
    "stacked": step_graphs.stacked(),
}


def _read_in_steps(step: StepGraph, token_KB, num_steps_B, state):
    """States and logits of each row after its last token."""
    found = {}
    for k, token_B in enumerate(token_KB):
        logits_BV, state = step(np.maximum(token_B, 0), state)
        for b in np.flatnonzero(num_steps_B == k + 1):
            found[int(b)] = [value[b].tobytes() for value in (*state, logits_BV)]
    return [found[b] for b in range(len(num_steps_B))]


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("num_threads", [1, 2])
def test_it_reads_as_the_steps_do(graph: bytes, num_threads: int):
    """Of every bit, for rows of different lengths, with one thread and with two."""
    step = StepGraph(graph)
    model = onnx.load_model_from_string(graph)
    reader = PromptReader.of(model, step.state_names, num_threads=num_threads)
    assert reader is not None
    random = np.random.default_rng(0)

    for num_rows, num_steps in ((1, 2), (1, 40), (3, 17), (5, 2), (16, 9), (MOST_TOKENS // 8, 8)):
        token_KB = random.integers(0, step.vocabulary_size, (num_steps, num_rows))
        num_steps_B = random.integers(1, num_steps + 1, num_rows)
        num_steps_B[0] = num_steps
        token_KB[np.arange(num_steps)[:, None] >= num_steps_B] = -1
        state = tuple(
            random.uniform(-1, 1, (num_rows, width)).astype(np.float32)
            for width in step.state_widths
        )

        following, logits_BV = reader.read(token_KB, num_steps_B, state)

        assert _read_in_steps(step, token_KB, num_steps_B, state) == [
            [value[b].tobytes() for value in (*following, logits_BV)] for b in range(num_rows)
        ]


def test_what_a_layer_reads_from_below_is_multiplied_for_all_tokens_at_once():
    """Only products with a layer's own state stay in its loop."""
    model = onnx.load_model_from_string(step_graphs.stacked())
    apart = with_products_apart(model, lambda name: f"new.{name}")

    layers = layers_of(apart.graph, ["h1", "last", "h0"])

    assert layers is not None
    at_once = {tuple(each.states): [node.op_type for node in each.at_once] for each in layers}
    assert at_once == {
        ("last",): ["Gather", "Identity"],
        ("h0",): ["QuantizeLinear", "MatMulInteger"],
        ("h1",): ["QuantizeLinear", "MatMulInteger"],
    }
    in_turn = {tuple(each.states): [node.op_type for node in each.in_turn] for each in layers}
    assert in_turn[("last",)] == []
    assert all("MatMulInteger" in in_turn[(name,)] for name in ("h0", "h1"))


def test_a_graph_with_branches_is_not_read_by_layers():
    """It is read in steps."""
    graph = step_graphs.bigram()

    assert PromptReader.of(onnx.load_model_from_string(graph), StepGraph(graph).state_names) is None


@pytest.mark.parametrize(
    ("kind", "inputs", "attributes"),
    [
        ("Add", ["state.h0", "read"], {}),  # the lower layer's state of the step before
        ("ReduceMax", ["read"], {"keepdims": 1}),  # not row by row
        ("Softmax", ["read"], {"axis": 0}),
    ],
)
def test_what_is_not_certain_to_be_the_same_is_not_read_by_layers(kind, inputs, attributes):
    """Then it is read in steps, too."""
    model = onnx.load_model_from_string(step_graphs.stacked())
    node = next(n for n in model.graph.node if n.output[0] == "next_state.last")
    node.CopyFrom(helper.make_node(kind, inputs, ["next_state.last"], **attributes))

    assert layers_of(model.graph, ["h0", "h1", "last"]) is None


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_no_weight_lies_inside_of_a_loop(graph: bytes):
    """Where onnxruntime would keep it once more."""
    step = onnx.load_model_from_string(graph)
    names = [v.name.removeprefix("state.") for v in step.graph.input if v.name != "token"]
    built = build_reading_graph(step, names)
    assert built is not None
    read = onnx.load_model_from_string(built.content).graph
    loops = [node.attribute[0].g for node in read.node if node.op_type == "Loop"]

    assert loops
    assert all(not loop.initializer for loop in loops)
