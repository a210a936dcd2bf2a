"""Every architecture: the layer that trains, the step that serves, and the paper agree."""

from __future__ import annotations

import functools
from unittest import mock

import numpy as np
import onnx
import pytest
import torch

from service.runtime.step import StepGraph
from tests.training.models.small import ARCHITECTURES, VOCABULARY, small_config, small_model
from tests.training.models.textbook import CELLS
from training.export.parity import check_parity
from training.export.quantisation import quantise
from training.export.step_graph import export_step
from training.models import step as step_module
from training.models.build import new_layer
from training.models.contract import Layer
from training.models.language_model import RecurrentLanguageModel
from training.models.step import LanguageModelStep

LAYERS: dict[str, dict[str, object]] = {name: {"architecture": name} for name in ARCHITECTURES}
LAYERS["projected lstm"] = {"architecture": "lstm", "projection_size": 3}
MODELS: dict[str, dict[str, object]] = LAYERS | {
    "one layer": {"num_layers": 1},
    "three layers": {"num_layers": 3},
    "tied": {"tied": True, "embedding_size": 6},
    "tied and projected": {"tied": True, "projection_size": 4},
    "residual": {"residual": True, "num_layers": 3},
    "residual gru": {"residual": True, "architecture": "gru"},
    "adaptive softmax": {"adaptive_cutoffs": [4, 8], "adaptive_division": 2.0},
    "tied adaptive softmax": {"adaptive_cutoffs": [4, 8], "tied": True, "embedding_size": 6},
}
INT8 = {key: value for key, value in MODELS.items() if "projected" not in key}


def small_layer(config: dict[str, object]) -> Layer:
    """One layer in float64, with weights that are not tiny."""
    torch.manual_seed(5)
    layer = new_layer(small_config(**config), input_size=4).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return layer


def random_state(layer: Layer, batch_size: int) -> tuple[torch.Tensor, ...]:
    """Not zero."""
    return tuple(
        torch.randn(batch_size, width, dtype=torch.float64).tanh()
        for width in layer.state_widths.values()
    )


@pytest.mark.parametrize("config", LAYERS.values(), ids=LAYERS.keys())
def test_the_layer_computes_the_equations_of_the_paper(config: dict[str, object]) -> None:
    """Row by row, step by step, in plain numpy."""
    layer = small_layer(config)
    x_TBE = torch.randn(7, 2, 4, dtype=torch.float64)
    state = random_state(layer, 2)
    weights = {name: w.detach().numpy() for name, w in layer.named_parameters()}
    with torch.inference_mode():
        y_TBH, after = layer(x_TBE, state)
    for b in range(2):
        row = [part[b].numpy() for part in state]
        for x_E, y_H in zip(x_TBE[:, b].numpy(), y_TBH[:, b].numpy(), strict=True):
            row = CELLS[str(config["architecture"])](weights, x_E, row)
            np.testing.assert_allclose(y_H, row[0], atol=1e-12)
        for found, wanted in zip(after, row, strict=True):
            np.testing.assert_allclose(found[b].numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize("config", LAYERS.values(), ids=LAYERS.keys())
def test_gradients_are_those_of_finite_differences(config: dict[str, object]) -> None:
    """Of the input, the state before the window, and every weight, through five steps."""
    layer = small_layer(config)
    x_TBE = torch.randn(5, 2, 4, dtype=torch.float64, requires_grad=True)
    state = tuple(part.requires_grad_() for part in random_state(layer, 2))
    names, weights = zip(*layer.named_parameters(), strict=True)

    def run(x: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        before, changed = rest[: len(state)], dict(zip(names, rest[len(state) :], strict=True))
        y_TBH, after = torch.func.functional_call(layer, changed, (x, before))
        return y_TBH, *after

    assert torch.autograd.gradcheck(run, (x_TBE, *state, *weights))


@pytest.mark.parametrize("is_folded", [True, False], ids=["folded", "not folded"])
@pytest.mark.parametrize("config", MODELS.values(), ids=MODELS.keys())
def test_the_step_computes_what_was_trained(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, object], is_folded: bool
) -> None:
    """Over 20 chained steps, with the lookup table folded and not."""
    monkeypatch.setattr(step_module, "MAX_TABLE_BYTES", 1 << 20 if is_folded else 0)
    model = small_model(**config)
    step = LanguageModelStep(model)
    assert step.is_folded == is_folded
    ids_TB = torch.randint(VOCABULARY, (20, 3))
    state = model.zero_state(3)
    with torch.inference_mode():
        wanted_TBV, end = model(ids_TB, state)
        for ids_B, wanted_BV in zip(ids_TB, wanted_TBV, strict=True):
            logits_BV, *state = step(ids_B, *state)
            torch.testing.assert_close(logits_BV, wanted_BV, atol=1e-4, rtol=1e-4)
    for found, wanted in zip(state, end, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@functools.cache
def wider(name: str) -> RecurrentLanguageModel:
    """A model in which int8 is not too coarse."""
    tied = {"embedding_size": 32} if "embedding_size" in MODELS[name] else {}
    return small_model(**{"hidden_size": 32} | MODELS[name] | tied)


@functools.cache
def exported(name: str) -> onnx.ModelProto:
    """Its graph, nothing folded: every product is there."""
    with mock.patch.object(step_module, "MAX_TABLE_BYTES", 0):
        return export_step(wider(name), {})


@pytest.mark.parametrize("name", MODELS.keys())
def test_the_exported_graph_is_the_model(name: str) -> None:
    """Through onnxruntime, at several batch sizes."""
    parity = check_parity(wider(name), exported(name), tolerance=1e-3, seed=1)
    assert parity.max_logit_difference > 0.0


@pytest.mark.parametrize("name", INT8.keys())
def test_int8_is_near(name: str) -> None:
    """Nothing is calibrated, so nothing may leave [-1, 1] on the left of a product."""
    exact = StepGraph(exported(name).SerializeToString())
    quantised = StepGraph(quantise(exported(name)).SerializeToString())
    ids_TB = np.random.default_rng(1).integers(0, VOCABULARY, (10, 4))
    worst = spread = 0.0
    state = exact.zero_state(4)
    for ids_B in ids_TB:
        found_BV, _ = quantised(ids_B, state)
        wanted_BV, state = exact(ids_B, state)
        worst = max(worst, float(np.abs(found_BV - wanted_BV).max()))
        spread = max(spread, float(wanted_BV.std()))
    assert 0.0 < worst < 0.15 * spread


def test_only_wide_products_stay_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the adaptive softmax the second products of rare words: what they read has no bound."""
    monkeypatch.setattr(step_module, "MAX_TABLE_BYTES", 0)
    model = small_model(adaptive_cutoffs=[4, 8], adaptive_division=2.0)
    graph: onnx.ModelProto = quantise(export_step(model, {}))
    products = [node for node in graph.graph.node if node.op_type == "MatMul"]
    assert ["output.wide_words0", "output.wide_words1"] == sorted(n.input[1] for n in products)


@pytest.mark.parametrize("config", INT8.values(), ids=INT8.keys())
def test_what_is_multiplied_lies_within_one(
    config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Embeddings and residual sums are scaled into it, whatever their size."""
    monkeypatch.setattr(step_module, "MAX_TABLE_BYTES", 0)
    model = small_model(**config)
    with torch.no_grad():
        model.embedding.weight.mul_(50.0)
    step = LanguageModelStep(model)
    seen: list[float] = []
    matmul = torch.Tensor.__matmul__

    def spy(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        seen.append(float(left.abs().max()))
        return matmul(left, right)

    state = model.zero_state(3)
    monkeypatch.setattr(torch.Tensor, "__matmul__", spy)
    wide = len(step_module_wide(step))
    with torch.inference_mode():
        for _ in range(20):
            _, *state = step(torch.randint(VOCABULARY, (3,)), *state)
    within = [size for size in seen if size <= 1.0 + 1e-6]
    assert len(seen) - len(within) <= 20 * wide
    assert max(seen[:1]) <= 1.0 + 1e-6


def step_module_wide(step: LanguageModelStep) -> list[str]:
    """The weights that may read more than [-1, 1]."""
    return [name for name, _ in step.named_buffers() if ".wide_" in name]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", INT8.keys())
def test_a_row_is_the_same_alone_and_among_others(name: str, precision: str) -> None:
    """Bit for bit: the server promises it for every model."""
    graph = exported(name) if precision == "float32" else quantise(exported(name))
    step = StepGraph(graph.SerializeToString())
    ids_TB = np.random.default_rng(1).integers(0, VOCABULARY, (12, 33))
    for rows in (slice(0, 1), slice(5, 7), slice(16, 33)):
        whole, part = step.zero_state(33), step.zero_state(len(range(33)[rows]))
        for ids_B in ids_TB:
            wanted_BV, whole = step(ids_B, whole)
            found_BV, part = step(ids_B[rows].copy(), part)
            np.testing.assert_array_equal(found_BV, wanted_BV[rows])
