"""From the last layer's output to the probabilities of the next token.

Shapes: N places in texts, H hidden, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

_LOGITS_AT_A_TIME = 1 << 22
"""N * V where nothing is kept: 16 MB, several times over."""
WIDE = "wide_"
"""How names of weights begin whose left side may leave [-1, 1]: they stay float32 in int8."""


class Output(nn.Module, ABC):
    """The end of a language model."""

    vocabulary_size: int
    temperature: float = 1.0
    """What logits are divided by; 1 while training, see `training/evaluation/calibration.py`."""

    def forward(self, hidden_NH: Tensor) -> Tensor:
        """Logits float32[N, V] over the temperature."""
        return tempered(self.logits(hidden_NH), self.temperature)

    def losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        """Cross-entropies in nats, float32[N]."""
        if torch.is_grad_enabled():  # what backward needs is kept anyway
            return self._losses(hidden_NH, target_N)
        return torch.cat([self._losses(*piece) for piece in self.pieces(hidden_NH, target_N)])

    def pieces(self, hidden_NH: Tensor, target_N: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The same in so few rows that their logits are no burden, however many words there are."""
        num_rows = max(1, _LOGITS_AT_A_TIME // self.vocabulary_size)
        pieces = (torch.split(part, num_rows) for part in (hidden_NH, target_N))
        yield from zip(*pieces, strict=True)

    def _losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        if self.temperature == 1.0:
            return self._untempered_losses(hidden_NH, target_N)
        return _cross_entropies(self(hidden_NH), target_N)

    def _untempered_losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        """At temperature 1."""
        return _cross_entropies(self.logits(hidden_NH), target_N)

    @abstractmethod
    def logits(self, hidden_NH: Tensor) -> Tensor:
        """Logits float32[N, V] at temperature 1."""

    @abstractmethod
    def step(self, bound_H: Tensor) -> nn.Module:
        """`forward` with a copy of the weights; its input is hidden / bound_H, in [-1, 1]."""


def tempered(logits: Tensor, temperature: float) -> Tensor:
    """Logits over the temperature; at 1 there is nothing to do, nor to export."""
    return logits if temperature == 1.0 else logits / temperature


def _cross_entropies(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    # The loss stays float32 under autocast: it adds up many small numbers.
    return nn.functional.cross_entropy(logits_NV.float(), target_N, reduction="none")


class Softmax(Output):
    """A linear layer; `tied` weights are those of the embedding, which is [V, H] then too.

    Tying: Press & Wolf 2017, arXiv:1608.05859.
    """

    def __init__(self, hidden_size: int, vocabulary_size: int, tied: nn.Parameter | None) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        if tied is None:
            tied = nn.Parameter(torch.empty(vocabulary_size, hidden_size).uniform_(-0.1, 0.1))
        self.weight = tied
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """One product."""
        return nn.functional.linear(hidden_NH, self.weight, self.bias)

    def step(self, bound_H: Tensor) -> SoftmaxStep:
        """One product."""
        return SoftmaxStep(self, bound_H)


class SoftmaxStep(nn.Module):
    """hidden W + b."""

    projection: Tensor
    bias: Tensor

    def __init__(self, output: Softmax, bound_H: Tensor) -> None:
        super().__init__()
        with torch.no_grad():
            scale_H1 = bound_H[:, None] / output.temperature
            self.register_buffer("projection", output.weight.t() * scale_H1)
            self.register_buffer("bias", output.bias / output.temperature)

    def forward(self, hidden_BH: Tensor) -> Tensor:
        """Logits float32[B, V]."""
        return hidden_BH @ self.projection + self.bias
