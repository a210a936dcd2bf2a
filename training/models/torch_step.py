"""A model in torch as the service's `Step`: one sampler serves the trained and the exported one."""

from __future__ import annotations

import torch

from service.rows.arrays import Float32, Int64
from service.runtime.step import State
from training.models.language_model import RecurrentLanguageModel
from training.models.step import LanguageModelStep


class TorchStep:
    """Reads one token in every row; see `service.runtime.step.Step`.

    The very step that is exported, by torch: the layers that train would prepare their weights anew
    in every call.

    Args:
        model: Its weights are copied; dropout takes no part.
    """

    def __init__(self, model: RecurrentLanguageModel) -> None:
        with torch.no_grad():
            self._step = LanguageModelStep(model)
        self.state_widths = tuple(model.state_widths.values())
        self.vocabulary_size = model.vocabulary_size

    def __call__(self, token_B: Int64, state: State) -> tuple[Float32, State]:
        """The logits of the next token, float32[B, V], and the next state."""
        with torch.inference_mode():
            logits_BV, *after = self._step(torch.from_numpy(token_B), *map(torch.from_numpy, state))
        return logits_BV.numpy(), tuple(part.numpy() for part in after)
