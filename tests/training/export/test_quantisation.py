"""int8: exact on this CPU, independent of the neighbours, close to float32, and gated."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from service.runtime.step import StepGraph
from tests.training.tiny import TinyRun
from training.errors import ExportError, QualityGateError
from training.evaluation.losses import Loss, stateful_loss
from training.export.quantisation import quantise, quantise_weight
from training.models import step as step_module
from training.publishing.candidate import Candidate, build_graph, check_quality
from training.served.reader import StepReader


def one_product(weight_KN: NDArray[np.float32]) -> onnx.ModelProto:
    """The smallest step graph with a product: logits = state @ weight, next state = state."""
    num_rows, num_columns = weight_KN.shape
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["state.h", "weight"], ["product"]),
            helper.make_node("Gather", ["nothing", "token"], ["zero"]),
            helper.make_node("Add", ["product", "zero"], ["logits"]),
            helper.make_node("Identity", ["state.h"], ["next_state.h"]),
        ],
        "one_product",
        [
            helper.make_tensor_value_info("token", TensorProto.INT64, ["B"]),
            helper.make_tensor_value_info("state.h", TensorProto.FLOAT, ["B", num_rows]),
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", num_columns]),
            helper.make_tensor_value_info("next_state.h", TensorProto.FLOAT, ["B", num_rows]),
        ],
        [
            numpy_helper.from_array(weight_KN, "weight"),
            numpy_helper.from_array(np.zeros((1, num_columns), np.float32), "nothing"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def product(model: onnx.ModelProto, a_BK: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
    """A @ weight, by the runtime that serves."""
    step = StepGraph(model.SerializeToString(), num_threads=threads)
    logits_BN, _ = step(np.zeros(len(a_BK), np.int64), (a_BK,))
    return logits_BN


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("num_inputs", [1, 2, 63, 512, 1024])
def test_sums_are_exact_at_the_extremes(num_inputs: int, threads: int) -> None:
    """The largest activations and weights, all of one sign, against numpy in 64 bits.

    With 127 levels this very test fails on x86 without VNNI: the kernel adds pairs of products in
    16 bits and saturates.
    """
    draws = np.random.default_rng(num_inputs)
    signs_BK = draws.choice([-1.0, 1.0], (17, num_inputs)).astype(np.float32)
    signs_BK[0], signs_BK[1] = 1.0, -1.0
    weight_KN = draws.choice([-64.0, 64.0], (num_inputs, 40)).astype(np.float32)
    weight_KN[:, 0], weight_KN[:, 1] = 64.0, -64.0
    model = quantise(one_product(weight_KN))
    exact_BN = (signs_BK.astype(np.int64) * 127) @ weight_KN.astype(np.int64)
    scale = np.float32(np.float64(1.0) / 127.0)
    for num_rows in (1, 2, 3, 17):
        found_BN = product(model, signs_BK[:num_rows], threads)
        wanted_BN = exact_BN[:num_rows].astype(np.float32) * scale
        np.testing.assert_array_equal(found_BN, wanted_BN)


def test_random_products_are_the_rounded_numbers_products() -> None:
    """Activations rounded to 1/127, weights to their levels, the sum exact, one final rounding."""
    draws = np.random.default_rng(0)
    a_BK = np.tanh(draws.normal(size=(5, 200))).astype(np.float32)
    weight_KN = draws.normal(size=(200, 30)).astype(np.float32)
    levels_KN, scale_N = quantise_weight(weight_KN)
    levels_BK = np.rint(a_BK.astype(np.float64) * 127.0)
    sums_BN = levels_BK @ levels_KN.astype(np.float64)
    found_BN = product(quantise(one_product(weight_KN)), a_BK, threads=1)
    np.testing.assert_allclose(found_BN, sums_BN * scale_N / 127.0, rtol=1e-6)


@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.floats(-1e3, 1e3, width=32, allow_subnormal=False),
    )
)
def test_levels_are_within_half_a_scale(weight_KN: NDArray[np.float32]) -> None:
    """Any weights, columns of zeros included."""
    levels_KN, scale_N = quantise_weight(weight_KN)
    restored_KN = levels_KN.astype(np.float64) * scale_N
    assert (np.abs(restored_KN - weight_KN) <= 0.5001 * scale_N).all()
    assert int(np.abs(levels_KN.astype(int)).max()) <= 64


def test_every_product_is_replaced(tiny_candidate: Candidate) -> None:
    """No float product remains, and no float weight of one."""
    graph = tiny_candidate.graph.graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("MatMulInteger") == 3
    assert "MatMul" not in kinds
    matrices = {t.name: t.data_type for t in graph.initializer if len(t.dims) == 2}
    assert matrices.pop("table") == TensorProto.FLOAT
    assert set(matrices.values()) == {TensorProto.INT8}


def test_graph_without_products_is_refused() -> None:
    """Better than publishing float32 as int8."""
    model = one_product(np.zeros((2, 2), np.float32))
    del model.graph.node[0]
    model.graph.node[1].input[0] = "zero"
    with pytest.raises(ExportError, match="no product"):
        quantise(model)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_neighbours_change_nothing(
    tiny_graph: onnx.ModelProto, tiny_candidate: Candidate, precision: str, threads: int
) -> None:
    """A row's logits and states, bit for bit, alone and in every batch up to 64."""
    graph = tiny_graph if precision == "float32" else tiny_candidate.graph
    step = StepGraph(graph.SerializeToString(), num_threads=threads)
    draws = np.random.default_rng(4)
    ids_TB = draws.integers(0, step.vocabulary_size, (5, 64))
    trace = []
    state = step.zero_state(64)
    for ids_B in ids_TB:
        logits, state = step(ids_B, state)
        trace.append((logits, *state))
    for batch_size in range(1, 64):
        rows = draws.permutation(64)[:batch_size]
        state = step.zero_state(batch_size)
        for ids_B, wanted in zip(ids_TB, trace, strict=True):
            logits, state = step(np.ascontiguousarray(ids_B[rows]), state)
            for found, want in zip((logits, *state), wanted, strict=True):
                np.testing.assert_array_equal(found, want[rows])


def test_unfolded_embedding_is_quantised_too(
    tiny_run: TinyRun, tiny_candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a large vocabulary layer 0 reads the embedding itself; its losses stay as close."""
    monkeypatch.setattr(step_module, "MAX_TABLE_BYTES", 0)
    graph = build_graph(tiny_run.checkpoint, "int8")
    [table] = [tensor for tensor in graph.graph.initializer if tensor.name == "table"]
    assert table.dims[1] == 8
    ids = tiny_run.tokens.validation
    folded = next(e for e in tiny_candidate.evaluations if e.method == "stateful")
    loss = stateful_loss(StepReader.of_graph(graph), ids)
    assert loss.nats == pytest.approx(folded.nats_per_token, rel=0.02)


def loss_of(nats: float) -> Loss:
    """A measured loss."""
    return Loss(nats, num_tokens=100)


def test_quality_gate() -> None:
    """Half a per cent of perplexity is 0.004988 nats."""
    check_quality(loss_of(1.4), loss_of(1.4049), 0.005)
    check_quality(loss_of(1.4), loss_of(1.3), 0.0)
    with pytest.raises(QualityGateError, match=r"\(\+0\.51%\); publish\.max_perplexity_increase"):
        check_quality(loss_of(1.4), loss_of(1.4051), 0.005)


def test_quality_gate_is_not_fooled_by_nan() -> None:
    """A comparison with NaN is false; the gate stays shut."""
    with pytest.raises(QualityGateError, match="nan"):
        check_quality(loss_of(1.4), loss_of(math.nan), 0.005)
