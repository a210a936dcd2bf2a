"""Dropout: what is set to zero while a model is trained, and when it is drawn anew.

| option of the config | what is set to zero | paper |
|---|---|---|
| `dropout_input`, `_between`, `_output` | activations, drawn anew at each position | Zaremba et al. 2014, arXiv:1409.2329 |
| the same with `locked_dropout` | activations, the same ones in the whole window | Gal & Ghahramani 2016, arXiv:1512.05287 |
| `dropout_words` | words: whole rows of the embedding | Gal & Ghahramani 2016 |
| `weight_drop` | recurrent weights | Merity et al. 2018, arXiv:1708.02182 |
"""  # noqa: E501

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Sets activations of float32[T, B, H] to zero, and scales up the others.

    Args:
        rate: The probability that an activation is set to zero.
        locked: Whether the same activations are zero at all T positions.
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
    """Multiply by a random mask: 0 at the rate, elsewhere the factor that keeps the mean.

    8 random bits decide about each element, so one call drops a whole number of 256ths. That number
    is drawn too, so that the mean over many calls is the rate. `nn.functional.dropout` draws each
    element by itself and takes three times as long (docs/experiments.md). In bfloat16 the factor is
    rounded, by 0.3 % at most.

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
    # The comparison is in x's own element type, which holds every value of 8 bits exactly. So its
    # result is 0 and 1 in that type; an array of bool would have to be converted.
    kept = words.view(torch.int8)[:count].view(*shape).to(x.dtype).ge_(num_dropped - 128)
    return x * kept.mul_(256 / (256 - num_dropped))
