"""Contributions of tokens, against differences; the published step in torch, against the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from service.artifacts.manifest import Manifest
from service.artifacts.store import read_manifest
from training.config.model import ModelConfig
from training.errors import ExportError
from training.export.quantisation import quantise
from training.export.step_graph import able_to_write, export_step
from training.inside import gradients
from training.inside.gradients import attribution, step_of_graph
from training.models.build import build_model

STORE = Path(__file__).parents[3] / "model_store"
V = 11
IDS = np.arange(30) * 7 % V
LSTM = {"hidden_size": 12, "num_layers": 2, "embedding_size": 6}


def published(**config: Any) -> tuple[onnx.ModelProto, Manifest]:
    """A float32 graph of random weights, and a manifest that is of such a model."""
    torch.manual_seed(3)
    config = {**LSTM, **config}
    model = able_to_write(build_model(ModelConfig.model_validate(config), V))
    for parameter in model.parameters():
        # All different: the exporter writes equal ones once.
        parameter.data.mul_(1.5).add_(0.05 * torch.randn_like(parameter))
    any_one = read_manifest(STORE / "names" / "3")
    provenance = any_one.provenance.model_copy(update={"config": {"model": config}})
    manifest = any_one.model_copy(update={"vocabulary_size": V, "provenance": provenance})
    return export_step(model, {}), manifest


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"residual": True, "num_layers": 3},
        {"architecture": "gru"},
        {"architecture": "peephole-lstm"},
        {"architecture": "layernorm-lstm"},
    ],
)
def test_the_step_in_torch_is_the_published_one(config: dict[str, Any]):
    """Of every architecture, from the weights in the graph alone."""
    graph, manifest = published(**config)
    assert attribution(graph, manifest, IDS, 3).difference < 1e-5


def test_of_int8_only_the_rounding_of_activations_is_lost():
    """Weights come back from levels and scales."""
    graph, manifest = published()
    assert 0 < attribution(quantise(graph), manifest, IDS, 3).difference < 0.05


def test_a_contribution_is_a_derivative():
    """By a difference: the input of a token is moved from the mean, and away from it."""
    graph, manifest = published()
    found = attribution(graph, manifest, IDS, 4)
    step = step_of_graph(graph, manifest)
    table_VG = step.table.clone()

    def logprobs_when_moved(place: int, by: float) -> np.ndarray:
        rows_TG = table_VG[torch.from_numpy(IDS)]
        rows_TG[place] += by * (rows_TG[place] - table_VG.mean(0))
        step.table = rows_TG
        state = [torch.zeros(1, width) for width in step.state_widths.values()]
        told = []
        for t in range(len(IDS) - 1):
            logits, state, _ = step.read(torch.tensor([t]), *state)
            told.append(logits.log_softmax(1)[0, int(IDS[t + 1])].item())
        return np.array(told[-4:])

    for place in (27, 25, 20):
        more, less = (logprobs_when_moved(place, by) for by in (0.01, -0.01))
        np.testing.assert_allclose((more - less) / 0.02, found.share_KT[:, place], atol=2e-4)
    assert not found.share_KT[0, 26:].any()


def test_weights_that_make_another_model_are_refused(monkeypatch: pytest.MonkeyPatch):
    """Also where the difference is only that of rounding, if none is allowed."""
    graph, manifest = published()
    monkeypatch.setattr(gradients, "_MOST_DIFFERENCE", 1e-7)
    with pytest.raises(ExportError, match="make another model in torch"):
        attribution(quantise(graph), manifest, IDS, 3)


def test_weights_of_another_step_are_refused():
    """A graph with more of them than this program would write."""
    graph, _ = published(num_layers=3)
    _, manifest = published()
    with pytest.raises(ExportError, match="has weights that this program's step has not"):
        step_of_graph(graph, manifest)
