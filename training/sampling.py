"""Text from a model in torch, one token at a time: for progress reports and the model card.

Serving has its own sampler (and its own, counter-based randomness); the same seed gives another
text there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from training.config import SampleConfig
from training.models.lstm import LSTMLanguageModel
from training.tokenization import CharacterTokenizer


def generate(
    model: LSTMLanguageModel, tokenizer: CharacterTokenizer, sample: SampleConfig, seed: int
) -> str:
    """Continue `sample.prompt` by `sample.num_tokens` tokens; the prompt is part of the result."""
    prompt_ids = tokenizer.encode(sample.prompt)
    if len(prompt_ids) == 0:
        prompt_ids = np.asarray([tokenizer.start_id])
    draws = torch.Generator().manual_seed(seed)
    was_training = model.training
    model.eval()
    generated: list[int] = []
    with torch.inference_mode(), _without_onednn():
        logits_TBV, state = model(torch.from_numpy(prompt_ids)[:, None], model.zero_state(1))
        for _ in range(sample.num_tokens):
            logits_V = logits_TBV[-1, 0] / sample.temperature
            logits_V[tokenizer.unknown_id] = -torch.inf
            token = torch.multinomial(torch.softmax(logits_V, dim=0), 1, generator=draws)
            generated.append(int(token))
            logits_TBV, state = model(token[None], state)
    model.train(was_training)
    return sample.prompt + tokenizer.decode(generated)


@contextmanager
def _without_onednn() -> Iterator[None]:
    """Switch oneDNN off: its LSTM prepares the weights anew in every call.

    At one token a call that costs five times the arithmetic (2x512: 6-9 ms against 1.2 ms).
    """
    # torch.backends.mkldnn.flags() would also touch, and warn of, a switch for GPUs.
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)
