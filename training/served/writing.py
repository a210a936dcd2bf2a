"""Text from a model, drawn as the server draws it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst, Decoder
from service.runtime.sampling import Sampling
from training.tokenization.tokenizer import TextTokenizer

_BURST_STEPS = 64


def write(
    decoder: Decoder,
    tokenizer: TextTokenizer,
    prompt: str,
    num_tokens: int,
    samplings: Sequence[Sampling],
) -> list[str]:
    """Continue a prompt once for each of the samplings; the prompt is part of the result.

    The same seed gives the same text as `POST /generate` of the same weights.

    Args:
        decoder: The model; it has a slot for each sampling.
        tokenizer: The model's.
        prompt: What the texts begin with.
        num_tokens: Tokens to write after it, at most.
        samplings: How each text is drawn.
    """
    prompt_T = tokenizer.prompt_ids(prompt)
    for slot, sampling in enumerate(samplings):
        decoder.load(slot, Row.start(decoder.row_shape), sampling)
    forced_K = np.concatenate([prompt_T, np.full(num_tokens, SAMPLED)])
    written: list[list[int]] = [[] for _ in samplings]
    running = np.arange(len(samplings))
    for start in range(0, len(forced_K), _BURST_STEPS):
        forced_KB = np.repeat(forced_K[start : start + _BURST_STEPS, None], len(running), axis=1)
        num_steps_B = np.full(len(running), len(forced_KB))
        keep_B = np.ones(len(running), np.bool_)
        result = decoder.burst(Burst(running, forced_KB, num_steps_B, keep_B))
        for b, row in enumerate(running):
            drawn = result.token_KB[forced_KB[:, b] == SAMPLED, b]
            written[row] += drawn[drawn != SAMPLED].tolist()
        running = running[~result.ended_B]
        if not running.size:
            break
    return [prompt + tokenizer.decode(ids) for ids in written]
