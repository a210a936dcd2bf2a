"""The LSTM as one step, written out: what is exported and served.

Training runs torch's fused `nn.LSTM`; this module computes the same from the same weights, in the
textbook equations (Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate: Gers
et al. 2000, doi:10.1162/089976600300015015). For the input x and the past h, C of a layer:

    i  = sigmoid(W_i [x, h] + b_i)        input gate
    f  = sigmoid(W_f [x, h] + b_f)        forget gate
    o  = sigmoid(W_o [x, h] + b_o)        output gate
    C~ = tanh   (W_c [x, h] + b_c)        candidate
    C' = f * C + i * C~
    h' = o * tanh(C')

Shapes: B rows, E embedding, H hidden, V vocabulary.

The four weighted sums of a layer are one product, [x, h] W with W of [E + H, 4H]. Whatever stands
on the left of a product lies in [-1, 1]: that is what lets int8 use one fixed scale.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.lstm import LSTMLanguageModel

MAX_TABLE_BYTES = 16 << 20
"""Largest lookup table that replaces the embedding and the first input projection."""


def cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The equations after the product.

    Args:
        gates: float32[B, 4H], the weighted sums of i, f, o, C~ side by side.
        c: float32[B, H], the cell state C.

    Returns:
        h' and C', float32[B, H] each.
    """
    hidden = c.shape[1]
    # One sigmoid over three gates: at small batches the number of nodes is what costs.
    gates_ifo, candidate = torch.split(gates, [3 * hidden, hidden], dim=1)
    i, f, o = torch.sigmoid(gates_ifo).chunk(3, dim=1)
    next_c = f * c + i * torch.tanh(candidate)
    next_h = o * torch.tanh(next_c)
    return next_h, next_c


class LSTMStep(nn.Module):
    """token, state -> logits, next state; the state of layer n is `layer<n>.h`, `layer<n>.c`."""

    def __init__(self, model: LSTMLanguageModel) -> None:
        """Rearrange the weights of a trained model; they are copied."""
        super().__init__()
        lstm = model.lstm
        self.num_layers = lstm.num_layers
        self.hidden_size = lstm.hidden_size
        self.is_folded = 4 * model.vocabulary_size * 4 * self.hidden_size <= MAX_TABLE_BYTES
        with torch.no_grad():
            for layer in range(self.num_layers):
                weight_x, weight_h, bias = _layer_weights(lstm, layer)
                if layer == 0:
                    weight_x, bias = self._add_table(model.embedding.weight, weight_x, bias)
                weight = torch.cat([weight_x, weight_h])
                self.register_buffer(f"weight{layer}", weight.contiguous())
                self.register_buffer(f"bias{layer}", bias.clone())
            self.register_buffer("projection", model.projection.weight.t().contiguous())
            self.register_buffer("projection_bias", model.projection.bias.clone())

    def _add_table(
        self, embedding_VE: Tensor, weight_x: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is looked up for a token; returns the part of layer 0 that remains to be computed.

        There are only V different inputs, so while V is small W_x x + b is looked up, not x.
        """
        if self.is_folded:
            self.register_buffer("table", embedding_VE @ weight_x + bias)
            return weight_x[:0], torch.zeros_like(bias)
        # Columns of the embedding are scaled into [-1, 1], and the weights that read them back.
        largest_E = embedding_VE.abs().amax(dim=0).clamp_min(1e-12)
        self.register_buffer("table", embedding_VE / largest_E)
        return weight_x * largest_E[:, None], bias

    @property
    def state_names(self) -> list[str]:
        """Names of the state tensors, in the order of the arguments and results."""
        return [f"layer{layer}.{part}" for layer in range(self.num_layers) for part in "hc"]

    def forward(self, token: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """One step for every row.

        Args:
            token: int64[B].
            state: float32[B, H] each, in the order of `state_names`.

        Returns:
            logits float32[B, V], then the next state in the order of `state_names`.
        """
        x = nn.functional.embedding(token, self.get_buffer("table"))
        next_state: list[Tensor] = []
        for layer in range(self.num_layers):
            h, c = state[2 * layer], state[2 * layer + 1]
            weight = self.get_buffer(f"weight{layer}")
            bias = self.get_buffer(f"bias{layer}")
            if layer == 0 and self.is_folded:
                gates = h @ weight + x
            else:
                gates = torch.cat([x, h], dim=1) @ weight + bias
            x, next_c = cell(gates, c)
            next_state += [x, next_c]
        logits = x @ self.get_buffer("projection") + self.get_buffer("projection_bias")
        return (logits, *next_state)


def _layer_weights(lstm: nn.LSTM, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    """W_x [in, 4H], W_h [H, 4H] and b [4H] of one layer, the gates in the order i, f, o, C~."""

    def ordered(name: str) -> Tensor:
        i, f, candidate, o = getattr(lstm, f"{name}_l{layer}").chunk(4)  # torch's order
        return torch.cat([i, f, o, candidate])

    bias = ordered("bias_ih") + ordered("bias_hh")
    return ordered("weight_ih").t(), ordered("weight_hh").t(), bias
