"""What the picture shows is so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.cli import main
from training.config.model import ModelConfig
from training.models.build import new_layer
from training.tuning.gradient_flow import (
    ARCHITECTURES,
    draw_gradient_norms,
    gradient_norms,
    half_life,
)


def test_gates_let_the_gradient_through(tmp_path: Path) -> None:
    """A hundred steps back the LSTM's is the largest, the plain RNN's all but nothing."""
    norms = {name: gradient_norms(name, hidden_size=64, num_steps=120) for name in ARCHITECTURES}
    far = {name: norm_T[100] / norm_T[0] for name, norm_T in norms.items()}
    assert far["tanh-rnn"] < 1e-3 * far["gru"] < 1e-3 * far["lstm"]
    draw_gradient_norms(norms, tmp_path / "g.png")
    assert (tmp_path / "g.png").read_bytes()[:4] == b"\x89PNG"


def test_half_of_a_gradient() -> None:
    """Is gone after so many steps, or not at all."""
    assert 2 == half_life(np.array([4.0, 2.0, 1.9, 3.0]))
    assert half_life(np.array([4.0, 2.0, 8.0])) is None


def test_what_is_left_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two steps of an LSTM take less than half of it away; then no number is made up."""
    sizes = ["--hidden-size", "16", "--num-steps", "2"]
    assert 0 == main(["gradients", "--output", str(tmp_path / "g.png"), *sizes])
    assert "lstm: more than half of the gradient is left after 1 st" in capsys.readouterr().out


def test_distances_are_counted_from_the_end() -> None:
    """The norm at distance 0 is of the last input, whatever came before."""
    torch.manual_seed(3)
    layer = new_layer(ModelConfig(architecture="tanh-rnn", hidden_size=8), 8)
    torch.manual_seed(3)
    norm_T = gradient_norms("tanh-rnn", hidden_size=8, num_steps=5, seed=3)
    # One step's gradient is bounded by the weights that it goes through.
    largest = float(torch.linalg.matrix_norm(layer.get_parameter("weight_x").detach(), 2))
    assert norm_T.shape == (5,)
    assert 0.0 < norm_T[0] < 10 * largest
    assert np.all(np.diff(norm_T) < 0)
