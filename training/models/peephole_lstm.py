"""LSTM with peepholes: the gates see the cell.

Gers & Schmidhuber 2000, "Recurrent Nets that Time and Count", doi:10.1109/IJCNN.2000.861302:

    i  = sigmoid(W_i [x, h] + p_i * C  + b_i)
    f  = sigmoid(W_f [x, h] + p_f * C  + b_f)
    C' = f * C + i * tanh(W_c [x, h] + b_c)
    o  = sigmoid(W_o [x, h] + p_o * C' + b_o)        the new cell, not the old one
    h' = o * tanh(C')
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.models.contract import Gates, Layer, State, Step
from training.models.weights import dropped_weight, gate_bias, uniform_weight


def peephole_cell(
    sums_BG: Tensor, peepholes_3H: Tensor | Sequence[Tensor], c_BH: Tensor
) -> tuple[State, Gates]:
    """The equations after the products.

    Args:
        sums_BG: float32[B, 4H], W [x, h] + b of i, f, C~, o side by side.
        peepholes_3H: float32[3, H]: p_i, p_f, p_o.
        c_BH: float32[B, H], the cell C.

    Returns:
        h' and C', and the gates.
    """
    sum_i, sum_f, sum_candidate, sum_o = sums_BG.chunk(4, dim=1)
    i = torch.sigmoid(sum_i + peepholes_3H[0] * c_BH)
    f = torch.sigmoid(sum_f + peepholes_3H[1] * c_BH)
    candidate = torch.tanh(sum_candidate)
    next_c = f * c_BH + i * candidate
    o = torch.sigmoid(sum_o + peepholes_3H[2] * next_c)
    next_h = o * torch.tanh(next_c)
    return (next_h, next_c), {"i": i, "f": f, "o": o, "candidate": candidate}


class PeepholeLSTMLayer(Layer):
    """A loop over the window: no library has this cell fused.

    Args:
        input_size: E.
        hidden_size: H.
        weight_drop: Rate at which recurrent weights are dropped.
    """

    def __init__(self, input_size: int, hidden_size: int, *, weight_drop: float = 0.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = hidden_size
        self.state_widths = {"h": hidden_size, "c": hidden_size}
        self.weight_drop = weight_drop
        self.weight_x = uniform_weight(4 * hidden_size, input_size, hidden_size)
        self.weight_h = uniform_weight(4 * hidden_size, hidden_size, hidden_size)
        self.bias = gate_bias(hidden_size, (0.0, 1.0, 0.0, 0.0))
        self.peepholes = nn.Parameter(torch.zeros(3, hidden_size))

    def forward(self, x_TBE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a window; see `Layer`."""
        weight_h = dropped_weight(self.weight_h, self.weight_drop, training=self.training)
        h_BH, c_BH = state
        outputs = []
        for input_BG in nn.functional.linear(x_TBE, self.weight_x, self.bias):
            sums_BG = input_BG + nn.functional.linear(h_BH, weight_h)
            (h_BH, c_BH), _ = peephole_cell(sums_BG, self.peepholes, c_BH)
            outputs.append(h_BH)
        return torch.stack(outputs), (h_BH, c_BH)

    def step(self, bound_E: Tensor) -> PeepholeLSTMStep:
        """The equations above."""
        return PeepholeLSTMStep(self, bound_E)


class PeepholeLSTMStep(Step):
    """The equations."""

    weight_x: Tensor
    weight_h: Tensor
    bias: Tensor
    peephole_i: Tensor
    peephole_f: Tensor
    peephole_o: Tensor

    def __init__(self, layer: PeepholeLSTMLayer, bound_E: Tensor) -> None:
        super().__init__()
        with torch.no_grad():
            self.register_buffer("weight_x", layer.weight_x.t() * bound_E[:, None])
            self.register_buffer("weight_h", layer.weight_h.t().contiguous())
            self.register_buffer("bias", layer.bias.clone())
            # By themselves: parts of one would lose their names when they are exported.
            for gate, peephole_H in zip("ifo", layer.peepholes, strict=True):
                self.register_buffer(f"peephole_{gate}", peephole_H.clone())

    def project(self, x_BE: Tensor) -> Tensor:
        """W x + b of all gates."""
        return x_BE @ self.weight_x + self.bias

    def advance(self, input_BG: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """What is left when W x + b is known."""
        h_BH, c_BH = state
        peepholes_3H = (self.peephole_i, self.peephole_f, self.peephole_o)
        return peephole_cell(h_BH @ self.weight_h + input_BG, peepholes_3H, c_BH)
