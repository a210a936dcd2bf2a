"""Text from a model in torch, one token at a time: for progress reports and the model card.

Serving has its own sampler (and its own, counter-based randomness); the same seed gives another
text there.
"""

from __future__ import annotations

import numpy as np
import torch

from training.config.train import SampleConfig
from training.models.language_model import RecurrentLanguageModel
from training.models.onednn import without_onednn
from training.tokenization.tokenizer import TextTokenizer


def generate(
    model: RecurrentLanguageModel, tokenizer: TextTokenizer, sample: SampleConfig, seed: int
) -> str:
    """Continue `sample.prompt` by `sample.num_tokens` tokens; the prompt is part of the result."""
    ids = tokenizer.special_ids
    prompt_ids = tokenizer.encode(sample.prompt)
    if len(prompt_ids) == 0 or ids.start_before_prompt:
        prompt_ids = np.concatenate([np.array([ids.start]), prompt_ids])
    draws = torch.Generator().manual_seed(seed)
    was_training = model.training
    model.eval()
    generated: list[int] = []
    with torch.inference_mode(), without_onednn():
        logits_TBV, state = model(torch.from_numpy(prompt_ids)[:, None], model.zero_state(1))
        for _ in range(sample.num_tokens):
            logits_V = logits_TBV[-1, 0] / sample.temperature
            logits_V[list(ids.never_sampled)] = -torch.inf
            token = torch.multinomial(torch.softmax(logits_V, dim=0), 1, generator=draws)
            if int(token) == ids.end:
                break
            generated.append(int(token))
            logits_TBV, state = model(token[None], state)
    model.train(was_training)
    return sample.prompt + tokenizer.decode(generated)
