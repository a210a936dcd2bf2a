"""How far a gradient reaches back: why gates were invented, in one picture.

The gradient of an output at the end of a sequence, with respect to the input t steps before, is a
product of t matrices. In a plain RNN it shrinks or grows by the same factor with each step (Bengio
et al. 1994, doi:10.1109/72.279181; Pascanu et al. 2013, arXiv:1211.5063); through an open gate it
goes as it is (Hochreiter & Schmidhuber 1997).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.config.model import Architecture, ModelConfig
from training.models.build import new_layer
from training.pictures import BLUE, GREEN, RED, picture

ARCHITECTURES: tuple[Architecture, ...] = ("tanh-rnn", "gru", "lstm")
_COLOURS = {"tanh-rnn": RED, "gru": GREEN, "lstm": BLUE}
_NUM_SEQUENCES = 32


def gradient_norms(
    architecture: Architecture, *, hidden_size: int = 128, num_steps: int = 200, seed: int = 0
) -> NDArray[np.float64]:
    """Of a fresh layer that reads random input.

    Returns:
        float64[num_steps]: at distance d, the norm of the gradient of one random direction of the
        last output with respect to the input d steps before it, the mean over 32 sequences.
    """
    torch.manual_seed(seed)
    layer = new_layer(ModelConfig(architecture=architecture, hidden_size=hidden_size), hidden_size)
    x_TBE = torch.randn(num_steps, _NUM_SEQUENCES, hidden_size, requires_grad=True)
    state = tuple(torch.zeros(_NUM_SEQUENCES, width) for width in layer.state_widths.values())
    y_TBH, _ = layer(x_TBE, state)
    (y_TBH[-1] @ torch.randn(hidden_size)).sum().backward()
    if x_TBE.grad is None:
        raise AssertionError("there is no gradient")
    norms: NDArray[np.float64] = x_TBE.grad.double().norm(dim=2).mean(dim=1).flip(0).numpy()
    return norms


def half_life(norm_T: NDArray[np.float64]) -> int | None:
    """The first distance at which less than half of the gradient is left; None if there is none."""
    below = np.flatnonzero(norm_T < norm_T[0] / 2)
    return int(below[0]) if len(below) else None


def draw_gradient_norms(norms: Mapping[Architecture, NDArray[np.float64]], path: Path) -> None:
    """All in one picture, relative to the gradient of the last input."""
    with picture(path) as plots:
        axes = next(plots)
        for name, norm_T in norms.items():
            relative_T = norm_T / norm_T[0]
            axes.plot(relative_T, color=_COLOURS.get(name), linewidth=1.8, label=name)
        axes.set(
            title="how far a gradient reaches back",
            xlabel="distance in steps",
            ylabel="norm, relative to the last step",
            yscale="log",
            ylim=(1e-12, 10),
        )
        axes.legend(frameon=False)
