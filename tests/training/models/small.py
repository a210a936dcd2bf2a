"""Small models with weights that are not tiny: errors show."""

from __future__ import annotations

import math

import torch

from training.config.model import ModelConfig
from training.models.build import build_model
from training.models.language_model import RecurrentLanguageModel

VOCABULARY = 11
ARCHITECTURES = ("lstm", "gru", "peephole-lstm", "layernorm-lstm", "tanh-rnn")


def small_config(**config: object) -> ModelConfig:
    """Two layers of six."""
    sizes = {"hidden_size": 6, "embedding_size": 4, "num_layers": 2}
    return ModelConfig.model_validate(sizes | config)


def small_model(**config: object) -> RecurrentLanguageModel:
    """With random weights, ready to evaluate."""
    torch.manual_seed(3)
    sizes = small_config(**config)
    model = build_model(sizes, VOCABULARY).eval()
    assert isinstance(model, RecurrentLanguageModel)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 1.2 / math.sqrt(sizes.hidden_size))
    return model
