"""The ways to leave things out while training.

| option of the config | what is left out | paper |
|---|---|---|
| `dropout_input`, `_between`, `_output` | numbers, anew at each position | Zaremba et al. 2014, arXiv:1409.2329 |
| the same with `locked_dropout` | numbers, the same in the whole window | Gal & Ghahramani 2016, arXiv:1512.05287 |
| `dropout_words` | words: whole rows of the embedding | Gal & Ghahramani 2016 |
| `weight_drop` | recurrent weights | Merity et al. 2018, arXiv:1708.02182 |
"""  # noqa: E501

from __future__ import annotations

import math
from collections.abc import Sequence

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
        if not self.training:
            return x_TBH
        return dropped(x_TBH, self.rate, (1, *x_TBH.shape[1:]) if self.locked else x_TBH.shape)


def dropped(x: Tensor, rate: float, shape: Sequence[int]) -> Tensor:
    """Multiply by a mask of that shape: 0 at the rate, elsewhere what keeps the mean.

    8 random bits decide about a number, so a call drops some 256ths: how many is drawn too, so that
    on average over calls they are the rate. `nn.functional.dropout` draws the numbers one by one
    and takes three times as long (docs/experiments.md).
    In bfloat16 what keeps the mean is rounded, by 0.3 % at the most.

    Args:
        x: What is dropped from.
        rate: At most 0.95, see the config.
        shape: Of the mask, which is broadcast.
    """
    if rate == 0.0:
        return x
    count = math.prod(shape)
    words = torch.randint(-(2**63), 2**63 - 1, (-(-count // 8),))
    num_dropped = int(256 * rate + float(torch.rand(())))  # of the 256 values of 8 bits
    # Compared as numbers of x's kind, which hold those of 8 bits exactly: 0 and 1 of the same kind
    # come of it, and no array of truth values that were to be converted one by one.
    kept = words.view(torch.int8)[:count].view(*shape).to(x.dtype).ge_(num_dropped - 128)
    return x * kept.mul_(256 / (256 - num_dropped))
