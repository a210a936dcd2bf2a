"""How the weights of recurrent layers begin, and how some of them are dropped."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.models.dropout import dropped


def uniform_weight(num_outputs: int, num_inputs: int, hidden_size: int) -> nn.Parameter:
    """float32[num_outputs, num_inputs], uniform in +-1/sqrt(H) as torch's own layers have it."""
    bound = 1.0 / math.sqrt(hidden_size)
    return nn.Parameter(torch.empty(num_outputs, num_inputs).uniform_(-bound, bound))


def gate_bias(hidden_size: int, gates: Sequence[float]) -> nn.Parameter:
    """float32[gates * H], for each gate the value that it begins with.

    A forget gate that begins at 1 begins open (Jozefowicz et al. 2015, "An Empirical Exploration of
    Recurrent Network Architectures").
    """
    return nn.Parameter(torch.tensor(gates).repeat_interleave(hidden_size))


def dropped_weight(weight: Tensor, rate: float, *, training: bool) -> Tensor:
    """DropConnect on a recurrent matrix: the same weights are missing in the whole window.

    Merity et al. 2018, "Regularizing and Optimizing LSTM Language Models", arXiv:1708.02182.
    """
    return dropped(weight, rate, weight.shape) if training else weight
