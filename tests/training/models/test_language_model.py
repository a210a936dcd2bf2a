"""The network that trains, and the explicit step that is exported: the same function."""

from __future__ import annotations

import pytest
import torch

from training.config import ModelConfig
from training.models import cell
from training.models.cell import LSTMStep
from training.models.lstm import LSTMLanguageModel, LSTMState

VOCABULARY = 11


def build(**config: object) -> LSTMLanguageModel:
    """A small model with weights that are not tiny."""
    torch.manual_seed(3)
    sizes = {"hidden_size": 6, "embedding_size": 4, "num_layers": 2}
    model = LSTMLanguageModel(ModelConfig.model_validate(sizes | config), VOCABULARY).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return model


@pytest.mark.parametrize("is_folded", [True, False])
@pytest.mark.parametrize(
    "config",
    [{}, {"num_layers": 1}, {"num_layers": 3}, {"tied": True, "embedding_size": 6}],
    ids=["two layers", "one layer", "three layers", "tied"],
)
def test_step_computes_what_was_trained(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, object], is_folded: bool
) -> None:
    """Over 20 chained steps, with the lookup table folded and not."""
    monkeypatch.setattr(cell, "MAX_TABLE_BYTES", 1 << 20 if is_folded else 0)
    model = build(**config)
    step = LSTMStep(model)
    assert step.is_folded == is_folded
    ids_TB = torch.randint(VOCABULARY, (20, 3))
    state = [torch.zeros(3, 6) for _ in step.state_names]
    with torch.inference_mode():
        wanted_TBV, end = model(ids_TB, model.zero_state(3))
        for ids_B, wanted_BV in zip(ids_TB, wanted_TBV, strict=True):
            logits_BV, *state = step(ids_B, *state)
            torch.testing.assert_close(logits_BV, wanted_BV, atol=1e-5, rtol=1e-5)
    for layer in range(model.config.num_layers):
        torch.testing.assert_close(state[2 * layer], end.h_LBH[layer], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(state[2 * layer + 1], end.c_LBH[layer], atol=1e-5, rtol=1e-5)


def test_what_is_multiplied_lies_within_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """int8 has one fixed scale for it, so an unfolded embedding must be scaled into it."""
    monkeypatch.setattr(cell, "MAX_TABLE_BYTES", 0)
    table = LSTMStep(build()).get_buffer("table")
    assert float(table.abs().max()) == pytest.approx(1.0)


def test_textbook_equations() -> None:
    """One unit, by hand: gates 0 are half open, C~ = tanh(1)."""
    gates = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
    h, c = cell.cell(gates, torch.tensor([[2.0]]))
    wanted_c = 0.5 * 2.0 + 0.5 * torch.tanh(torch.tensor(1.0))
    torch.testing.assert_close(c, wanted_c.reshape(1, 1))
    torch.testing.assert_close(h, 0.5 * torch.tanh(wanted_c).reshape(1, 1))


def test_forget_gates_begin_open() -> None:
    """Bias 1 for f, 0 for the rest; torch keeps the gates in the order i, f, C~, o."""
    model = LSTMLanguageModel(ModelConfig(hidden_size=3, embedding_size=2), VOCABULARY)
    for layer in range(2):
        bias = getattr(model.lstm, f"bias_ih_l{layer}") + getattr(model.lstm, f"bias_hh_l{layer}")
        assert bias.tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6


def test_state_is_carried() -> None:
    """Two windows with the state handed over are one window."""
    model = build()
    ids_TB = torch.randint(VOCABULARY, (10, 2))
    with torch.inference_mode():
        whole, _ = model(ids_TB, model.zero_state(2))
        first, state = model(ids_TB[:4], model.zero_state(2))
        second, _ = model(ids_TB[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_detached_state_has_no_history() -> None:
    """Where truncated back-propagation cuts."""
    model = build()
    _, (h, c) = model(torch.zeros(2, 1, dtype=torch.int64), model.zero_state(1))
    assert h.requires_grad
    cut = LSTMState(h, c).detach()
    assert not cut.h_LBH.requires_grad
    assert not cut.c_LBH.requires_grad


def test_tied_table_is_one_table() -> None:
    """And is counted once."""
    tied = build(tied=True, embedding_size=6)
    loose = build(embedding_size=6)
    assert tied.projection.weight is tied.embedding.weight
    assert loose.num_parameters() - tied.num_parameters() == VOCABULARY * 6
