"""The ways to leave things out while training.

| option of the config | what is left out | paper |
|---|---|---|
| `dropout_input`, `_between`, `_output` | numbers, anew at each position | Zaremba et al. 2014, arXiv:1409.2329 |
| the same with `locked_dropout` | numbers, the same in the whole window | Gal & Ghahramani 2016, arXiv:1512.05287 |
| `dropout_words` | words: whole rows of the embedding | Gal & Ghahramani 2016 |
| `weight_drop` | recurrent weights | Merity et al. 2018, arXiv:1708.02182 |
"""  # noqa: E501

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes numbers of float32[T, B, H] at a rate, and scales up the others.

    Args:
        rate: How many.
        locked: Whether they are the same ones at all T positions.
    """

    def __init__(self, rate: float, *, locked: bool) -> None:
        super().__init__()
        self.rate = rate
        self.locked = locked

    def forward(self, x_TBH: Tensor) -> Tensor:
        """In training only."""
        if not self.training or self.rate == 0.0:
            return x_TBH
        if not self.locked:
            return nn.functional.dropout(x_TBH, self.rate)
        kept_1BH = torch.empty_like(x_TBH[:1]).bernoulli_(1.0 - self.rate)
        return x_TBH * (kept_1BH / (1.0 - self.rate))
