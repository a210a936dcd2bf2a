"""Gated recurrent unit.

Cho et al. 2014, arXiv:1406.1078, in the form that torch and cuDNN compute: the reset gate stands
after the product by the recurrent matrix. For the input x and the past h of a layer:

    r  = sigmoid(W_r x + U_r h + b_r)         reset gate
    z  = sigmoid(W_z x + U_z h + b_z)         update gate
    h~ = tanh   (W_n x + b_n + r * (U_n h + b_u))
    h' = (1 - z) * h~ + z * h
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.models.contract import Gates, Layer, State, Step
from training.models.weights import dropped_weight, gate_bias, uniform_weight


class GRULayer(Layer):
    """torch's fused GRU over weights of our own.

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
        # torch's order: r, z, h~.
        self.weight_x = uniform_weight(3 * hidden_size, input_size, hidden_size)
        self.weight_h = uniform_weight(3 * hidden_size, hidden_size, hidden_size)
        self.bias_x = gate_bias(hidden_size, (0.0, 0.0, 0.0))
        self.bias_h = gate_bias(hidden_size, (0.0, 0.0, 0.0))

    def forward(self, x_TBE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a window; see `Layer`."""
        weight_h = dropped_weight(self.weight_h, self.weight_drop, training=self.training)
        weights = [self.weight_x, weight_h, self.bias_x, self.bias_h]
        [h_BH] = state
        # The arguments without a name: biases, layers, dropout, training, two directions, B first.
        y_TBH, h_1BH = torch.gru(
            x_TBE, h_BH[None], weights, True, 1, 0.0, self.training, False, False
        )
        return y_TBH, (h_1BH[0],)

    def step(self, bound_E: Tensor) -> GRUStep:
        """The equations above."""
        return GRUStep(self, bound_E)


class GRUStep(Step):
    """The equations, the three sums of each side in one product."""

    weight_x: Tensor
    weight_h: Tensor
    bias_x: Tensor
    bias_h: Tensor

    def __init__(self, layer: GRULayer, bound_E: Tensor) -> None:
        super().__init__()
        self.hidden_size = layer.output_size
        with torch.no_grad():
            self.register_buffer("weight_x", layer.weight_x.t() * bound_E[:, None])
            self.register_buffer("weight_h", layer.weight_h.t().contiguous())
            self.register_buffer("bias_x", layer.bias_x.clone())
            self.register_buffer("bias_h", layer.bias_h.clone())

    def project(self, x_BE: Tensor) -> Tensor:
        """W x + b of all three."""
        return x_BE @ self.weight_x + self.bias_x

    def advance(self, input_BG: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """What is left when W x + b is known."""
        [h_BH] = state
        hidden = self.hidden_size
        past_BG = h_BH @ self.weight_h + self.bias_h
        gates_of_x, candidate_of_x = torch.split(input_BG, [2 * hidden, hidden], dim=1)
        gates_of_h, candidate_of_h = torch.split(past_BG, [2 * hidden, hidden], dim=1)
        r, z = torch.sigmoid(gates_of_x + gates_of_h).chunk(2, dim=1)
        candidate = torch.tanh(candidate_of_x + r * candidate_of_h)
        next_h = candidate + z * (h_BH - candidate)
        return (next_h,), {"r": r, "z": z, "candidate": candidate}
