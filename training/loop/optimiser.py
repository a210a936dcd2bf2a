"""AdamW, with weight decay only where it means something."""

from __future__ import annotations

import torch
from torch import nn

from training.config.optimisation import OptimisationConfig


def build_optimiser(model: nn.Module, config: OptimisationConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over two groups of weights.

    Matrices decay. Biases do not: pulling a forget gate's bias to 0 would close it. The learning
    rate is set before every step by the schedule.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim >= 2]
    vectors = [parameter for parameter in trained if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    # Fused: all of a weight's numbers are read and written once.
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
