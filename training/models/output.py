"""From the last layer's output to the probabilities of the next token.

Shapes: N places in texts, H hidden, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

_EVALUATED_ROWS = 2048
"""Of N at a time where nothing is kept: with 33,278 words these are 0.3 GB of logits."""
WIDE = "wide_"
"""How names of weights begin whose left side may leave [-1, 1]: they stay float32 in int8."""


class Output(nn.Module, ABC):
    """The end of a language model."""

    temperature: float = 1.0
    """What logits are divided by; 1 while training, see `training/calibration.py`."""

    def forward(self, hidden_NH: Tensor) -> Tensor:
        """Logits float32[N, V] over the temperature."""
        logits_NV = self.logits(hidden_NH)
        return logits_NV if self.temperature == 1.0 else logits_NV / self.temperature

    def losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        """Cross-entropies in nats, float32[N]."""
        if torch.is_grad_enabled():  # what backward needs is kept anyway
            return self._losses(hidden_NH, target_N)
        pieces = (torch.split(part, _EVALUATED_ROWS) for part in (hidden_NH, target_N))
        return torch.cat([self._losses(*piece) for piece in zip(*pieces, strict=True)])

    def _losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        # The loss stays float32 under autocast: it adds up many small numbers.
        return nn.functional.cross_entropy(self(hidden_NH).float(), target_N, reduction="none")

    @abstractmethod
    def logits(self, hidden_NH: Tensor) -> Tensor:
        """Logits float32[N, V] at temperature 1."""

    @abstractmethod
    def step(self, bound_H: Tensor) -> nn.Module:
        """`forward` with a copy of the weights; its input is hidden / bound_H, in [-1, 1]."""


class Softmax(Output):
    """A linear layer; `tied` weights are those of the embedding, which is [V, H] then too.

    Tying: Press & Wolf 2017, arXiv:1608.05859.
    """

    def __init__(self, hidden_size: int, vocabulary_size: int, tied: nn.Parameter | None) -> None:
        super().__init__()
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


class AdaptiveSoftmax(Output):
    """Frequent words from all of the hidden state, rare ones from ever narrower views of it.

    Grave et al. 2017, arXiv:1609.04309. Ids must be in order of frequency. Its "logits" are log
    probabilities: those of a cluster of rare words, plus that of the cluster.

    Args:
        hidden_size: H.
        vocabulary_size: V.
        cutoffs: Ids at which the clusters begin, ascending.
        division: Each cluster's view is so many times narrower than the one before.
    """

    def __init__(
        self, hidden_size: int, vocabulary_size: int, cutoffs: Sequence[int], division: float
    ) -> None:
        super().__init__()
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(
            hidden_size, vocabulary_size, list(cutoffs), division, head_bias=True
        )

    def _losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        """Only the clusters of the targets are computed: that is what makes it fast to train."""
        if self.temperature != 1.0:  # which goes across clusters
            return super()._losses(hidden_NH, target_N)
        with _in_float32():
            log_probability_N: Tensor = self.softmax(hidden_NH.float(), target_N).output
        return -log_probability_N

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """All clusters."""
        with _in_float32():
            log_probability_NV: Tensor = self.softmax.log_prob(hidden_NH.float())
        return log_probability_NV

    def step(self, bound_H: Tensor) -> AdaptiveSoftmaxStep:
        """All clusters."""
        return AdaptiveSoftmaxStep(self, bound_H)


def _in_float32() -> torch.autocast:
    """Under autocast torch's adaptive softmax mixes two types in one tensor, and fails."""
    return torch.autocast("cpu", enabled=False)


class AdaptiveSoftmaxStep(nn.Module):
    """The same factorisation: less to compute than one [H, V] product."""

    head: Tensor
    head_bias: Tensor

    def __init__(self, output: AdaptiveSoftmax, bound_H: Tensor) -> None:
        super().__init__()
        softmax = output.softmax
        self.temperature = output.temperature
        self.shortlist_size = softmax.shortlist_size
        self.num_clusters = softmax.n_clusters
        with torch.no_grad():
            self.register_buffer("head", softmax.head.weight.t() * bound_H[:, None])
            self.register_buffer("head_bias", softmax.head.bias.clone())
            for n in range(self.num_clusters):
                narrow, words = cast("tuple[nn.Linear, nn.Linear]", softmax.tail[n].children())
                self.register_buffer(f"narrow{n}", narrow.weight.t() * bound_H[:, None])
                self.register_buffer(f"{WIDE}words{n}", words.weight.t().contiguous())

    def forward(self, hidden_BH: Tensor) -> Tensor:
        """Log-probabilities float32[B, V], over the temperature."""
        head = torch.log_softmax(hidden_BH @ self.head + self.head_bias, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for n in range(self.num_clusters):
            narrow_BD = hidden_BH @ self.get_buffer(f"narrow{n}")
            words = torch.log_softmax(narrow_BD @ self.get_buffer(f"{WIDE}words{n}"), dim=1)
            parts.append(head[:, self.shortlist_size + n : self.shortlist_size + n + 1] + words)
        logits_BV = torch.cat(parts, dim=1)
        return logits_BV if self.temperature == 1.0 else logits_BV / self.temperature
