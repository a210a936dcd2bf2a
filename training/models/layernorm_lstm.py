"""LSTM with layer normalisation: sums of equal size whatever the weights.

Ba et al. 2016, arXiv:1607.06450, equations 20 to 22. With LN(a; g) = g * (a - mean a) / std a, over
the sums of one row (its shift is b, or beta in front of the last tanh):

    i, f, C~, o = LN(W x; g_x) + LN(U h; g_h) + b
    C' = sigmoid(f) * C + sigmoid(i) * tanh(C~)
    h' = sigmoid(o) * tanh(LN(C'; g_c) + beta)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.contract import Gates, Layer, State, Step
from training.models.weights import dropped_weight, gate_bias, uniform_weight

_EPSILON = 1e-5


def _normalised(sums: Tensor, gain: Tensor, shift: Tensor | None = None) -> Tensor:
    # Written out, for the sake of the exported graph: onnxruntime's own LayerNormalization takes
    # the variance as E[a^2] - E[a]^2, which loses digits wherever the mean is large.
    centred = sums - sums.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    normalised = centred * torch.rsqrt(variance + _EPSILON) * gain
    return normalised if shift is None else normalised + shift


def layernorm_cell(
    sums_BG: Tensor, c_BH: Tensor, gain_H: Tensor, shift_H: Tensor
) -> tuple[State, Gates]:
    """The last two equations.

    Args:
        sums_BG: float32[B, 4H]: i, f, C~, o side by side.
        c_BH: float32[B, H], the cell C.
        gain_H: g_c.
        shift_H: beta.

    Returns:
        h' and C', and the gates.
    """
    sum_i, sum_f, sum_candidate, sum_o = sums_BG.chunk(4, dim=1)
    i, f, o = torch.sigmoid(sum_i), torch.sigmoid(sum_f), torch.sigmoid(sum_o)
    candidate = torch.tanh(sum_candidate)
    next_c = f * c_BH + i * candidate
    next_h = o * torch.tanh(_normalised(next_c, gain_H, shift_H))
    return (next_h, next_c), {"i": i, "f": f, "o": o, "candidate": candidate}


class LayerNormLSTMLayer(Layer):
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
        self.gain_x = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_h = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_c = nn.Parameter(torch.ones(hidden_size))
        self.shift_c = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x_TBE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read a window; see `Layer`."""
        weight_h = dropped_weight(self.weight_h, self.weight_drop, training=self.training)
        h_BH, c_BH = state
        outputs = []
        sums_of_x_TBG = nn.functional.linear(x_TBE, self.weight_x)
        for input_BG in _normalised(sums_of_x_TBG, self.gain_x, self.bias):
            sums_BG = input_BG + _normalised(nn.functional.linear(h_BH, weight_h), self.gain_h)
            (h_BH, c_BH), _ = layernorm_cell(sums_BG, c_BH, self.gain_c, self.shift_c)
            outputs.append(h_BH)
        return torch.stack(outputs), (h_BH, c_BH)

    def step(self, bound_E: Tensor) -> LayerNormLSTMStep:
        """The equations above."""
        return LayerNormLSTMStep(self, bound_E)


class LayerNormLSTMStep(Step):
    """The equations."""

    weight_x: Tensor
    weight_h: Tensor
    bias: Tensor
    gain_x: Tensor
    gain_h: Tensor
    gain_c: Tensor
    shift_c: Tensor

    def __init__(self, layer: LayerNormLSTMLayer, bound_E: Tensor) -> None:
        super().__init__()
        with torch.no_grad():
            self.register_buffer("weight_x", layer.weight_x.t() * bound_E[:, None])
            self.register_buffer("weight_h", layer.weight_h.t().contiguous())
            for name in ("bias", "gain_x", "gain_h", "gain_c", "shift_c"):
                self.register_buffer(name, getattr(layer, name).clone())

    def project(self, x_BE: Tensor) -> Tensor:
        """LN(W x; g_x) + b."""
        return _normalised(x_BE @ self.weight_x, self.gain_x, self.bias)

    def advance(self, input_BG: Tensor, *state: Tensor) -> tuple[State, Gates]:
        """What is left when that is known."""
        h_BH, c_BH = state
        sums_BG = input_BG + _normalised(h_BH @ self.weight_h, self.gain_h)
        return layernorm_cell(sums_BG, c_BH, self.gain_c, self.shift_c)
