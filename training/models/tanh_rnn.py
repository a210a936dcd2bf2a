"""The simple recurrent network (Elman 1990, doi:10.1207/s15516709cog1402_1).

    h' = tanh(W x + U h + b)

Here to be compared with: its gradient over many steps is a product of as many matrices, and
vanishes or explodes (Bengio et al. 1994, doi:10.1109/72.279181; `training.gradient_flow` draws it).
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.models.contract import Gates, Layer, State, Step
from training.models.weights import dropped_weight, gate_bias, uniform_weight


class TanhRNNLayer(Layer):
    """torch's fused RNN over weights of our own.

    Args:
        input_size: E.
        hidden_size: H.
        weight_drop: Rate at which recurrent weights are dropped.
    """

    def __init__(self, input_size: int, hidden_size: int, *, weight_drop: float = 0.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = hidden_size
        self.state_widths = {"h": hidden_size}
        self.weight_drop = weight_drop
        self.weight_x = uniform_weight(hidden_size, input_size, hidden_size)
        self.weight_h = uniform_weight(hidden_size, hidden_size, hidden_size)
        self.bias = gate_bias(hidden_size, (0.0,))

    def forward(self, x_TBE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a window; see `Layer`."""
        weight_h = dropped_weight(self.weight_h, self.weight_drop, training=self.training)
        weights = [self.weight_x, weight_h, self.bias, torch.zeros_like(self.bias)]
        [h_BH] = state
        # The arguments without a name: biases, layers, dropout, training, two directions, B first.
        y_TBH, h_1BH = torch.rnn_tanh(
            x_TBE, h_BH[None], weights, True, 1, 0.0, self.training, False, False
        )
        return y_TBH, (h_1BH[0],)

    def step(self, bound_E: Tensor) -> TanhRNNStep:
        """The equation above."""
        return TanhRNNStep(self, bound_E)


class TanhRNNStep(Step):
    """The equation."""

    weight_x: Tensor
    weight_h: Tensor
    bias: Tensor

    def __init__(self, layer: TanhRNNLayer, bound_E: Tensor) -> None:
        super().__init__()
        with torch.no_grad():
            self.register_buffer("weight_x", layer.weight_x.t() * bound_E[:, None])
            self.register_buffer("weight_h", layer.weight_h.t().contiguous())
            self.register_buffer("bias", layer.bias.clone())

    def project(self, x_BE: Tensor) -> Tensor:
        """W x + b."""
        return x_BE @ self.weight_x + self.bias

    def advance(self, input_BG: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """What is left when W x + b is known; there are no gates."""
        [h_BH] = state
        return (torch.tanh(h_BH @ self.weight_h + input_BG),), {}
