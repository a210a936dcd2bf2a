"""Long short-term memory.

Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al.
2000, doi:10.1162/089976600300015015. For the input x and the past h, C of a layer:

    i  = sigmoid(W_i [x, h] + b_i)        input gate
    f  = sigmoid(W_f [x, h] + b_f)        forget gate
    o  = sigmoid(W_o [x, h] + b_o)        output gate
    C~ = tanh   (W_c [x, h] + b_c)        candidate
    C' = f * C + i * C~
    h' = o * tanh(C')

With a projection (Sak et al. 2014, arXiv:1402.1128) the output is narrower than the cell, and what
is remembered of it is R h', with R of [P, H].
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.models.contract import Gates, Layer, State, Step
from training.models.onednn import without_onednn
from training.models.weights import dropped_weight, gate_bias, uniform_weight


class LSTMLayer(Layer):
    """torch's fused LSTM over weights of our own, so that they can be dropped.

    Args:
        input_size: E.
        hidden_size: H.
        projection_size: P, or None for no projection.
        weight_drop: Rate at which recurrent weights are dropped.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        projection_size: int | None = None,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = projection_size or hidden_size
        self.state_widths = {"h": self.output_size, "c": hidden_size}
        self.is_bounded = projection_size is None
        self.weight_drop = weight_drop
        # torch's order of the gates: i, f, C~, o.
        self.weight_x = uniform_weight(4 * hidden_size, input_size, hidden_size)
        self.weight_h = uniform_weight(4 * hidden_size, self.output_size, hidden_size)
        self.bias = gate_bias(hidden_size, (0.0, 1.0, 0.0, 0.0))
        self.weight_projection = (
            uniform_weight(projection_size, hidden_size, hidden_size) if projection_size else None
        )

    def forward(self, x_TBE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a window; see `Layer`."""
        weight_h = dropped_weight(self.weight_h, self.weight_drop, training=self.training)
        weights = [self.weight_x, weight_h, self.bias, torch.zeros_like(self.bias)]
        if self.weight_projection is None:
            return self._fused(x_TBE, state, weights)
        with without_onednn():
            return self._fused(x_TBE, state, [*weights, self.weight_projection])

    def _fused(self, x_TBE: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        h_BH, c_BH = state
        # The arguments without a name: biases, layers, dropout, training, two directions, B first.
        y_TBH, h_1BH, c_1BH = torch.lstm(
            x_TBE, (h_BH[None], c_BH[None]), weights, True, 1, 0.0, self.training, False, False
        )
        return y_TBH, (h_1BH[0], c_1BH[0])

    def step(self, bound_E: Tensor) -> LSTMStep:
        """The equations above."""
        return LSTMStep(self, bound_E)


class LSTMStep(Step):
    """The equations; the four weighted sums of a layer are one product, [x, h] W."""

    weight_x: Tensor
    weight_h: Tensor
    weight: Tensor
    bias: Tensor
    projection: Tensor

    def __init__(self, layer: LSTMLayer, bound_E: Tensor) -> None:
        super().__init__()
        self.hidden_size = layer.hidden_size
        with torch.no_grad():
            self.register_buffer("weight_x", gates_ifoc(layer.weight_x).t() * bound_E[:, None])
            self.register_buffer("weight_h", gates_ifoc(layer.weight_h).t().contiguous())
            self.register_buffer("bias", gates_ifoc(layer.bias).clone())
            projection = layer.weight_projection
            self.is_projected = projection is not None
            if projection is not None:
                self.register_buffer("projection", projection.t().contiguous())
            self.register_buffer("weight", torch.cat([self.weight_x, self.weight_h]))

    def project(self, x_BE: Tensor) -> Tensor:
        """W_x x + b of all gates."""
        return x_BE @ self.weight_x + self.bias

    def advance(self, input_BG: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """What is left when W_x x + b is known."""
        h_BH, c_BH = state
        return self._after_sums(h_BH @ self.weight_h + input_BG, c_BH)

    def forward(self, x_BE: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """Both in one product."""
        h_BH, c_BH = state
        sums_BG = torch.cat([x_BE, h_BH], dim=1) @ self.weight + self.bias
        return self._after_sums(sums_BG, c_BH)

    def _after_sums(self, sums_BG: Tensor, c_BH: Tensor) -> tuple[State, Gates]:
        hidden = self.hidden_size
        # One sigmoid over three gates: at small batches the number of nodes is what costs.
        sums_ifo, sum_candidate = torch.split(sums_BG, [3 * hidden, hidden], dim=1)
        i, f, o = torch.sigmoid(sums_ifo).chunk(3, dim=1)
        candidate = torch.tanh(sum_candidate)
        next_c = f * c_BH + i * candidate
        next_h = o * torch.tanh(next_c)
        if self.is_projected:
            next_h = next_h @ self.projection
        return (next_h, next_c), {"i": i, "f": f, "o": o, "candidate": candidate}


def gates_ifoc(rows: Tensor) -> Tensor:
    """From torch's order of the gates, i f C~ o, to the one of the equations."""
    i, f, candidate, o = rows.chunk(4)
    return torch.cat([i, f, o, candidate])
